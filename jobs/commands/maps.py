"""The commands that use a finished map: rank, place, neighbours, compare; and illustrate, which draws the idea of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.commands.arguments import AsJson, AtlasPlace, Neighbours, given_path


def rank(
    atlas: AtlasPlace,
    task: Annotated[list[str] | None, typer.Option(metavar="NAME", help="a task; may be repeated: then also their mean; default: all tasks")] = None,
    by: Annotated[Literal["score", "predicted"], typer.Option(help="the score, or its prediction where there is none; or the prediction of all")] = "score",
    top: Annotated[int | None, typer.Option(min=1, help="how many at most")] = None,
    max_parameters: Annotated[int | None, typer.Option(min=1, help="leave out larger encoders, and those of unknown size")] = None,
    measured_only: Annotated[bool, typer.Option("--measured-only", help="leave out encoders whose score is predicted only")] = False,
    everyone: Annotated[bool, typer.Option("--all", help="list near-copies too, which differ from a listed encoder by a transform only")] = False,
    speed: Annotated[bool, typer.Option("--speed", help="also how fast each encoder ran in the sweep, and on what")] = False,
    tasks: Annotated[bool, typer.Option("--tasks", help="list the tasks instead")] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print a table with all columns as CSV")] = False,
) -> None:
    """Rank the encoders of a finished map by their scores, measured, or predicted where none was measured: on all tasks and by their mean, or on one.

    Example: qre rank --task STSBenchmark --atlas results/mine --max-parameters 50000000
    """
    from jobs.atlas.rank import Wanted, form_of, list_tasks
    from jobs.atlas.rank import rank as shown

    form = form_of(as_json, as_csv)
    if tasks:
        list_tasks(atlas, form)
    else:
        shown(atlas, Wanted(tuple(dict.fromkeys(task or ())), by, top, max_parameters, measured_only, everyone, speed, form))


def place(
    atlas: AtlasPlace,
    models: Annotated[list[str] | None, typer.Argument(
        metavar="MODEL...", help="a hub id (owner/name or owner/name@revision), a sentence-transformers folder, or a matrix (.npy, .safetensors, .parquet)",
    )] = None,
    entry: Annotated[Path | None, typer.Option(callback=given_path, help="also the encoders of a list file, with entries as in a config")] = None,
    layer: Annotated[int | None, typer.Option(min=0, help="hidden state to read, with --pooling")] = None,
    pooling: Annotated[str | None, typer.Option(help="cls, mean, max, weightedmean or lasttoken")] = None,
    prompt: Annotated[str | None, typer.Option(help="put before every sentence")] = None,
    prompt_name: Annotated[str | None, typer.Option(help="one of the encoder's own prompts")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=2, help="longer sentences are cut")] = None,
    pad_token: Annotated[str | None, typer.Option(help="where its tokenizer has none: a token of its vocabulary to pad with")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16")] = None,
    truncate_dim: Annotated[int | None, typer.Option(min=1, help="the first K dimensions")] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="unit length at the end")] = False,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="run the code of a hub encoder; needs @ and a 40-digit commit")] = False,
    native: Annotated[bool, typer.Option("--native", help="transformers' own class, where the encoder also names code of its own")] = False,
    token_budget: Annotated[int | None, typer.Option(min=16, help="most tokens in a batch; default: the map's")] = None,
    device: Annotated[str, typer.Option(help="of torch; auto: the GPU where there is one")] = "auto",
    k: Neighbours = 7,
    measure: Annotated[bool, typer.Option("--measure", help="also measure the map's own tasks (not MTEB's), with --atlas CONFIG")] = False,
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(callback=given_path, help="folder for placed.csv, predicted.csv, neighbours.csv, place.png and place.svg")] = None,
) -> None:
    """Place encoders on a finished map: their coordinates, their neighbours, and their scores as the map predicts them. No encoder of the map moves.

    A matrix has a row for each sentence of the map, in the order of its sentences.parquet. Exit code 1 where some encoders failed, which are named.

    Example: qre place intfloat/e5-small ./my-encoder --atlas results/mine --out results/placed
    """
    from jobs.atlas.place import place as placed

    options = {
        "layer": layer, "pooling": pooling, "prompt": prompt, "prompt_name": prompt_name, "max_tokens": max_tokens, "pad_token": pad_token,
        "dtype": dtype, "truncate_dim": truncate_dim, "normalize": normalize, "native": native, "token_budget": token_budget,
    }  # fmt: skip
    placed(atlas, models or [], entry, options, trust_remote_code, device, k, as_json, out, measure)


def neighbours(
    name: Annotated[str, typer.Argument(help="an encoder of the map", metavar="NAME")],
    atlas: AtlasPlace,
    k: Neighbours = 10,
    as_json: AsJson = False,
) -> None:
    """List the encoders nearest to one on a finished map, by the distance that the map is made of.

    Example: qre neighbours MiniLM/L6/mean --atlas results/demo
    """
    from jobs.atlas.look import neighbours as shown

    shown(name, atlas, k, as_json)


def compare(
    names: Annotated[list[str], typer.Argument(help="two encoders by their names, or matrices (.npy, .safetensors, .parquet)", metavar="A B")],
    atlas: Annotated[str | None, typer.Option(
        "--atlas", metavar="DIR", callback=given_path, help="folder of a finished map, or a sweep's YAML file, which also has the embeddings in its store",
    )] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="neighbours whose overlap is counted")] = 10,
    as_json: AsJson = False,
) -> None:
    """Compare two encoders: quantum relative entropy both ways, Jensen-Shannon divergence, linear CKA, distance on the map, neighbours in common, scores.

    A folder has no embeddings: of its encoders it tells the distance, the neighbours and the scores.

    Example: qre compare MiniLM/L6/mean MiniLM/L6/cls --atlas jobs/demo.yaml
    """
    from jobs.atlas.compare import compare as compared

    compared(names, atlas, k, as_json)


def illustrate(
    out: Annotated[Path, typer.Option(callback=given_path, help="folder for the two figures")] = Path("results/illustration"),
    n: Annotated[int, typer.Option(min=16, max=4096, help="sentences, which is also the dimension")] = 256,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="of the random vectors")] = 0,
) -> None:
    """Draw low-noise and high-noise embeddings around the unit base encoder (the paper's Figure 2).

    Example: qre illustrate --out results/illustration
    """
    from qre.illustrate import illustrate as compute
    from qre.illustrate import illustration_figure

    result = compute(n=n, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in illustration_figure(result).items():
        (out / name).write_bytes(content)
        print(out / name)
