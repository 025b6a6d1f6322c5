"""`qre measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, Column, Device, ListFile, Models, TrustRemoteCode, given_path
from jobs.commands.encoder_options import with_encoder_options


@with_encoder_options
def measure(
    options: dict,
    models: Models = None,
    sentences: Annotated[
        Path | None,
        typer.Option(
            callback=given_path, metavar="FILE", help=".txt, .csv, .tsv, .jsonl or .parquet; default: built-in ones"
        ),
    ] = None,
    column: Column = None,
    limit: Annotated[
        int | None, typer.Option(min=2, help="how many sentences at most; default: all of a file, 2,000 built-in ones")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            callback=given_path,
            metavar="FILE",
            help="positive pairs: columns a and b, or sentence1 and sentence2 with label or score; default: the "
            "paraphrases among the built-in sentences",
        ),
    ] = None,
    entry: ListFile = None,
    trust_remote_code: TrustRemoteCode = False,
    device: Device = "auto",
    raw: Annotated[
        bool, typer.Option("--raw", help="ranks and isotropy of the rows as they come, not at unit length")
    ] = (False),
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="uniformity and hubness of more than 2,048 sentences exactly")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the geometry of encoders side by side: isotropy, ranks, uniformity, alignment, hubness.

    No map is needed. A matrix is measured as it stands; with --sentences it has a row for each of them. Exit code 1
    where some encoders failed, which are named. docs/geometry.md says what each measure tells, and what not.

    Example: qre measure ./my-encoder sentence-transformers/all-MiniLM-L6-v2 --sentences documents.csv --column text
    """
    from jobs.start.measuring import measure as measured

    measured(
        models or [],
        entry,
        options,
        trust_remote_code,
        device,
        sentences,
        column,
        limit,
        pairs,
        raw,
        all_pairs,
        as_json,
    )
