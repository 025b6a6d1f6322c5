"""What is known to fail before anything is loaded: the same as what does fail, and nothing else."""

import json

import numpy as np
import pytest
from transformers import AutoConfig

from qre.encoders.classical import MOST_COUNTED, CorpusRanks, check_dimensions, embed_classical, fit_classical
from qre.encoders.folders import folder_revision, folder_shape
from qre.encoders.foreseen import Foreseen, Foresight, TooFewSentences
from qre.encoders.kinds import Module
from qre.encoders.shape import is_static, shape_of
from qre.encoders.spec import ClassicalSpec, FolderSpec
from qre.encoders.transforms import apply_transforms
from qre.errors import EmbeddingError, EncoderError
from qre.features import FeatureMethod, feature_row
from tests.conftest import save_tiny_bert

ANALYSES = [{}, {"ngrams": (1, 2)}, {"analyzer": "char_wb", "ngrams": (3, 3)}, {"weighting": "count"}]


def classical(**values) -> ClassicalSpec:
    return ClassicalSpec(**{"name": "a", "family": "f", "kind": "lsa", "rank": 384, **values})


def folder(**values) -> FolderSpec:
    return FolderSpec(name="a", family="f", path="/nowhere", revision="0" * 64, **values)


@pytest.mark.parametrize("n", [2, 4, 12, 60, 200])
def test_the_rank_that_a_corpus_gives_is_known_without_a_fit(sentences, n):
    texts = sentences.texts[:n]
    ranks = CorpusRanks(texts)
    for values in ANALYSES:
        spec = classical(**values)
        assert ranks.largest(spec) == fit_classical(spec, texts).transform(texts[:1]).shape[1], values
    words = ranks.largest(classical(kind="sif", rank=1000))
    embed_classical(classical(kind="sif", rank=words), texts)
    with pytest.raises(EncoderError, match=rf"rank {words + 1} is more than these sentences give \({words}\)"):
        embed_classical(classical(kind="sif", rank=words + 1), texts)


def test_few_different_words_bound_the_rank_of_many_sentences():
    texts = [f"{a} {b} {c}" for a in "bdfgh" for b in "jklmn" for c in "pqrst"]
    assert (
        CorpusRanks(texts).largest(classical(rank=32))
        == 14
        == fit_classical(classical(rank=32), texts).transform(texts[:1]).shape[1]
    )
    assert CorpusRanks(texts).largest(classical(rank=14)) is None


def test_of_a_large_corpus_only_as_much_is_looked_at_as_it_takes():
    class Looked(list):
        looked = 0

        def __getitem__(self, key):
            part = super().__getitem__(key)
            Looked.looked += len(part) if isinstance(key, slice) else 1
            return part

    assert (
        CorpusRanks(Looked(["one word or another"] * 10 * MOST_COUNTED)).largest(classical()) is None
    )  # not all is seen, so nothing is claimed
    assert Looked.looked <= MOST_COUNTED


def test_smaller_truncations_are_read_off_what_a_corpus_gives(sentences):
    texts = sentences.texts[:60]
    fits, larger = classical(transforms=("truncate:32",)), classical(transforms=("truncate:64",))
    matrix = fit_classical(fits, texts).transform(texts)
    assert matrix.shape == (60, 59)
    assert np.array_equal(matrix, embed_classical(classical(rank=59), texts))
    check_dimensions(fits, matrix.shape[1])
    foresight = Foresight(texts)
    foresight.check(fits, {})
    for spec in (larger, classical(), classical(transforms=("whiten", "truncate:32"))):
        with pytest.raises(EncoderError, match=r"these sentences give \(59\)"):
            check_dimensions(spec, matrix.shape[1])
        with pytest.raises(
            TooFewSentences, match=r"\(59\); take more sentences: at least \d+, with as many different words"
        ):
            foresight.check(spec, {})


CHAINS = [
    ("center",),
    ("whiten",),
    ("all_but_the_top:1",),
    ("all_but_the_top:2",),
    ("truncate:1",),
    ("truncate:2", "center"),
    ("whiten", "truncate:4"),
    ("truncate:6", "all_but_the_top:5"),
    ("all_but_the_top:7",),
    ("all_but_the_top:8",),
    ("truncate:9",),
    ("normalize", "all_but_the_top:2"),
    ("all_but_the_top:1", "all_but_the_top:1"),
    ("truncate:5", "truncate:6"),
    ("whiten", "whiten"),
    ("whiten:1",),
    ("whiten:4",),
    ("whiten:9",),
    ("whiten:3", "truncate:4"),
    ("whiten", "whiten:3"),
    ("whiten:3", "center", "all_but_the_top:1"),
    ("standardize",),
    ("standardize", "all_but_the_top:2"),
    ("int8",),
    ("int8", "whiten:3"),
    ("center", "binary"),
    ("truncate:1", "binary"),
]


def usable(embedding: np.ndarray, transforms: tuple[str, ...]) -> bool:
    """Whether an embedding comes out of the transforms with directions that are more than rounding."""
    scale = np.linalg.norm(embedding)
    try:
        made = apply_transforms(embedding, transforms)
        feature_row(made, FeatureMethod())
    except (EncoderError, EmbeddingError):
        return False
    return np.linalg.norm(made) > 1e-3 * scale or any(one.startswith("whiten") for one in transforms)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 20])
