"""What an encoder will cost before it runs: memory, time on a GPU, bytes. A stated model, not a measurement.

- Tokens: 1.35 a word of the sentence set (measured on English with WordPiece: 1.2 to 1.4), and a batch pads them by 5
  %.
- Time: 2 floating-point operations a parameter and token (an upper bound: embedding rows are looked up, not
  multiplied), at 35 % of the GPU's dense rate for the dtype, and 15 s to start the process and load.
- Memory: weights in the dtype, 16 hidden-sized vectors of 4 bytes for every token of a batch, and 1 GiB for the GPU's
  own context; where gradients are computed, 4 bytes a parameter for their sum, and half the weights for those of the
  moment.
"""

from __future__ import annotations

from dataclasses import dataclass

TOKENS_PER_WORD = 1.35
PADDING = 1.05
EFFICIENCY = 0.35
START_SECONDS = 15.0
VECTORS_PER_TOKEN = 16
CONTEXT_BYTES = 2**30
USUAL_HIDDEN = 1024  # where an encoder does not tell its hidden size
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Gpu:
    """A GPU type: memory in GiB, and dense TFLOP/s by its data sheet, in float32 without TF32 and in 16 bit."""

    name: str
    memory: int
    full: float
    half: float


GPUS = (
    Gpu("T4", 16, 8.1, 65),
    Gpu("L4", 24, 30, 121),
    Gpu("A10G", 24, 31, 125),
    Gpu("A100-40G", 40, 19.5, 312),
    Gpu("A100-80G", 80, 19.5, 312),
    Gpu("H100", 80, 67, 990),
    Gpu("H200", 141, 67, 990),
)


@dataclass(frozen=True)
class Estimate:
    """The expected cost of one pass.

    Attributes:
        parameters: count; where the hub does not tell, from the bytes of the weights.
        memory: bytes on the device.
        stored: bytes of one embedding.
        seconds: on each GPU type that it fits on, by name.
    """

    parameters: int
    memory: int
    stored: int
    seconds: dict[str, float]

    @property
    def fits(self) -> tuple[str, ...]:
        return tuple(self.seconds)


def estimate(
    parameters: int | None,
    weight_bytes: int,
    hidden: int | None,
    dtype: str,
    words: int,
    sentences: int,
    token_budget: int,
    gradients: bool = False,
) -> Estimate:
    """Cost of one encoder on a sentence set of so many words, by the model that the module states."""
    count = parameters or weight_bytes // 4
    width = hidden or USUAL_HIDDEN
    memory = count * BYTES[dtype] + token_budget * width * 4 * VECTORS_PER_TOKEN + CONTEXT_BYTES
    memory += count * (4 + BYTES[dtype] // 2) if gradients else 0
    operations = 2.0 * count * words * TOKENS_PER_WORD * PADDING
    seconds = {
        gpu.name: START_SECONDS + operations / (EFFICIENCY * 1e12 * (gpu.full if dtype == "float32" else gpu.half))
        for gpu in GPUS
        if memory < gpu.memory * 2**30
    }
    return Estimate(count, memory, sentences * width * 4, seconds)
