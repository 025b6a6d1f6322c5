"""Alignment and uniformity of unit rows (Wang and Isola, arXiv 2005.10242), in torch and with gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

WEIGHTS: Mapping[str, tuple[float, float]] = {  # objective -> weight of the alignment, of the uniformity
    "alignment_uniformity": (1.0, 1.0),
    "alignment": (1.0, 0.0),
    "uniformity": (0.0, 1.0),
}


def alignment(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of the two rows of a pair.

    Args:
        first, second: rows of unit length, (n, d); pair i is first[i] and second[i].
    """
    return (first - second).square().sum(dim=1).mean()


def uniformity(rows: torch.Tensor) -> torch.Tensor:
    """log of the mean of exp(-2 |x - y|²) over all pairs of two different rows of unit length, (n, d) with n >= 2."""
    import torch

    upper = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
    squared = 2 - 2 * (rows @ rows.T)[upper[0], upper[1]]  # smooth also where two rows are one
    return (-2 * squared).exp().mean().log()


def objective(first: torch.Tensor, second: torch.Tensor, score: str) -> torch.Tensor:
    """The objective of a score, one of WEIGHTS: alignment of the pairs, and uniformity, the mean of both sides'."""
    aligning, spreading = WEIGHTS[score]
    loss = first.new_zeros(())
    if aligning:
        loss = loss + aligning * alignment(first, second)
    if spreading:
        loss = loss + spreading * (uniformity(first) + uniformity(second)) / 2
    return loss
