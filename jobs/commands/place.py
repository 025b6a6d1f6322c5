"""`qre place`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, AtlasPlace, Neighbours, given_path


def place(
    atlas: AtlasPlace,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="a hub id (owner/name or owner/name@revision), an encoder's folder, or a matrix (.npy, .safetensors, "
            ".parquet)",
        ),
    ] = None,
    entry: Annotated[
        Path | None,
        typer.Option(callback=given_path, help="also the encoders of a list file, with entries as in a config"),
    ] = None,
    layer: Annotated[int | None, typer.Option(min=0, help="hidden state to read, with --pooling")] = None,
    pooling: Annotated[
        str | None,
        typer.Option(help="cls, mean, max, weightedmean or lasttoken; an encoder without modules.json needs it"),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="put before every sentence")] = None,
    prompt_name: Annotated[str | None, typer.Option(help="one of the encoder's own prompts")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=2, help="longer sentences are cut")] = None,
    pad_token: Annotated[
        str | None, typer.Option(help="where its tokenizer has none: a token of its vocabulary to pad with")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16")] = None,
    truncate_dim: Annotated[int | None, typer.Option(min=1, help="the first K dimensions")] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="unit length at the end")] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="run the code of a hub encoder; needs @ and a 40-digit commit")
    ] = False,
    native: Annotated[
        bool, typer.Option("--native", help="transformers' own class, where the encoder also names code of its own")
    ] = False,
    token_budget: Annotated[int | None, typer.Option(min=16, help="most tokens in a batch; default: the map's")] = None,
    device: Annotated[str, typer.Option(help="of torch; auto: the GPU where there is one")] = "auto",
    k: Neighbours = 7,
    measure: Annotated[
        bool, typer.Option("--measure", help="also measure the map's own tasks (not MTEB's), with --atlas CONFIG")
    ] = False,
    as_json: AsJson = False,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=given_path, help="folder for placed.csv, predicted.csv, neighbours.csv, place.png and place.svg"
        ),
    ] = None,
) -> None:
    """Place encoders on a finished map: their coordinates, their neighbours, and their scores as the map predicts them.
    No encoder of the map moves.

    A matrix has a row for each sentence of the map, in the order of its sentences.parquet. Exit code 1 where some
    encoders failed, which are named.

    Example: qre place intfloat/e5-small ./my-encoder --atlas results/mine --out results/placed
    """
    from jobs.asked.placing import place as placed

    options = {
        "layer": layer,
        "pooling": pooling,
        "prompt": prompt,
        "prompt_name": prompt_name,
        "max_tokens": max_tokens,
        "pad_token": pad_token,
        "dtype": dtype,
        "truncate_dim": truncate_dim,
        "normalize": normalize,
        "native": native,
        "token_budget": token_budget,
    }
    placed(atlas, models or [], entry, options, trust_remote_code, device, k, as_json, out, measure)
