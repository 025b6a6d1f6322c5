"""What many tests share: a small real encoder in a folder, and a few sentences."""

import os

# before numpy and torch: threads of the tests must not fight with those of the workers
os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess

import pytest

from qre.sentences import builtin_set

WORDS = (
    "the a one old new red cat dog boat farmer judge sings runs sees likes in at on under city river morning night ."
).split()


@pytest.fixture(scope="session")
def sentences():
    """200 built-in sentences."""
    return builtin_set(200)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """A randomly initialised BERT of 2 layers, saved by sentence-transformers itself: loaded through the real path, in
    no time."""
    path = tmp_path_factory.mktemp("encoders") / "tiny-bert"
    save_tiny_bert(path, seed=0)
    return path


@pytest.fixture(scope="session")
def finished_atlas(tmp_path_factory):
    """The folder of a finished atlas of 52 made encoders, with scores and predictions; nobody may write in it."""
    from tests.finished import finished

    return finished(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def bound_by_rights():
    """What stands before a command so that it keeps to the rights of files, which root does not; and `closed(folder)`,
    that takes the right to write away."""
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.geteuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("root keeps to the rights of files only where setpriv can take that power from it")
    changed = []

    def closed(folder):
        for path in [folder, *folder.rglob("*")]:
            if not path.is_symlink():
                changed.append((path, path.stat().st_mode))
                path.chmod(path.stat().st_mode & 0o555)

    yield prefix, closed
    for path, mode in reversed(changed):
        path.chmod(mode)


def save_tiny_bert(path, seed: int, layers: int = 2, **keywords) -> None:
    """Save a sentence-transformers folder with a random BERT (hidden size 32) of this seed."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    folder = path.parent / f"{path.name}-bert"
    folder.mkdir(parents=True)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789'-,?!"
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS,
        *sorted(set(letters) - set(WORDS)),
        *(f"##{c}" for c in letters),
    ]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    torch.manual_seed(seed)
    transformers.BertModel(config).save_pretrained(folder)
    body = Transformer(str(folder), max_seq_length=64)
    SentenceTransformer(modules=[body, Pooling(32, "mean"), Normalize()], device="cpu", **keywords).save(str(path))
