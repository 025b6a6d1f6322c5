"""Which parameters of an encoder are set to zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

PIECE = 2**22  # numbers that are looked at together


@dataclass(frozen=True)
class Mask:
    """The parameters that are zero.

    Attributes:
        bits: by name, of each parameter that counts: a bit for each of its numbers, in order, 1 where it is set to
            zero; uint8.
        shapes: of the parameters, by name.
    """

    bits: Mapping[str, np.ndarray]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def of(self) -> int:
        """How many numbers the parameters have together."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @property
    def zeros(self) -> int:
        """How many of them are set to zero."""
        return sum(map(_ones, self.bits.values()))

    def fits(self, model) -> bool:
        """Whether a model has all these parameters."""
        named = dict(model.named_parameters())
        return all(name in named and tuple(named[name].shape) == shape for name, shape in self.shapes.items())

    def apply(self, model) -> None:
        """Set them to zero in a model that it fits."""
        import torch

        named = dict(model.named_parameters())
        with torch.no_grad():
            for name, shape in self.shapes.items():
                zero = np.unpackbits(self.bits[name], count=int(np.prod(shape))).reshape(shape)
                if zero.any():
                    named[name].masked_fill_(torch.from_numpy(zero.view(bool)).to(named[name].device), 0)


def _ones(bits: np.ndarray) -> int:
    return sum(int(np.unpackbits(bits[start : start + PIECE]).sum()) for start in range(0, len(bits), PIECE))


def least(contributions: Mapping[str, torch.Tensor], share: float, scope: str) -> Mask:
    """The mask of the least-contributing share of the parameters: of all of them together (scope "global"), or of each
    matrix (scope "layer"); in both cases exactly that many, rounded. Of equal contributions the first are taken. The
    mask of a larger share holds that of a smaller one.

    Args:
        contributions: float32, not negative, finite.
    """
    parts = [contributions] if scope == "global" else [{name: one} for name, one in contributions.items()]
    bits = {}
    for part in parts:
        bits.update(_least(part, round(share * sum(one.numel() for one in part.values()))))
    return Mask(bits, {name: tuple(one.shape) for name, one in contributions.items()})


def _least(contributions: Mapping[str, torch.Tensor], count: int) -> dict[str, np.ndarray]:
    """The `count` smallest, as packed bits; in two passes over the numbers, without a copy of them."""
    pattern, ties = _bound(contributions, count)
    bits = {}
    for name, one in contributions.items():
        found = np.empty(one.numel(), bool)
        for start, piece in _pieces(one):
            below, equal = piece < pattern, piece == pattern
            if ties < (there := int(equal.sum())):
                equal[np.flatnonzero(equal)[ties:]] = False
            ties -= min(ties, there)
            found[start : start + len(piece)] = below | equal
        bits[name] = np.packbits(found)
    return bits


def _bound(contributions: Mapping[str, torch.Tensor], count: int) -> tuple[int, int]:
    """(bit pattern, ties): the `count` smallest are those below the pattern, and the first `ties` that are equal to it.
    The patterns of floats that are not negative, as whole numbers, are in the order of the floats."""
    high, before = _digit(contributions, count, 0, lambda piece: (piece >> 16, slice(None)))
    low, before = _digit(contributions, count, before, lambda piece: (piece & 0xFFFF, (piece >> 16) == high))
    return (high << 16) + low, count - before


def _digit(contributions, count: int, before: int, digit_of) -> tuple[int, int]:
    """The 16-bit digit of the number at place `count`, and how many are smaller than what is known of it so far."""
    counts = np.zeros(2**16, np.int64)
    for one in contributions.values():
        for _, piece in _pieces(one):
            digits, among = digit_of(piece)
            counts += np.bincount(digits[among], minlength=2**16)
    up_to = before + np.cumsum(counts)
    digit = int(np.searchsorted(up_to, count)) if count > before else 0
    digit = min(digit, 2**16 - 1)
    return digit, int(up_to[digit] - counts[digit])


def _pieces(one: torch.Tensor):
    """(start, bit patterns as int32) of the numbers in order, a part at a time."""
    flat = one.detach().reshape(-1)
    for start in range(0, flat.numel(), PIECE):
        yield start, flat[start : start + PIECE].cpu().float().numpy().view(np.int32)