@pytest.mark.parametrize(
    "transforms", [(), *CHAINS], ids=lambda chain: "-".join(chain) if isinstance(chain, tuple) else str(chain)
)
def test_transforms_are_refused_where_they_leave_nothing(n, transforms):
    embedding = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32) + 1
    foresight = Foresight([f"{i}" for i in range(n)])
    spec = folder(layer=1, pooling="mean", transforms=transforms)
    try:
        foresight.check(spec, {"layers": 2, "hidden_size": 8})
    except Foreseen:
        assert not usable(embedding, transforms)
    else:
        assert usable(embedding, transforms)


def test_layers_and_dimensions_that_an_encoder_does_not_have():
    foresight = Foresight(["a", "b", "c", "d", "e"])
    for layer in (0, 6):
        foresight.check(folder(layer=layer, pooling="mean"), {"layers": 6})
    with pytest.raises(
        Foreseen, match="layer 7 is asked for; this encoder has hidden states 0 to 6; give a layer from 0 to 6"
    ):
        foresight.check(folder(layer=7, pooling="mean"), {"layers": 6})
    with pytest.raises(
        Foreseen, match="truncate:512 is asked for, and its vectors have 384 dimensions; give at most 384"
    ):
        foresight.check(folder(transforms=("truncate:512",)), {"embedding_dimension": 384})
    foresight.check(folder(transforms=("truncate:384",)), {"embedding_dimension": 384})
    # nothing is known
    foresight.check(
        folder(layer=99, pooling="mean", transforms=("truncate:512",)), {"layers": None, "hidden_size": "of a stranger"}
    )


def test_the_dimension_of_what_comes_out():
    foresight = Foresight([f"{i}" for i in range(100)])
    assert foresight.check(folder(transforms=("truncate:64", "all_but_the_top:1")), {"embedding_dimension": 384}) == 64
    assert foresight.check(folder(transforms=("whiten",)), {"embedding_dimension": 384}) == 99
    assert foresight.check(classical(kind="hashed", weighting="count", rank=20), {}) == 20
    assert foresight.check(folder(), {}) is None


TRANSFORMER = Module("sentence_transformers.models.Transformer", "", "modules.json")


@pytest.mark.parametrize(
    "model_type",
    [
        "bert",
        "distilbert",
        "roberta",
        "mpnet",
        "modernbert",
        "t5",
        "mt5",
        "gpt2",
        "xlnet",
        "xlm",
        "bart",
        "albert",
        "electra",
        "qwen2",
    ],
)
def test_layers_and_dimensions_are_as_transformers_reads_them(model_type):
    config = AutoConfig.for_model(model_type)
    found = shape_of((TRANSFORMER,), {"config.json": json.loads(config.to_json_string(use_diff=False))})
    assert (found["layers"], found["hidden_size"]) == (config.num_hidden_layers, config.hidden_size)


def test_the_dimension_of_a_whole_pipeline():
    def dimension(*modules: tuple[str, dict]) -> int | None:
        listed = [
            Module(f"sentence_transformers.models.{name}", f"{place}_{name}", "modules.json")
            for place, (name, _) in enumerate(modules)
        ]
        return shape_of(
            listed, {f"{module.path}/config.json": config for module, (_, config) in zip(listed, modules, strict=True)}
        )["embedding_dimension"]

    body, mean = (
        ("Transformer", {"hidden_size": 768}),
        ("Pooling", {"word_embedding_dimension": 768, "pooling_mode_mean_tokens": True}),
    )
    assert dimension(body, mean, ("Normalize", {})) == 768
    assert dimension(body, ("Pooling", {**mean[1], "pooling_mode_max_tokens": True})) == 1536
    assert dimension(body, ("Pooling", {"embedding_dimension": 768, "pooling_mode": ["cls", "mean"]})) == 1536
    assert (
        dimension(
            body, ("Pooling", {"embedding_dimension": 768, "pooling_mode": "cls"}), ("Dense", {"out_features": 512})
        )
        == 512
    )
    assert dimension(("StaticEmbedding", {}), ("Normalize", {})) is None
    assert (
        is_static({"modules": "StaticEmbedding+Normalize"})
        and not is_static({"modules": "Transformer+Pooling"})
        and not is_static({})
    )


def test_a_folder_tells_its_shape_as_it_is_loaded(tmp_path):
    from sentence_transformers import SentenceTransformer

    from qre.encoders.transformer import model_attributes

    save_tiny_bert(tmp_path / "a", seed=0, layers=3)
    loaded, found = (
        model_attributes(SentenceTransformer(str(tmp_path / "a"), device="cpu")),
        folder_shape(tmp_path / "a"),
    )
    assert found == {name: loaded[name] for name in found} and found["layers"] == 3


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda content: content[:100], "its header cannot be read"),
        (lambda content: content[:-1], "its header says"),
        (lambda content: b"", "its header cannot be read"),
        (lambda content: b"not weights" * 100, "its header cannot be read"),
        (lambda content: content + b"x", "its header says"),
    ],
)
def test_weights_that_are_cut_off_are_found_before_they_are_loaded(tmp_path, harm, message):
    save_tiny_bert(tmp_path / "a", seed=0)
    weights = tmp_path / "a" / "model.safetensors"
    (tmp_path / "a" / "old.safetensors").write_bytes(b"debris")
    folder_revision(tmp_path / "a")
    weights.write_bytes(harm(weights.read_bytes()))
    with pytest.raises(
        EncoderError, match=rf"broken weights \(model.safetensors: .*{message}.*\); fetch or copy the files again"
    ):
        folder_revision(tmp_path / "a")
