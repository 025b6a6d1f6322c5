"""`qre sparsify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import Device, given_path

SHARES = "0,0.05,0.1,0.15,0.2,0.25,0.3,0.35,0.4,0.45,0.5"


def sparsify(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="a hub id (owner/name or owner/name@revision), or an encoder's folder"),
    ],
    shares: Annotated[str, typer.Option(metavar="A,B,...", help="of the weights, each from 0 to below 1")] = SHARES,
    scores: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="what ranks the weights: alignment_uniformity, alignment, uniformity, magnitude or random",
        ),
    ] = "alignment_uniformity,magnitude,random",
    seeds: Annotated[int, typer.Option(min=1, max=100, help="of the pairs and the dropout, and of random")] = 2,
    scope: Annotated[
        str, typer.Option(help="global: of all matrices together; layer: the same share of each")
    ] = "global",
    pairs: Annotated[
        str, typer.Option(metavar="FILE", help="with columns sentence1 and sentence2; default: built-in sentences")
    ] = "builtin",
    batches: Annotated[int, typer.Option(min=1, max=10_000, help="of 256 pairs, at most")] = 4,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="sts=FILE",
            help="two texts and a score a row, or builtin/sts, builtin/sts-topic (the default); may be repeated",
        ),
    ] = None,
    pooling: Annotated[
        str | None, typer.Option(help="cls, mean, max, weightedmean or lasttoken, of an encoder without modules.json")
    ] = None,
    out: Annotated[
        Path, typer.Option(callback=given_path, metavar="DIR", help="folder for sparsity.csv, the figure, the points")
    ] = Path("results/sparsify"),
    save: Annotated[
        Path | None,
        typer.Option(callback=given_path, metavar="DIR", help="write the encoder with the zeros in it, and no curve"),
    ] = None,
    share: Annotated[float | None, typer.Option(help="with --save: the share that is zero")] = None,
    device: Device = "auto",
) -> None:
    """Set the weights that contribute least to alignment and uniformity to zero, and measure what becomes of semantic
    similarity.

    Points of the curve that are in the folder are not made again: run the same command to continue.

    Example: qre sparsify sentence-transformers/all-MiniLM-L6-v2 --task sts=pairs.csv --out results/sparse
    """
    from jobs.start.sparsifying import Options, run

    tasks = tuple(task or ())
    run(model, Options(shares, scores, seeds, scope, pairs, batches, tasks, pooling, out, save, share, device))
