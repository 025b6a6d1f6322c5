"""Contributions of weights against the loss itself, on real small encoders."""

import numpy as np
import pytest
import torch

from qre.encoders.readouts import Reader
from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import load
from qre.encoders.variants import BATCH
from qre.errors import EncoderError
from qre.sparsify import contributions as module
from qre.sparsify.contributions import contributions, gradient, has_dropout, used_matrices, weight_matrices
from qre.sparsify.corpus import Pairs, builtin_pairs
from qre.sparsify.losses import WEIGHTS, alignment, objective, uniformity
from qre.sparsify.prepared import embedding
from tests.checkpoints import make
from tests.pipelines import make_pipeline

FEW = Pairs(builtin_pairs().first[:12], builtin_pairs().second[:12])
GIVEN = Pairs(FEW.first, FEW.second, from_file=True)  # taken without dropout


def opened(path, **values):
    """A spec, its model in float32, and its vectors of texts."""
    spec = FolderSpec(name="e", family="e", path=str(path), revision="r", **values)
    model, _ = load(spec, str(path), "cpu")
    return model, embedding(spec, model, Reader(model, [spec.readout]))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    return {kind: make(kind, root / kind) for kind in ("bert", "dense", "t5", "qwen2", "mpnet", "electra", "static")}


def test_alignment_and_uniformity_are_those_of_wang_and_isola():
    first, second = (torch.nn.functional.normalize(torch.randn(2, 7, 5, dtype=torch.float64), dim=2)).unbind(0)
    assert torch.isclose(alignment(first, second), (first - second).norm(p=2, dim=1).pow(2).mean())
    assert torch.isclose(uniformity(first), torch.pdist(first, p=2).pow(2).mul(-2).exp().mean().log())
    both = objective(first, second, "alignment_uniformity")
    assert torch.isclose(both, objective(first, second, "alignment") + objective(first, second, "uniformity"))
    assert torch.isclose(objective(second, first, "alignment_uniformity"), both)


def test_two_equal_rows_have_a_finite_gradient():
    row = torch.nn.functional.normalize(torch.randn(1, 4), dim=1)
    rows = torch.cat([row, row, -row]).requires_grad_()
    (slope,) = torch.autograd.grad(uniformity(rows), rows)
    assert torch.isfinite(slope).all()


def whole_loss(embed, pairs: Pairs, score: str) -> float:
    """The loss of a corpus of one batch, in one piece, in float64."""
    sides = [torch.nn.functional.normalize(embed(list(side)).double(), dim=1) for side in (pairs.first, pairs.second)]
    return float(objective(sides[0], sides[1], score).detach())


@pytest.mark.parametrize("score", WEIGHTS)
@pytest.mark.parametrize("kind", ["bert", "dense", "t5", "qwen2"])
def test_the_gradient_is_the_slope_of_the_loss(folders, kind, score):
    model, embed = opened(folders[kind])
    model.double()  # so that differences are exact enough; T5 and Qwen normalise in float32 all the same
    used = used_matrices(model, embed)
    slopes = gradient(model, embed, used, score, GIVEN, batches=1, seed=3)
    step, near = (1e-4, 1e-5) if kind in ("bert", "dense") else (1e-3, 1e-3)
    near *= max(float(slope.abs().max()) for slope in slopes.values())
    generator = np.random.default_rng(0)
    assert used.keys() == slopes.keys()
    for name in used:
        weights, slope = used[name].detach().view(-1), slopes[name].view(-1)
        for at in {int(generator.integers(len(weights))), int(slope.abs().argmax())}:
            old = weights[at].item()
            values = []
            for side in (step, -step):
                with torch.no_grad():
                    weights[at] = old + side
                values.append(whole_loss(embed, GIVEN, score))
            with torch.no_grad():
                weights[at] = old
            assert slope[at].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-2, abs=near)


