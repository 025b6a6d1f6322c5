"""What each parameter of a loaded encoder contributes to alignment and uniformity.

First-order Taylor: setting θ_i to zero changes the loss by about -θ_i ∂L/∂θ_i, so |θ_i ∂L/∂θ_i| is its contribution.
L is the loss of the corpus, the mean over its batches, so gradients are summed first and the magnitude is taken once.
(Molchanov et al., 2019, square and then average, batch by batch, since they prune while they train. That adds the
variance of a gradient between batches to its importance, and with few batches it is mostly that.)

A batch has 256 pairs, since uniformity is of many texts at once, and its gradient is exact; but only a few hundred
tokens are in memory with what a backward pass needs: all rows are computed first, then the loss and its gradient in the
rows, and then each group of texts again, with that gradient and the same dropout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from qre.encoders.transformer import token_budget_batches
from qre.errors import EncoderError
from qre.sparsify.corpus import Pairs
from qre.sparsify.losses import objective

if TYPE_CHECKING:
    import torch

Embed = Callable[[Sequence[str]], "torch.Tensor"]  # texts -> their vectors (m, d), with a gradient
Told = Callable[[float], None]  # told the share that is done
CHARACTERS = 768  # of a group of texts, padding included: some 200 tokens
ANY_TEXTS = ("The cat sleeps on the old boat.", "In the morning the judge reads a letter to both farmers.")
LEFT_OUT = re.compile(r"bias|embed|norm", re.IGNORECASE)  # names of parameters that stand in a module of another kind


def weight_matrices(model) -> dict[str, torch.nn.Parameter]:
    """The parameters that may be set to zero, by name: matrices of layers, poolers and dense modules; no embeddings,
    no normalisation, no biases."""
    from torch import nn

    left_out = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) or "norm" in type(module).__name__.lower()
        for parameter in module.parameters(recurse=False)
    }
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.dim() > 1
        and parameter.is_floating_point()
        and id(parameter) not in left_out
        and not LEFT_OUT.search(name.rpartition(".")[2])
    }


def used_matrices(model, embed: Embed) -> dict[str, torch.nn.Parameter]:
    """Those of `weight_matrices` that the vectors depend on: no pooler whose output nobody reads, no layer above the
    one that is read.

    Raises:
        EncoderError: there are none.
    """
    import torch

    found = weight_matrices(model)
    with _only(model, found):
        vectors = embed(ANY_TEXTS)
        total, wanted = vectors.float().sum(), list(found.values())
        gradients = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad and wanted else ()
    used = {
        name: parameter for (name, parameter), one in zip(found.items(), gradients, strict=False) if one is not None
    }
    if not used:
        raise EncoderError("its vectors depend on no weight matrix of a layer, so none can be set to zero")
    return used


def has_dropout(model, embed: Embed) -> bool:
    """Whether two passes of one text differ in training mode: a dropout may also stand where no vector passes."""
    import torch
    from torch import nn

    if not any(isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 for module in model.modules()):
        return False
    vectors = []
    with torch.no_grad(), _training(model, True):
        for seed in (0, 1):
            with _drawing(seed):
                vectors.append(embed(ANY_TEXTS))
    return not torch.equal(*vectors)


def contributions(
    model, embed: Embed, score: str, pairs: Pairs, batches: int, seed: int, told: Told = lambda share: None
) -> dict[str, torch.Tensor]:
    """The contribution of each parameter of `used_matrices`, by name: float32, not negative, of the parameter's shape.

    Args:
        model: the loaded SentenceTransformer, in evaluation mode; it is left as it was.
        embed: its vectors of texts, with gradients; in training mode with dropout.
        score: one of losses.WEIGHTS; "magnitude", |θ|; or "random".
        pairs: with dropout, and where no person gave the pairs, a text is paired with itself under another dropout
            (SimCSE).
        batches: of corpus.BATCH pairs, at most.
        seed: of the draw of pairs, the dropout, or the random contributions.

    Raises:
        EncoderError: there is no such parameter, or a contribution is not finite.
    """
    import torch

    used = used_matrices(model, embed)
    if score == "magnitude":
        return {name: parameter.detach().abs().float() for name, parameter in used.items()}
    if score == "random":
        generator = torch.Generator().manual_seed(seed)
        return {name: torch.rand(parameter.shape, generator=generator) for name, parameter in used.items()}
    total = gradient(model, embed, used, score, pairs, batches, seed, told)
    with torch.no_grad():
        for name, parameter in used.items():
            total[name].mul_(parameter).abs_()
            if not bool(torch.isfinite(total[name]).all()):
                raise EncoderError(
                    f"contributions of {name} are NaN or Inf; give dtype: float32, or other pairs, or score: magnitude"
                )
    return total


def gradient(
    model, embed: Embed, used: dict, score: str, pairs: Pairs, batches: int, seed: int, told: Told = lambda share: None
) -> dict[str, torch.Tensor]:
    """The gradient of the corpus's loss in each used parameter, float32, by name. At no time are there two whole
    gradients."""
    import torch

    total = {name: torch.zeros(one.shape, dtype=torch.float32, device=one.device) for name, one in used.items()}
    drawn, dropout = pairs.batches(batches, seed), not pairs.from_file and has_dropout(model, embed)

    def collect(name: str) -> Callable:
        def add(parameter: torch.nn.Parameter) -> None:
            assert parameter.grad is not None  # just accumulated
            total[name].add_(parameter.grad, alpha=1 / len(drawn))
            parameter.grad = None

        return add

    hooks = [one.register_post_accumulate_grad_hook(collect(name)) for name, one in used.items()]
    try:
        with _only(model, used), _training(model, dropout):
            for number, (first, second) in enumerate(drawn):
                sides = (first, first if dropout else second)

                def done(share: float, number: int = number) -> None:
                    told((number + share) / len(drawn))

                _backward(embed, sides, score, _seeds(seed, number), done)
    finally:
        for hook in hooks:
            hook.remove()
        for parameter in model.parameters():
            parameter.grad = None
    return total


def _backward(
    embed: Embed, sides: tuple[Sequence[str], Sequence[str]], score: str, seeds: Callable, done: Told
) -> None:
    """Put the gradient of one batch's loss into the parameters, a group of texts at a time."""
    import torch

    groups = [
        (side, number, rows)
        for side, texts in enumerate(sides)
        for number, rows in enumerate(token_budget_batches(np.array([len(text) for text in texts]), CHARACTERS))
    ]

    def vectors(side: int, number: int, rows: np.ndarray) -> torch.Tensor:
        with _drawing(seeds(side, number)):
            one = embed([sides[side][row] for row in rows])
            return torch.nn.functional.normalize(one.float(), dim=1)

    rows_of: list[list] = [[None] * len(texts) for texts in sides]
    for at, (side, number, rows) in enumerate(groups):
        for row, vector in zip(rows, vectors(side, number, rows).detach(), strict=True):
            rows_of[side][row] = vector
        done((at + 1) / (3 * len(groups)))
    leaves = [torch.stack(rows).requires_grad_() for rows in rows_of]
    slopes = torch.autograd.grad(objective(leaves[0], leaves[1], score), leaves, allow_unused=True)
    for at, (side, number, rows) in enumerate(groups):
        slope = slopes[side]
        if slope is not None:
            vectors(side, number, rows).backward(slope[torch.as_tensor(rows, device=slope.device)])
        done((len(groups) + 2 * (at + 1)) / (3 * len(groups)))


def _seeds(seed: int, batch: int) -> Callable[[int, int], int]:
    """The seed of the dropout of a group of texts, by its side and number."""
    return lambda side, number: int(np.random.SeedSequence([seed, batch, side, number]).generate_state(1)[0])


@contextmanager
def _drawing(seed: int) -> Iterator[None]:
    """Torch draws from this seed, and goes on afterwards as if it had not."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(seed)
        yield


@contextmanager
def _only(model, parameters: dict[str, Any]) -> Iterator[None]:
    """Gradients are of these parameters alone, and there are some, whatever stands around this."""
    import torch

    before = [(one, one.requires_grad) for one in model.parameters()]
    wanted = {id(one) for one in parameters.values()}
    try:
        for one, _ in before:
            one.requires_grad_(id(one) in wanted)
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for one, required in before:
            one.requires_grad_(required)


@contextmanager
def _training(model, dropout: bool) -> Iterator[None]:
    """Dropout is at work; statistics of batches are left alone."""
    from torch import nn

    model.train(dropout)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    try:
        yield
    finally:
        model.eval()
