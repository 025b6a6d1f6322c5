"""One sweep over every source of encoders: one map, the odd ones as named reasons, killed and resumed to the byte; and
what a list like MTEB's registry gives with and without what an entry may state."""

import json
from collections import Counter

import numpy as np
import pytest

from jobs.config import load_config
from jobs.planning.resolve import resolve
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.word_vectors import words_in
from qre.sentences import builtin_set
from qre.store import Store
from tests.adapters import make_adapter
from tests.checkpoints import make
from tests.endpoint_server import KEY, MODEL, Behind, serving
from tests.faults.in_process import HASHED, PATIENCE, until
from tests.faults.kill_sweep import Sweep
from tests.jobs.conftest import write_config
from tests.pickles import MARKER, evil, pickle_weights, with_safetensors
from tests.plain import make_plain

SENTENCES = 96
VARIABLE = "QRE_TEST_ENDPOINT_KEY"
ODD = {"odd/unsafe": "unsafe pickle", "odd/gated": "gated", "odd/closed": "missing", "odd/ia3": "adapter"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders by name."""
    root = tmp_path_factory.mktemp("made")
    folders = {name: make("dense", root / name, seed=seed) for seed, name in enumerate(("safe", "pickle", "pull"))}
    folders["pulled"] = make("dense", root / "pulled", seed=2)
    for name in ("pickle", "pull"):
        for module in ("", "2_Dense"):
            pickle_weights(folders[name] / module)
    folders["both"] = with_safetensors(folders["pull"], folders["pulled"], root / "both")
    folders["unsafe"] = make("bert", root / "unsafe")
    (folders["unsafe"] / "model.safetensors").unlink()
    (folders["unsafe"] / "pytorch_model.bin").write_bytes(evil("zip", root))
    folders |= {kind: make_plain(kind, root / kind) for kind in ("bert", "roberta", "llama")}
    folders["base"] = make("bert", root / "base", seed=7)
    folders["adapter"] = make_adapter(folders["base"], root / "adapter", names="org/base")
    folders["static"] = make("static", root / "static")
    vectors = np.random.default_rng(0).normal(size=(SENTENCES, 24)).astype(np.float32)
    np.save(root / "vectors.npy", vectors)
    words = words_in(builtin_set(SENTENCES, 0).texts, False)
    numbers = np.random.default_rng(1).normal(size=(len(words), 12))
    rows = (" ".join([word, *map(str, row)]) for word, row in zip(words, numbers, strict=True))
    (root / "words.vec").write_text("\n".join(rows))
    return {**folders, "vectors": root / "vectors.npy", "words": root / "words.vec", "root": root}


def populate(hub, made) -> None:
    for name in ("safe", "pickle", "pull", "bert", "base", "adapter"):
        hub.add(f"org/{name}", folder=made[name])
    hub.propose("org/pull", folder=made["both"])
    hub.add("odd/unsafe", folder=made["unsafe"])
    hub.add("odd/gated", folder=made["safe"], gated="manual")
    ia3 = json.loads((made["adapter"] / "adapter_config.json").read_text()) | {"peft_type": "IA3"}
    files = {path.name: path.read_bytes() for path in made["adapter"].iterdir() if path.is_file()}
    hub.add("odd/ia3", files={**files, "adapter_config.json": json.dumps(ia3).encode()})


def entries(made, server) -> list[dict]:
    of_hub = [{"source": "hub", "id": f"org/{name}"} for name in ("safe", "adapter")]
    return [
        HASHED,
        *of_hub,
        {"source": "hub", "id": "org/pickle", "pickled_weights": True},
        {"source": "hub", "id": "org/pull", "conversions": "accept"},
        {"source": "hub", "id": "org/bert", "pooling": "cls"},
        {"source": "folder", "path": str(made["llama"]), "pooling": "lasttoken"},
        {"source": "folder", "path": str(made["static"])},
        {"source": "folder", "path": str(made["static"]), "truncate_dim": 16},
        {"source": "folder", "path": str(made["base"]), "transforms": ["whiten:8", "int8"]},
        {"source": "matrix", "path": str(made["vectors"]), "attributes": {"licence": "proprietary"}},
        {"source": "words", "path": str(made["words"])},
        {
            "source": "endpoint",
            "url": server.url,
            "model": MODEL,
            "as_of": "2026-11-01",
            "api_key_env": VARIABLE,
            "texts_per_request": 8,
        },
        *({"source": "hub", "id": name, "pickled_weights": True} for name in ODD),
    ]


@pytest.mark.cluster
def test_every_source_is_on_one_map_that_a_kill_does_not_change(hub, made, tmp_path):
    populate(hub, made)
    with serving(Behind(made["safe"]), key=KEY) as server:

        def sweep(name: str) -> Sweep:
            environment = {**hub.environment(tmp_path / name / "home"), VARIABLE: KEY}
            settings = {"cpus": 2, "shard_units": 4, "max_failed": len(ODD)}
            return Sweep(tmp_path / name, entries(made, server), SENTENCES, 16, settings, environment=environment)

        undisturbed = sweep("undisturbed")
        assert undisturbed.start().wait(PATIENCE) == 0, undisturbed.log()
        texts = dict(server.answered)
        assert set(texts.values()) == {1}
        server.answered.clear()
        server.probes = server.done = 0

        killed = sweep("killed")
        for answered in (2, 5, 8):  # of 12 requests, of which 4 are in flight: when all are held, the others are kept
            server.hold_after, server.held = answered, 0
            process = killed.start()
            until(lambda process=process: server.held == 4 or process.poll() is not None, "no requests in flight")
            assert process.poll() is None, killed.log()
            before = killed.finished()
            killed.kill()
            process.wait()
            server.hold_after = None
            assert before.items() <= killed.finished().items()
        assert killed.start().wait(PATIENCE) == 0, killed.log()
        assert dict(server.answered) == texts
    for one in (undisturbed, killed):
        store = Store(one.store)
        assert {failure.encoder: failure.exception for failure in store.failures.read_all().values()} == ODD
    assert killed.atlas() == undisturbed.atlas()
    assert not list(tmp_path.rglob(MARKER)) and not list(made["root"].rglob(MARKER))
    check_vectors(Store(killed.store), made)


def check_vectors(store: Store, made) -> None:
    """What came of a pickle, of a pull request and from behind the endpoint is what their safetensors give."""
    from qre.encoders.folders import folder_revision
    from qre.encoders.spec import FolderSpec

    sentences = list(builtin_set(SENTENCES, 0).texts)
    found = [store.embeddings.read(key) for key in store.embeddings.keys()]
    vectors = {told["spec"]["name"]: matrix for matrix, told in found}
    assert len(vectors) == 6 + 12
    whole = {"org/pickle": make("dense", made["root"] / "again", seed=1), "org/pull": made["pulled"]}
    for name, folder in {**whole, MODEL: made["safe"], "org/safe": made["safe"]}.items():
        spec = FolderSpec(name="x", family="x", path=str(folder), revision=folder_revision(folder))
        own = Pass(spec, sentences, [()], EncodeSettings(), device="cpu").encode_texts(sentences)["default"]
        assert np.abs(vectors[name] - own).max() < 1e-6, name
    assert vectors["base/whiten:8/int8"].shape == (SENTENCES, 8)
    assert np.array_equal(vectors["vectors"], np.load(made["vectors"]))


# of 877 text models in MTEB's registry of 2026: what they are, of 60
REGISTRY = {
    "safetensors": 26,
    "code": 4,
    "pickle": 5,
    "pull": 2,
    "plain": 14,
    "plain pickle": 4,
    "adapter": 1,
    "closed": 4,
}


def of_registry(hub, made) -> list[dict]:
    """60 repositories like those that the registry names, and their entries."""
    code = {"config.json": json.dumps({"model_type": "x", "auto_map": {"AutoModel": "own.Model"}}).encode()}
    files = [path for path in made["safe"].rglob("*") if path.is_file()]
    modules = {path.relative_to(made["safe"]).as_posix(): path.read_bytes() for path in files}
    hub.add("org/base", folder=made["base"])
    found = []
    for kind, count in REGISTRY.items():
        for number in range(count):
            name = f"{kind.replace(' ', '-')}/e{number}"
            found.append({"source": "hub", "id": name})
            if kind == "closed":
                continue
            if kind == "code":
                hub.add(name, files={**modules, **code, "own.py": b"raise SystemExit"})
            elif kind == "plain pickle":
                files = {path.name: path.read_bytes() for path in made["bert"].iterdir() if path.is_file()}
                files["pytorch_model.bin"] = files.pop("model.safetensors")
                hub.add(name, files=files)
            else:
                folder = {"safetensors": "safe", "plain": "bert"}.get(kind, kind)
                hub.add(name, folder=made[folder])
            if kind == "pull":
                hub.propose(name, folder=made["both"])
    return found


def test_of_sixty_like_the_registrys_these_can_be_had(hub, made, monkeypatch, tmp_path):
    hub.adopt(monkeypatch, tmp_path / "home")
    entries = of_registry(hub, made)
    assert len(entries) == 60
    (tmp_path / "list.yaml").write_text(json.dumps(entries))
    listed = {"source": "list", "path": str(tmp_path / "list.yaml")}

    def reasons(**stated) -> Counter:
        config = load_config(write_config(tmp_path, [{**listed, **stated}]))
        found = resolve(config, Store(config.store))
        return Counter({"": len(found.specs)}) + Counter(failure.exception for failure in found.unresolved)

    before = {"": 27, "pickle only": 11, "no pooling": 14, "remote code": 4, "missing": 4}
    assert reasons() == before
    assert reasons(plain={"pooling": "mean"}) == {"": 41, "pickle only": 11, "remote code": 4, "missing": 4}
    accepted = reasons(plain={"pooling": "mean"}, conversions="accept")
    assert accepted == {"": 43, "pickle only": 9, "remote code": 4, "missing": 4}
    all_stated = reasons(plain={"pooling": "mean"}, conversions="accept", pickled_weights=True)
    assert all_stated == {"": 52, "remote code": 4, "missing": 4}