@pytest.mark.parametrize("score", WEIGHTS)
def test_a_contribution_is_what_the_loss_loses_without_the_weight(folders, score):
    """loss(θ with θ_i = 0) - loss ≈ -θ_i g_i, where θ_i is small."""
    model, embed = opened(folders["bert"])
    model.double()
    name, parameter = next((n, p) for n, p in used_matrices(model, embed).items() if "layer.1" in n)
    weights = parameter.detach().view(-1)
    with torch.no_grad():
        weights[:64] *= 0.01
    found = contributions(model, embed, score, GIVEN, batches=1, seed=0)[name].view(-1)[:64]
    before = whole_loss(embed, GIVEN, score)
    change = []
    for at in range(64):
        old = weights[at].item()
        with torch.no_grad():
            weights[at] = 0
        change.append(abs(whole_loss(embed, GIVEN, score) - before))
        with torch.no_grad():
            weights[at] = old
    assert np.allclose(found.numpy(), change, rtol=0.05, atol=0.01 * max(change))
    assert max(change) > 0


def test_a_text_is_its_own_pair_under_another_dropout(folders):
    model, embed = opened(folders["bert"])
    assert has_dropout(model, embed)
    seen = []

    def heard(texts):
        vectors = embed(texts)
        seen.append((tuple(texts), model.training, vectors.detach()))
        return vectors

    used = used_matrices(model, embed)
    gradient(model, heard, used, "alignment", FEW, batches=1, seed=0)
    seen = seen[2:]  # without those that look whether there is dropout
    half = len(seen) // 2  # first all rows, then each group again, with its gradient
    assert all(training for _, training, _ in seen) and not model.training
    assert sorted(text for texts, _, _ in seen[:half] for text in texts) == sorted(2 * FEW.first)
    for once, again in zip(seen[:half], seen[half:], strict=True):
        assert once[0] == again[0] and torch.equal(once[2], again[2])  # the same dropout
    sides = seen[: half // 2], seen[half // 2 : half]
    assert any(not torch.equal(a[2], b[2]) for a, b in zip(*sides, strict=True))  # and another one on the other side


def test_without_dropout_paraphrases_are_the_pairs(folders):
    model, embed = opened(folders["qwen2"])
    assert not has_dropout(model, embed)
    seen = set()

    def heard(texts):
        seen.update(texts)
        return embed(texts)

    gradient(model, heard, used_matrices(model, embed), "alignment", FEW, batches=1, seed=0)
    assert seen == {*FEW.first, *FEW.second}


def test_a_dropout_that_no_vector_passes_makes_no_pairs(folders):
    model, embed = opened(folders["qwen2"])
    model[0].beside = torch.nn.Dropout(0.5)
    assert not has_dropout(model, embed) and not model.training


def test_groups_of_texts_change_nothing_but_rounding(folders, monkeypatch):
    model, embed = opened(folders["bert"])
    found = []
    for characters in (10, 10**6):
        monkeypatch.setattr(module, "CHARACTERS", characters)
        found.append(contributions(model, embed, "alignment_uniformity", GIVEN, 1, 0))
    for name in found[0]:
        assert torch.allclose(found[0][name], found[1][name], rtol=1e-3, atol=1e-7)


def test_batches_are_averaged(folders):
    model, embed = opened(folders["bert"])
    used = used_matrices(model, embed)
    pairs = Pairs(builtin_pairs().first[: 2 * BATCH], builtin_pairs().second[: 2 * BATCH], from_file=True)
    both = gradient(model, embed, used, "alignment", pairs, batches=2, seed=5)
    parts = [Pairs(tuple(a), tuple(b), from_file=True) for a, b in pairs.batches(2, 5)]
    assert [len(part) for part in parts] == [BATCH, BATCH] and not set(parts[0].first) & set(parts[1].first)
    single = [gradient(model, embed, used, "alignment", part, batches=1, seed=0) for part in parts]
    for name in used:
        assert torch.allclose(both[name], (single[0][name] + single[1][name]) / 2, rtol=1e-3, atol=1e-6)


def test_what_it_leaves_behind(folders):
    """The model as it was: weights, mode, gradients; and torch's own random numbers go on as before."""
    model, embed = opened(folders["bert"])
    for parameter in list(model.parameters())[::2]:
        parameter.requires_grad_(False)
    before = {name: (one.detach().clone(), one.requires_grad) for name, one in model.named_parameters()}
    torch.manual_seed(4)
    wanted = torch.rand(3)
    torch.manual_seed(4)
    one = contributions(model, embed, "alignment_uniformity", FEW, 1, 0)
    assert torch.equal(torch.rand(3), wanted)
    assert not model.training and all(parameter.grad is None for parameter in model.parameters())
    assert all(
        torch.equal(one, before[name][0]) and one.requires_grad == before[name][1]
        for name, one in model.named_parameters()
    )
    again = contributions(model, embed, "alignment_uniformity", FEW, 1, 0)
    assert all(torch.equal(one[name], again[name]) for name in one)
    other = contributions(model, embed, "alignment_uniformity", FEW, 1, 1)  # another dropout
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", ["bert", "dense", "t5", "qwen2", "mpnet", "electra"])
def test_only_matrices_of_layers_count(folders, kind):
    model, embed = opened(folders[kind])
    used = used_matrices(model, embed)
    assert all(parameter.dim() == 2 for parameter in used.values())
    assert not any(word in name for name in used for word in ("embeddings.", "embed_tokens", "shared", "Norm", "bias"))
    assert not any("pooler" in name for name in used)  # nobody reads it
    assert any("linear" in name for name in used) == (kind in ("dense", "t5"))  # the Dense module


def test_layers_above_the_one_that_is_read_do_not_count(folders):
    model, embed = opened(folders["bert"], layer=1, pooling="mean")
    names = used_matrices(model, embed)
    assert names and all("layer.0" in name for name in names)
    assert any("layer.1" in name for name in weight_matrices(model))


def test_an_encoder_without_layers_is_its_own_fault(folders):
    for values in ({}, {"layer": 0, "pooling": "mean"}):
        model, embed = opened(folders["static" if not values else "bert"], **values)
        with pytest.raises(EncoderError, match="no weight matrix of a layer"):
            contributions(model, embed, "random", FEW, 1, 0)


def test_baselines(folders):
    model, embed = opened(folders["bert"])
    named = dict(model.named_parameters())
    sizes = contributions(model, embed, "magnitude", FEW, 1, 0)
    assert all(torch.equal(one, named[name].detach().abs()) for name, one in sizes.items())
    first, same, other = (contributions(model, embed, "random", FEW, 1, seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_nan_is_the_encoders_own_fault(folders):
    model, embed = opened(folders["bert"])
    with torch.no_grad():
        next(iter(used_matrices(model, embed).values())).view(-1)[0] = float("nan")
    with pytest.raises(EncoderError, match="NaN or Inf"):
        contributions(model, embed, "alignment", FEW, 1, 0)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_summed_in_float32(folders, dtype):
    model, embed = opened(folders["bert"], dtype=dtype)
    found = contributions(model, embed, "alignment_uniformity", GIVEN, 1, 0)
    whole, own = opened(folders["bert"])
    wanted = contributions(whole, own, "alignment_uniformity", GIVEN, 1, 0)
    for name in found:
        assert found[name].dtype == torch.float32
    flat = [torch.cat([one.view(-1) for one in each.values()]) for each in (found, wanted)]
    assert torch.corrcoef(torch.stack(flat))[0, 1] > 0.9


@pytest.mark.parametrize("kind", ["dropout", "residual", "token-dense", "layers", "router", "lstm"])
def test_every_pipeline_has_contributions(kind, tmp_path):
    model, embed = opened(make_pipeline(kind, tmp_path / kind))
    found = contributions(model, embed, "alignment_uniformity", FEW, 1, 0)
    assert found and all(torch.isfinite(one).all() for one in found.values())
    assert any(one.any() for one in found.values())
