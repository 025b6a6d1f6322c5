"""Config files: what is wrong is said in one line with its place."""

import pytest

from jobs.config import load_config
from qre.errors import UserError

GOOD = """
name: mine
store: store
encoders:
  - {source: catalogue, name: classical, include: ["lsa/*"]}
  - {source: folder, path: /models/e, layer: 1, pooling: cls, transforms: [whiten]}
  - {source: classical, name: x, family: y, kind: lsa, rank: 10}
"""


def write(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_a_good_config_with_its_defaults(tmp_path):
    config = load_config(write(tmp_path, GOOD))
    assert config.sentences.source == "builtin"
    assert config.features.epsilon == 1e-6
    assert config.cluster.attempts == 3
    assert config.encoders[1].transforms == ("whiten",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layer: 1", "layr: 1", r"encoders\[1\].layr: unknown key; did you mean layer\?"),
        ("rank: 10", "rank: 1", r"encoders\[2\].rank: .*greater than or equal to 2 \(given: 1\)"),
        ("rank: 10", "rank: many", r"encoders\[2\].rank: .*integer.*\(given: 'many'\)"),
        ("name: mine", "nome: mine", r"nome: unknown key; did you mean name\?"),
        ("name: mine", "name: ../up", r"name: .*\(given: '../up'\)"),
        ("store: store", "", "store: missing"),
        ("name: classical", "name: classic", r"encoders\[0\].name: no catalogue 'classic'; there are classical, minilm, wordllama, demo"),
        ("source: folder", "source: folders", r"encoders\[1\]: .*'folders'"),
        ("pooling: cls", "pooling: middle", r"encoders\[1\].pooling: .*'cls', 'mean'.*\(given: 'middle'\)"),
        ("transforms: [whiten]", "transforms: [bleach]", r"encoders\[1\].transforms: unknown transform 'bleach'"),
        ("pooling: cls, ", "", r"encoders\[1\]: a layer needs a pooling"),
        ("store: store", "store: store\nfeatures: {epsilon: 2}", r"features.epsilon: .*less than 1"),
        ("store: store", "store: store\nfeatures: {espilon: 0.1}", r"features.espilon: unknown key; did you mean epsilon\?"),
        ("store: store", "store: store\nsentences: {source: file, column: text}", "sentences.path: missing"),
        ("store: store", "store: store\nsentences: {source: file, path: x, colum: y}", r"sentences.colum: unknown key; did you mean column\?"),
        ("source: folder, path: /models/e", "source: hub", r"encoders\[1\]: give id or query, one of them"),
        ("source: folder, path: /models/e", "source: hub, id: a/b, trust_remote_code: true", r"encoders\[1\]: .*needs a 40-digit revision"),
        ("layer: 1", "prompt: a, prompt_name: b, layer: 1", r"encoders\[1\]: give prompt or prompt_name, not both"),
        ("store: store", "store: [", "not YAML"),
        ("encoders:", "encoder:", r"encoder: unknown key; did you mean encoders\?"),
        ("store: store", "store: store\ncluster: {width: 24}", "cluster: width is called width_per_slot: it bounds each slot, not the whole sweep"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(UserError, match=message):
        load_config(write(tmp_path, GOOD.replace(old, new, 1)))


def test_all_errors_at_once(tmp_path):
    text = GOOD.replace("layer: 1", "layr: 1").replace("rank: 10", "rank: 1")
    with pytest.raises(UserError) as caught:
        load_config(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) >= 2


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_not_a_mapping(tmp_path, text):
    with pytest.raises(UserError, match="a config is a mapping"):
        load_config(write(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


def test_yaml_makes_no_objects(tmp_path):
    with pytest.raises(UserError, match="not YAML"):
        load_config(write(tmp_path, "name: !!python/object/apply:os.system ['true']\n"))
