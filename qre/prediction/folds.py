"""Folds that keep groups whole, and blocks of tasks that share their encoders.

Near-copies of one encoder (one layer and pooling with its transforms, one vectoriser with its dimensions) have nearly
the same features and nearly the same scores. A split that puts one to each side measures memory, not prediction;
grouped folds never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Block:
    """Tasks whose scores are known of the same encoders, so that they share every fold, kernel and principal component.

    Attributes:
        rows: indices of these encoders, (M,).
        columns: indices of the tasks, (T,).
    """

    rows: np.ndarray
    columns: np.ndarray


def blocks(scores: np.ndarray) -> list[Block]:
    """Blocks of the tasks of scores (N, T), NaN where unknown; together every task once."""
    known = ~np.isnan(scores)
    patterns, owner = np.unique(known, axis=1, return_inverse=True)
    return [Block(np.flatnonzero(patterns[:, i]), np.flatnonzero(owner.ravel() == i)) for i in range(patterns.shape[1])]


def group_numbers(groups: np.ndarray) -> np.ndarray:
    """Groups (N,) of any kind as numbers 0, 1, ... (N,), intp."""
    return np.unique(groups, return_inverse=True)[1].ravel()


def joined(groups: np.ndarray, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """Groups (N,) as numbers, those of each pair of rows made one: for encoders that turn out to be near-copies."""
    numbers = group_numbers(groups)
    for i, j in pairs:
        numbers[numbers == numbers[j]] = numbers[i]
    return group_numbers(numbers)


def coarser(kinds: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Kinds (N,) as numbers, those that share a group (N,) made one: what no fold may part is of one origin."""
    first = {group: row for row, group in reversed(list(enumerate(groups.tolist())))}
    return joined(
        kinds, ((first[group], row) for row, group in enumerate(groups.tolist()) if kinds[first[group]] != kinds[row])
    )


def grouped_folds(groups: np.ndarray, count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each fold: groups in random order, each to the fold that has the fewest rows so far.

    Args:
        groups: number of each row's group, (N,); every row its own group makes plain folds.
        count: folds; at most the number of groups.
        seed: of the order.

    Yields:
        (training, test) row indices, ascending; the test parts together are every row once, and no group is in both.
    """
    numbers = group_numbers(groups)
    sizes = np.bincount(numbers)
    if count > len(sizes):
        raise ValueError(f"{len(sizes)} groups cannot make {count} folds")
    fold, filled = np.empty(len(sizes), dtype=np.intp), np.zeros(count, dtype=np.intp)
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        fold[group] = filled.argmin()
        filled[fold[group]] += sizes[group]
    for number in range(count):
        test = fold[numbers] == number
        yield np.flatnonzero(~test), np.flatnonzero(test)


def members(groups: np.ndarray) -> list[np.ndarray]:
    """Row indices of the groups, those of one size in one array (groups of that size, size): what batched algebra
    wants."""
    numbers = group_numbers(groups)
    sizes = np.bincount(numbers)
    order, starts = np.argsort(numbers, kind="stable"), np.cumsum(sizes) - sizes
    return [
        np.stack([order[starts[group] : starts[group] + size] for group in np.flatnonzero(sizes == size)])
        for size in np.unique(sizes)
    ]
