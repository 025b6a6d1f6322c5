"""`qre illustrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import given_path


def illustrate(
    out: Annotated[Path, typer.Option(callback=given_path, help="folder for the two figures")] = Path(
        "results/illustration"
    ),
    n: Annotated[int, typer.Option(min=16, max=4096, help="sentences, which is also the dimension")] = 256,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="of the random vectors")] = 0,
) -> None:
    """Draw low-noise and high-noise embeddings around the unit base encoder (the paper's Figure 2).

    Example: qre illustrate --out results/illustration
    """
    from qre.figures.illustration import illustrate as compute
    from qre.figures.illustration import illustration_figure

    result = compute(n=n, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in illustration_figure(result).items():
        (out / name).write_bytes(content)
        print(out / name)
