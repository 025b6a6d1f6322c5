"""What is printed acts on no terminal: names of strangers in tables, plain prints, errors and above a bar; on a real
terminal too."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from jobs.terminal.console import console
from jobs.terminal.harmless import harmless
from qre.report.markdown import escaped, table_row
from tests.finished import TASKS, finished

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "e\x1b]0;title\x07\x1b[31mred\x9b2J\u202edesrever\u2066\r\x08 😀 [bold]m[/bold]"
SHOWN = r"e\x1b]0;title\x07\x1b[31mred\x9b2J\u202edesrever\u2066\r\x08 😀 [bold]m[/bold]"


def test_controls_are_escapes_and_all_else_stays():
    assert harmless(HOSTILE) == SHOWN
    kept = "naïve 名前 👩\u200d🔬 עברית\ttab\nline"
    assert harmless(kept) == kept
    assert harmless("\u2028\u061c\ud800") == r"\u2028\u061c\ud800"


def test_tables_and_lines_of_the_console_keep_their_width():
    from rich.markup import escape

    table = Table("name", "x")
    table.add_row(escape(HOSTILE), "1")
    with console.capture() as captured:
        console.print(table)
        console.print(Text("a\x1b[31mb"))
        console.print(HOSTILE, markup=False, highlight=False, soft_wrap=True)
    shown = captured.get()
    assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown
    lines = [line for line in shown.splitlines() if SHOWN in line]
    assert len(lines) == 2 and lines[1] == SHOWN and r"a\x1b[31mb" in shown
    assert len({cell_len(line) for line in shown.splitlines()[:5]}) == 1


def on_a_terminal(program: str) -> str:
    """All that a program has written to a real terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), HOSTILE.replace("\r", "\\r")],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "150", "PYTHONUTF8": "1"},
    )
    os.close(follower)
    told = b""
    try:
        while chunk := os.read(leader, 1 << 16):
            told += chunk
    except OSError:  # the terminal's other end is closed
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0, told
    return told.decode()


def assert_harmless(told: str) -> None:
    for sequence in ("\x1b]0;", "\x1b[31mred", "\x9b", "\u202e", "\u2066", "\x07", "\x08"):
        assert sequence not in told, ascii(told)


def test_plain_prints_and_errors_on_a_terminal():
    told = on_a_terminal(
        """
        import sys
        from jobs.terminal.console import console, say
        from jobs.terminal.harmless import make_output_harmless
        make_output_harmless()
        print(sys.argv[1])
        print(f"qre: {sys.argv[1]}", file=sys.stderr)
        sys.stderr.writelines([sys.argv[1] + "\\n"])
        say(sys.argv[1])
        console.print("[bold]ours[/bold]")
        """
    )
    assert_harmless(told)
    assert told.count(r"\u202edesrever") == 4 and "\x1b[1mours" in told  # our own styles still are


def test_what_is_printed_above_a_bar():
    told = on_a_terminal(
        """
        import sys
        from jobs.terminal.bar import Bar
        from jobs.terminal.console import console
        from jobs.terminal.harmless import make_output_harmless
        make_output_harmless()
        with Bar(console) as bar:
            bar.stage(sys.argv[1])
            bar.update("stage", 0.5, "1 min", sys.argv[1])
            print(sys.argv[1])
            print(sys.argv[1], file=sys.stderr)
            bar.say(sys.argv[1])
        print(sys.argv[1])
        """
    )
    assert_harmless(told)
    assert told.count(r"red\x9b2J") >= 4 and "\x1b[?25l" in told  # the bar hides the cursor


def test_an_error_of_the_command_itself(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text('name: t\nstore: s\nencoders: [{source: hub, id: "a\\u202e\\x9b31m"}]\n"ex\\u202eport": x\n')
    result = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "plan", str(config)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        timeout=120,
    )
    assert result.returncode == 2 and "\u202e" not in result.stderr and "\\u202e" in result.stderr, result.stderr


NAME = '=HYPERLINK("http://x","y")<img src=x onerror=alert(1)>|`a` [red]\u202e\x9b31m'  # a legal one


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A finished map whose first encoder has a hostile name."""
    return finished(tmp_path_factory.mktemp("hostile"), strange=NAME)


def qre(*words) -> str:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", *map(str, words)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        timeout=120,
        check=True,
    ).stdout.decode()


def test_tables_of_a_map_show_the_name_and_send_none_of_it(hostile):
    for words in (("rank", "--all", "--task", TASKS[0]), ("neighbours", NAME)):
        told = qre(*words, "--atlas", hostile)
        assert "\u202e" not in told and "\x9b" not in told
        assert "=HYPERLINK" in told and r"\u202e\x9b31m" in told.replace("\n", "")


def test_data_are_as_they_are(hostile):
    rows = csv.DictReader(
        io.StringIO(qre("rank", "--csv", "--all", "--task", TASKS[0], "--atlas", hostile), newline="")
    )
    assert f"'{NAME}" in [row["name"] for row in rows]
    found = json.loads(qre("rank", "--json", "--all", "--task", TASKS[0], "--atlas", hostile))
    assert NAME in [one["name"] for one in found["encoders"]]


def test_figures_and_the_report_hold_no_markup_of_a_name(hostile):
    for svg in (path.read_text() for path in hostile.glob("*.svg")):
        root = ElementTree.fromstring(svg)
        assert not [one.tag for one in root.iter() if one.tag.rpartition("}")[2] in ("script", "img", "foreignObject")]
        assert not [name for one in root.iter() for name in one.attrib if name.lower().startswith("on")]
        assert "<img" not in svg and "<script" not in svg and "\u202e" not in svg
    page = (hostile / "report.md").read_text()
    assert "<img" not in page and "\u202e" not in page and "\x9b" not in page


@pytest.mark.parametrize(
    ("name", "markdown"),
    [
        ("a|b", r"a\|b"),
        ("- item", r"\- item"),
        ("+ item", r"\+ item"),
        ("12. item", r"12\. item"),
        ("# title", r"\# title"),
        ("> quote", "&gt; quote"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("![x](javascript:y)", r"!\[x\](javascript:y)"),
        ("`a` *b* ~c~ $d$", r"\`a\` \*b\* \~c\~ \$d\$"),
        ("a\u202eb\nc\td", "a b c d"),
        ("-0.5", "-0.5"),
    ],
)
def test_a_name_stays_in_its_cell_and_line(name, markdown):
    assert escaped(name) == markdown
    assert table_row(name, "x") == f"| {markdown} | x |"
