"""Which weights are zero: exactly as many as were asked for, and the right ones."""

import numpy as np
import pytest
import torch

from qre.encoders.variants import BUILTIN_PAIRS
from qre.errors import UserError
from qre.sparsify import masks as module
from qre.sparsify.corpus import Pairs, builtin_pairs, read_pairs
from qre.sparsify.masks import Mask, least

SHARES = (0.0, 1e-9, 0.05, 0.1, 1 / 3, 0.5, 0.999, 0.999999)


def unpacked(mask: Mask) -> dict[str, np.ndarray]:
    return {
        name: np.unpackbits(bits, count=int(np.prod(mask.shapes[name]))).astype(bool).reshape(mask.shapes[name])
        for name, bits in mask.bits.items()
    }


@pytest.fixture
def found() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    made = {
        "a": torch.rand(13, 7),
        "b": torch.rand(5, 3) * 1e-3,
        "c": torch.rand(1, 1),
        "d": torch.rand(2, 3, 4) * 1e30,
    }
    made["a"][:4] = 0.25  # ties
    made["b"][0] = 0
    made["b"][1, 0] = 1e-42  # subnormal
    return made


@pytest.mark.parametrize("piece", [1, 10, 2**22])
@pytest.mark.parametrize("share", SHARES)
def test_a_global_share_is_exact_and_the_least(found, share, piece, monkeypatch):
    monkeypatch.setattr(module, "PIECE", piece)
    mask = least(found, share, "global")
    total = sum(one.numel() for one in found.values())
    assert (mask.of, mask.zeros) == (total, round(share * total))
    flat = np.concatenate([one.view(-1).numpy() for one in found.values()])
    wanted = np.zeros(total, bool)
    wanted[np.argsort(flat, kind="stable")[: round(share * total)]] = True  # of equals the first
    assert np.array_equal(np.concatenate([one.ravel() for one in unpacked(mask).values()]), wanted)


@pytest.mark.parametrize("share", SHARES)
def test_a_share_of_each_layer_is_exact(found, share):
    mask = unpacked(least(found, share, "layer"))
    for name, one in found.items():
        assert mask[name].sum() == round(share * one.numel())
        if 0 < mask[name].sum() < one.numel():
            zero = torch.from_numpy(mask[name])
            assert one[zero].max() <= one[~zero].min()


def test_scopes_differ(found):
    whole, each = unpacked(least(found, 0.5, "global")), unpacked(least(found, 0.5, "layer"))
    assert whole["b"].all() and not whole["d"].any()
    assert 0 < each["b"].sum() < each["b"].size and each["d"].any()


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_larger_share_holds_the_smaller(found, scope):
    made = [unpacked(least(found, share, scope)) for share in sorted(SHARES)]
    for smaller, larger in zip(made, made[1:]):
        assert all((larger[name] | ~smaller[name]).all() for name in found)


def test_applied_to_a_model():
    model = torch.nn.Sequential(torch.nn.Linear(6, 3), torch.nn.Linear(3, 2))
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    weights = {name: one.detach().abs() for name, one in model.named_parameters() if "weight" in name}
    mask = least(weights, 0.5, "global")
    assert mask.fits(model)
    mask.apply(model)
    zero = unpacked(mask)
    for name, one in model.named_parameters():
        if name in zero:
            assert (one == 0).numpy()[zero[name]].all()
            assert torch.equal(one[~torch.from_numpy(zero[name])], before[name][~torch.from_numpy(zero[name])])
        else:
            assert torch.equal(one, before[name])
    assert not mask.fits(torch.nn.Linear(6, 3)) and not mask.fits(torch.nn.Sequential(torch.nn.Linear(5, 3)))


def test_nothing_is_touched_at_share_0():
    model = torch.nn.Linear(6, 3)
    with torch.no_grad():
        model.weight[0, 0] = -0.0
    before = model.weight.detach().clone()
    least({"weight": model.weight.detach().abs()}, 0.0, "global").apply(model)
    assert np.array_equal(model.weight.detach().numpy().view(np.int32), before.numpy().view(np.int32))


def test_built_in_pairs_are_paraphrases_and_stay():
    pairs = builtin_pairs()
    assert len(pairs) > 1024 and not any(a == b for a, b in zip(pairs.first, pairs.second))
    assert len({*pairs.first, *pairs.second}) == 2 * len(pairs)
    assert pairs.fingerprint == BUILTIN_PAIRS  # it is in keys, and stays
    drawn = [pairs.batches(4, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(first) for first, _ in drawn[0]] == [256] * 4
    assert all(dict(zip(pairs.first, pairs.second))[a] == b for batch in drawn[2] for a, b in zip(*batch))


def test_pairs_from_a_file(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("sentence1,sentence2,more\na cat,the cat,1\na dog,the dog,2\n")
    pairs = read_pairs(str(path))
    assert (pairs.first, pairs.second, pairs.from_file) == (("a cat", "a dog"), ("the cat", "the dog"), True)
    assert Pairs.from_table(pairs.to_table()) == pairs
    assert Pairs.from_table(pairs.to_table()).fingerprint == pairs.fingerprint
    assert pairs.fingerprint != Pairs(pairs.first, pairs.second).fingerprint
    assert [len(first) for first, _ in pairs.batches(5, 0)] == [2]
    for text, why in (
        ("sentence1,sentence2\na,b\n", "at least 2 different pairs"),
        ("sentence1,sentence2\na,b\na,b\n", "at least 2 different pairs"),
        ("sentence1,sentence2\na,\nb,c\n", "empty sentence2"),
        ("sentence1,other\na,b\n", "sentence2"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=why):
            read_pairs(str(path))
    with pytest.raises(UserError, match="no such file"):
        read_pairs(str(tmp_path / "absent.csv"))
