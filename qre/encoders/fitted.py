"""Fitted transforms: what each has learned, as named arrays, and how it is applied; a file of them, to apply the very
same elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.numpy

from qre.errors import UserError

SCHEMA = 1  # of the file
# what a transform learns: names of arrays; see transforms.py, which fits them
LEARNED: Mapping[str, tuple[str, ...]] = {
    "center": ("mean",),
    "standardize": ("mean", "varies", "scale"),
    "whiten": ("mean", "directions"),
    "all_but_the_top": ("mean", "top"),
    "int8": ("least", "steps"),
    "truncate": (),
    "normalize": (),
    "binary": (),
}


@dataclass(frozen=True)
class Step:
    """One transform, such as "whiten:64", and the arrays that it has learned, by the names of LEARNED."""

    transform: str
    learned: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __call__(self, matrix: np.ndarray) -> np.ndarray:
        name, _, number = self.transform.partition(":")
        return _APPLY[name](matrix, int(number or 0), self.learned)


@dataclass(frozen=True)
class FittedTransforms:
    """Transforms whose means and directions are known: see transforms.fit_transforms.

    Attributes:
        steps: in their order.
        dimension: d, of the vectors that they are applied to.
    """

    steps: tuple[Step, ...]
    dimension: int

    @property
    def transforms(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(step.transform for step in self.steps)

    def apply(self, matrix: np.ndarray) -> np.ndarray:
        """The vectors after the transforms, in their order.

        Args:
            matrix: shape (m, d), float32, d as in the fit. Applied to what they were fitted on, the result is that of
                `apply_transforms`, bit for bit.

        Returns:
            shape (m, d'), float32.

        Raises:
            ValueError: vectors of another dimension.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.dimension:
            raise ValueError(f"transforms of vectors with {self.dimension} dimensions, applied to {matrix.shape}")
        for step in self.steps:
            matrix = step(matrix).astype(np.float32)
        return matrix

    def arrays(self) -> dict[str, np.ndarray]:
        """All that was learned: "0.mean" is the array `mean` of the first transform. Means, scales and directions are
        float64; the ranges of int8 float32."""
        return {
            f"{number}.{name}": array for number, step in enumerate(self.steps) for name, array in step.learned.items()
        }

    @classmethod
    def of_arrays(
        cls, transforms: tuple[str, ...], dimension: int, arrays: Mapping[str, np.ndarray]
    ) -> FittedTransforms:
        """The inverse of `arrays`; ValueError where they are not those of these transforms."""
        wanted = [
            (f"{number}.{name}", number, name)
            for number, transform in enumerate(transforms)
            for name in LEARNED.get(transform.partition(":")[0], ("?",))
        ]
        if {place for place, _, _ in wanted} != arrays.keys():
            raise ValueError("the arrays are not those of these transforms")
        learned: list[dict[str, np.ndarray]] = [{} for _ in transforms]
        for place, number, name in wanted:
            learned[number][name] = arrays[place]
        steps = tuple(Step(transform, own) for transform, own in zip(transforms, learned, strict=True))
        return cls(steps, dimension)


def save_transforms(fitted: FittedTransforms, path: str | os.PathLike) -> None:
    """Write fitted transforms into a safetensors file, which holds their arrays and nothing to run; equal fits give
    equal bytes."""
    arrays = {name: np.ascontiguousarray(array) for name, array in fitted.arrays().items()}
    record = {"schema": SCHEMA, "transforms": list(fitted.transforms), "dimension": fitted.dimension}
    told = json.dumps({**record, "sha256": _digest(record, arrays)}, sort_keys=True)
    Path(path).write_bytes(safetensors.numpy.save(arrays, {"fitted_transforms": told}))


def load_transforms(path: str | os.PathLike) -> FittedTransforms:
    """What `save_transforms` wrote: applied, it gives the same bits as the fit that was saved, on the same machine.

    Raises:
        UserError: no such file; it is damaged, no file of fitted transforms, or of a newer version of this program.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    raw = Path(path).read_bytes()
    try:
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        record = json.loads(header["__metadata__"]["fitted_transforms"])
        if record["schema"] > SCHEMA:
            raise UserError(f"{path}: written by a newer version of this program; update it")
        digest, arrays = record.pop("sha256"), safetensors.numpy.load(raw)
        if _digest(record, arrays) != digest:
            raise ValueError
        return FittedTransforms.of_arrays(tuple(record["transforms"]), int(record["dimension"]), arrays)
    except UserError:
        raise
    except Exception:  # a changed header can make the parser fail in any way
        raise UserError(f"{path}: not a whole file of fitted transforms: save_transforms writes one") from None


def _digest(record: Mapping, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode() + arrays[name].tobytes())
    return digest.hexdigest()


# ---- each applied: the vectors (m, d), the number behind its name, what it has learned


def _center(matrix: np.ndarray, _: int, learned: Mapping[str, np.ndarray]) -> np.ndarray:
    return matrix - learned["mean"]


def _standardize(matrix: np.ndarray, _: int, learned: Mapping[str, np.ndarray]) -> np.ndarray:
    return (matrix - learned["mean"]) * learned["varies"] / learned["scale"]


def _whiten(matrix: np.ndarray, _: int, learned: Mapping[str, np.ndarray]) -> np.ndarray:
    return (matrix - learned["mean"]) @ learned["directions"].T


def _all_but_the_top(matrix: np.ndarray, _: int, learned: Mapping[str, np.ndarray]) -> np.ndarray:
    centered = matrix - learned["mean"]
    return centered - (centered @ learned["top"]) @ learned["top"].T


def _int8(matrix: np.ndarray, _: int, learned: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.clip(np.floor((matrix - learned["least"]) / learned["steps"]), 0, 255) - 128


def _normalize(matrix: np.ndarray, _: int, learned: Mapping[str, np.ndarray]) -> np.ndarray:
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    # a row of zeros stays one, and is told of when it becomes a density operator
    return matrix / np.where(norms > 0, norms, 1.0)


_APPLY: Mapping[str, Callable[[np.ndarray, int, Mapping[str, np.ndarray]], np.ndarray]] = {
    "truncate": lambda matrix, k, _: matrix[:, :k],
    "center": _center,
    "standardize": _standardize,
    "whiten": _whiten,
    "all_but_the_top": _all_but_the_top,
    "normalize": _normalize,
    "int8": _int8,
    "binary": lambda matrix, *_: np.where(matrix > 0, 1.0, -1.0),
}
