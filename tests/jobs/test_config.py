"""Config files: what is wrong is said in one line with its place."""

import pytest

from jobs.config import load_config, load_list
from qre.errors import UserError

GOOD = """name: mine
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


WRONG = [  # what stands in the good config, what in its place, and the one line on it
    ("layer: 1", "layr: 1", "5: encoders[1].layr: unknown key; did you mean 'layer'?"),
    ("rank: 10", "rank: 1", "6: encoders[2].rank: give a number of at least 2 (given: 1)"),
    ("rank: 10", "rank: many", "6: encoders[2].rank: give a whole number (given: 'many')"),
    ("rank: 10", "rank: 10, ngrams: [1]", "6: encoders[2].ngrams[1]: missing: the list is too short"),
    ("name: mine", "nome: mine", "1: nome: unknown key; did you mean 'name'?"),
    (
        "name: mine",
        "name: ../up",
        "1: name: use a-z, 0-9, '.', '_' and '-', at most 64 characters, the first one a letter or digit (given: "
        "'../up')",
    ),
    ("store: store", "", " store: missing"),
    ("store: store", "store: true", "2: store: give text (given: true); put quotes around it"),
    ("store: store", "store: store\n1: 4", "3: 1: a key is text: put quotes around it"),
    ("store: store", "store: store\nstore: other", "3: store: given twice, first on line 2; leave one out"),
    ("store: store", "store: store\nbudget: 3", "3: budget: unknown key; it belongs in cluster: {budget: ...}"),
    (
        "name: classical",
        "name: classic",
        "4: encoders[0].name: no catalogue 'classic'; there are classical, minilm, wordllama, demo, public; did "
        "you mean 'classical'?",
    ),
    ('["lsa/*"]', "[]", "4: encoders[0].include: is empty: give at least one"),
    ('["lsa/*"]', "lsa/*", "4: encoders[0].include: give a list, [...] (given: 'lsa/*'); write ['lsa/*']"),
    ('["lsa/*"]', "[1]", "4: encoders[0].include[0]: give text (given: 1); put quotes around it"),
    ('["lsa/*"]', "", "4: encoders[0].include: nothing is given: give a list, [...], or leave the key out"),
    (
        '{source: catalogue, name: classical, include: ["lsa/*"]}',
        "demo",
        "4: encoders[0]: give a mapping, key: value (given: 'demo'); write {source: catalogue, name: demo}",
    ),
    (
        "source: folder",
        "source: foldr",
        "5: encoders[1].source: no source 'foldr'; give 'catalogue', 'endpoint', 'folder', 'hub', 'list', 'matrix', "
        "'words' or "
        "'classical'; did you mean 'folder'?",
    ),
    (
        "source: folder, ",
        "",
        "5: encoders[1].source: missing; give 'catalogue', 'endpoint', 'folder', 'hub', 'list', 'matrix', 'words' or "
        "'classical'",
    ),
    ("source: folder", "sorce: folder", "5: encoders[1].sorce: unknown key; did you mean 'source'?"),
    (
        "pooling: cls",
        "pooling: Mean",
        "5: encoders[1].pooling: give 'cls', 'mean', 'max', 'weightedmean' or 'lasttoken' (given: 'Mean'); did you "
        "mean 'mean'?",
    ),
    (
        "[whiten]",
        "[whitn]",
        "5: encoders[1].transforms: unknown transform 'whitn'; known: truncate:K, center, standardize, whiten, "
        "whiten:K, all_but_the_top:K, normalize, int8, binary; did you mean 'whiten'?",
    ),
    ("pooling: cls, ", "", "5: encoders[1]: a layer needs a pooling"),
    ("store: store", "store: store\nfeatures: {epsilon: 2}", "3: features.epsilon: give a number below 1 (given: 2)"),
    (
        "store: store",
        "store: store\nfeatures: {espilon: 0.1}",
        "3: features.espilon: unknown key; did you mean 'epsilon'?",
    ),
    ("store: store", "store: store\nsentences: {source: file, column: text}", "3: sentences.path: missing"),
    (
        "store: store",
        "store: store\nsentences: {source: file, pth: x}",
        "3: sentences.pth: unknown key; did you mean 'path'?",
    ),
    (
        "store: store",
        "store: store\nsentences: {source: file, file: x}",
        "3: sentences.file: unknown key; did you mean 'path', which is missing?",
    ),
    (
        "store: store",
        "store: store\ntasks: builtin",
        "3: tasks: give a list, [...] (given: 'builtin'); write [{source: builtin}]",
    ),
    (
        "store: store",
        "store: store\ntasks: [{source: file, kind: stss, name: a, path: b}]",
        "3: tasks[0].kind: no kind 'stss'; give 'sts', 'pairs', 'classification', 'clustering', "
        "'retrieval', 'word_similarity', 'word_pairs' or 'analogies'; did you mean 'sts'?",
    ),
    (
        "store: store",
        "store: store\ntasks: [{source: builtin, include: [builtin/topicss]}]",
        "3: tasks[0].include: no built-in task matches 'builtin/topicss'; there are builtin/sts, builtin/sts-topic, "
        "builtin/paraphrases, builtin/topics, "
        "builtin/topic-clusters, builtin/retrieval; did you mean 'builtin/topics' or 'builtin/sts-topic'?",
    ),
    (
        "store: store",
        "store: store\ntasks: [{source: file, kind: sts, name: a, path: b, columns: {score: [1]}}]",
        "3: tasks[0].columns.score: give a whole number or text (given: a list of 1)",
    ),
    (
        "store: store",
        "store: store\ntasks: [{source: file, kind: sts, name: a, path: b, columns: {score: -1}}]",
        "3: tasks[0].columns.score: give a number of at least 0 (given: -1)",
    ),
    ("store: store", "store: store\non_end: {command: text}", "3: on_end.command: give a list, [...]"),
    ("store: store", "store: store\non_end: https://hooks.example/SECRET", "3: on_end: give a mapping, key: value"),
    (
        "store: store",
        "store: store\ncluster: {width: 24}",
        "3: cluster: width is called width_per_slot: it bounds each slot, not the whole sweep",
    ),
    (
        "store: store",
        "store: store\ncluster: {slots: [{cpu: 3}]}",
        "3: cluster.slots[0].cpu: unknown key; did you mean 'cpus'?",
    ),
    ("source: folder, path: /models/e", "source: hub", "5: encoders[1]: give id or query, one of them"),
    (
        "source: folder, path: /models/e",
        "source: hub, id: a/b, trust_remote_code: true",
        "5: encoders[1]: trust_remote_code runs code from the hub: it needs a 40-digit revision, so that it is the "
        "code you have read",
    ),
    (
        "source: folder, path: /models/e",
        "source: hub, query: {author: a}, plain: {pooling: avg}",
        "5: encoders[1].plain.pooling: give 'cls', 'mean', 'max', 'weightedmean' or 'lasttoken' (given: 'avg')",
    ),
    (
        "source: folder, path: /models/e",
        "source: hub, query: {author: a}, plain: {pooling: mean}",
        "5: encoders[1]: pooling is for all that the query finds, plain for those that need one: give one of them",
    ),
    (
        "source: folder, path: /models/e",
        "source: hub, id: a/b, plain: {pooling: mean}",
        "5: encoders[1]: plain is for the encoders of a query or a list: give pooling for this one",
    ),
    (
        "layer: 1",
        "plain: {pooling: mean}",
        "5: encoders[1]: plain is for the encoders of a query or a list: give pooling for this one",
    ),
    ("kind: lsa", "pooling: mean, kind: lsa", "6: encoders[2].pooling: unknown key; did you mean 'smoothing'?"),
    (
        "name: classical",
        "name: classical, plain: {pooling: mean}",
        "4: encoders[0]: plain is of the catalogue public; classical is built in",
    ),
    ("layer: 1", "prompt: a, prompt_name: b, layer: 1", "5: encoders[1]: give prompt or prompt_name, not both"),
    ("encoders:", "encoder:", "3: encoder: unknown key; did you mean 'encoders'?"),
]


@pytest.mark.parametrize(("old", "new", "line"), WRONG, ids=[line for *_, line in WRONG])
def test_what_is_wrong_is_one_line_of_ours(tmp_path, old, new, line):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}:{line}"


@pytest.mark.parametrize(
    ("new", "line"),
    [
        ("store: [", "4:3: not YAML: a { or [ that is not closed, or a comma that is missing"),
        ("store: 'x", "2:8: not YAML: a quote that is not closed"),
        (
            'store: "a\\qb"',
            "2:11: not YAML: a backslash in double quotes stands for another character: use single quotes",
        ),
        (
            "store: https://u:SECRET@h: x",
            "2:26: not YAML: a second ':' in one value: put quotes around a value with ': ' in it, or check the "
            "indentation",
        ),
        ("\tstore: a", "2:1: not YAML: a tab: YAML is indented with spaces"),
        ("store: @x", "2:8: not YAML: a value cannot begin with this character: put quotes around it"),
        ("store: *x", "2:8: not YAML: a value that begins with * or & is an alias of YAML: put quotes around it"),
        ("store", "3:1: not YAML: a key without its colon, or an indentation that does not fit: write key: value"),
        (
            "store: !!python/object/apply:os.system ['true']",
            "2:8: not YAML: a tag (!...) is not allowed: put quotes around a value that begins with !",
        ),
        ("store: {{x}}", "2:9: not YAML: a key that is a list or a mapping; a value that begins with {{ needs quotes"),
        ("store: x\n---\nname: y", "3:1: not YAML: a second document: leave out the --- before it"),
        ("store: a\x01b", "2: a character that YAML does not allow: '\\x01'; leave it out"),
        ("store: " + "[" * 3000, " lists or mappings that are nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_told_by_its_line(tmp_path, new, line):
    path = write(tmp_path, GOOD.replace("store: store", new, 1))
    with pytest.raises(UserError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}:{line}"


def test_all_mistakes_at_once(tmp_path):
    text = GOOD.replace("layer: 1", "layr: 1").replace("rank: 10", "rank: 1")
    with pytest.raises(UserError) as caught:
        load_config(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": is empty: a config needs name, store and encoders"),
        (b"# nothing\n", ": is empty: a config needs name, store and encoders"),
        (b"- a\n- b\n", ": a config is a mapping of keys to values, such as name: mine"),
        (b"just words", ": a config is a mapping of keys to values, such as name: mine"),
        (b"\x7fELF\0\0", ": is not text: a config is a text file in UTF-8"),
        (b"\xff\xfea\0", ": is UTF-16 text: save it as UTF-8"),
        (b"a: 1\nb: \xe9", ":2: is not UTF-8 text (byte 0xe9): save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_config(tmp_path, content, message):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}{message}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", r": is a folder; name a YAML file in it: c.yaml$"),
        ("d.yaml", r"d.yaml: there is no such file: .*/d.yaml; did you mean .*/c.yaml\?$"),
        ("c", r"did you mean .*/c.yaml\?$"),
        ("c.yml", r"did you mean .*/c.yaml\?$"),
        ("gone/c.yaml", r"there is no folder .*/gone$"),
    ],
)
def test_no_file(tmp_path, name, message):
    write(tmp_path, GOOD)
    with pytest.raises(UserError, match=message):
        load_config(tmp_path / name)


def test_lists_have_lines_too(tmp_path):
    (tmp_path / "l.csv").write_text("id,layer,pooling\na/b,,\nc/d,x,mean\n")
    (tmp_path / "wide.csv").write_text("id\na/b\nc/d,x\n")
    (tmp_path / "l.yaml").write_text("- {source: hub, id: a/b}\n- {source: hub, idd: c/d}\n")
    (tmp_path / "empty.yaml").write_text("[]\n")
    (tmp_path / "inner.yaml").write_text("- {source: hub, id: a/b}\n- {source: list, path: l.csv}\n")
    for name, message in {
        "l.csv": ":3: encoders[1].layer: give a whole number (given: 'x')",
        "wide.csv": ":3: more cells than the header has columns; put quotes around a cell with a comma in it",
        "l.yaml": ":2: encoders[1].idd: unknown key; did you mean 'id'?",
        "empty.yaml": ": holds no encoder",
        "inner.yaml": ":2: encoders[1]: a list names encoders, not further lists",
    }.items():
        with pytest.raises(UserError) as caught:
            load_list(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}{message}"


@pytest.mark.parametrize(
    "written",
    [
        "0123456",
        "0123456701234567012345670123456701234567",
        "1e10",
        "12e3456",
        "2024-01-01",
        "no",
        "on",
        "Yes",
        "1:30",
        "1_000",
        "0x1f",
        "=",
    ],
)
def test_text_is_what_was_written(tmp_path, written):
    config = load_config(
        write(
            tmp_path,
            f"name: t\nstore: store\nencoders:\n  - {{source: hub, id: a/b, revision: {written}, prompts: "
            f"{{{written}: {written}}}}}\n",
        )
    )
    assert (config.encoders[0].revision, config.encoders[0].prompts) == (written, {written: written})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("010", 10),
        ("64", 64),
        ("1:30", "give a whole number (given: '1:30')"),
        ("1e2", "give a whole number (given: '1e2')"),
        ("2024-01-01", "give a whole number (given: '2024-01-01')"),
    ],
)
def test_a_number_is_decimal_or_told(tmp_path, written, value):
    path = write(tmp_path, f"name: t\nstore: store\nencoders:\n  - {{source: hub, id: a/b, max_tokens: {written}}}\n")
    if isinstance(value, int):
        assert load_config(path).encoders[0].max_tokens == value
    else:
        with pytest.raises(UserError) as caught:
            load_config(path)
        assert str(caught.value) == f"{path}:4: encoders[0].max_tokens: {value}"


def test_a_number_where_text_is_asked_for_is_told(tmp_path):
    with pytest.raises(
        UserError, match=r":4: encoders\[0\].revision: give text \(given: 1234567\); put quotes around it$"
    ):
        load_config(
            write(tmp_path, "name: t\nstore: store\nencoders:\n  - {source: hub, id: a/b, revision: 1234567}\n")
        )
