"""A config as a person writes it, YAML or CSV: its values, and the line that each stands on. What cannot be read is
said with its line, in our words."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from qre.errors import UserError
from qre.near_names import near_names

MOST_BYTES = 2**26  # of a config: what is larger is another file
YAML_ENDINGS = (".yaml", ".yml")

PROBLEMS = (  # what the YAML library says -> what to do
    (r"character '\\t'|tab character", "a tab: YAML is indented with spaces"),
    (
        r"mapping values are not allowed",
        "a second ':' in one value: put quotes around a value with ': ' in it, or check the indentation",
    ),
    (r"could not find expected ':'", "a key without its colon, or an indentation that does not fit: write key: value"),
    (r"escape", "a backslash in double quotes stands for another character: use single quotes"),
    (r"quoted scalar", "a quote that is not closed"),
    (
        r"undefined alias|scanning an alias|expected alphabetic or numeric character, but found",
        "a value that begins with * or & is an alias of YAML: put quotes around it",
    ),
    (r"tag", "a tag (!...) is not allowed: put quotes around a value that begins with !"),
    (r"character '(.)' that cannot start", "a value cannot begin with this character: put quotes around it"),
    (r"flow (mapping|sequence|node)|got '<stream end>'", "a { or [ that is not closed, or a comma that is missing"),
    (r"unhashable", "a key that is a list or a mapping; a value that begins with {{ needs quotes"),
    (r"single document", "a second document: leave out the --- before it"),
    (
        r"block end|block mapping|block collection|sequence entries are not allowed|block sequence",
        "an indentation that does not fit the lines above",
    ),
    (r"scanning a simple key", "a key without its colon: write key: value"),
    (r"merge", "what follows << is no mapping"),
)


class _Loader(yaml.SafeLoader):
    """YAML in which a plain value is what it looks like. YAML 1.1 takes no for false, 010 for 8, 1:30 for 90 and
    2024-01-01 for a date; here these are text, which becomes a number or true only where one is asked for. All that
    YAML 1.1 takes for text is text here too."""

    yaml_implicit_resolvers: dict = {}


for _tag, _form, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})$"), list(_first))


@dataclass(frozen=True)
class Written:
    """What a file holds.

    Attributes:
        path: as it was named, for messages.
        value: of the whole file.
        root: of a YAML file, its nodes.
        rows: of a CSV file, the line of each row.
    """

    path: Path
    value: Any
    root: yaml.Node | None = None
    rows: Sequence[int] = field(default=())

    def at(self, place: Sequence[str | int] = ()) -> str:
        """The file and the line of a place (keys and positions from the top); of a place that is not there, the line of
        what would hold it."""
        line = self._line(place)
        return str(self.path) if line is None else f"{self.path}:{line}"

    def _line(self, place: Sequence[str | int]) -> int | None:
        if self.rows:
            return self.rows[place[0]] if place and isinstance(place[0], int) and place[0] < len(self.rows) else None
        node, line = self.root, None
        for part in place:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
        return line


def read_written(path: str | Path) -> Written:
    """The content of a config or list, .csv or YAML; no objects are made of it.

    Raises:
        UserError: it is not there (with near names), a folder, no text, not YAML, or gives a key twice; each with its
            line.
    """
    path = Path(path)
    text = _text(path)
    return _csv(path, text) if path.suffix == ".csv" else _yaml(path, text)


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            inside = sorted(one.name for one in path.iterdir() if one.suffix in YAML_ENDINGS)
            raise UserError(
                f"{path}: is a folder; name a YAML file" + (f" in it: {', '.join(inside[:5])}" if inside else "")
            )
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file: {os.path.abspath(path)}{_near_files(path)}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a null byte in the name
        raise UserError(f"{ascii(str(path))}: {error}") from None
    if len(content) > MOST_BYTES:
        raise UserError(f"{path}: is larger than {MOST_BYTES // 2**20} MiB: not a config")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path}: is UTF-16 text: save it as UTF-8")
    if b"\0" in content:
        raise UserError(f"{path}: is not text: a config is a text file in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}:{line}: is not UTF-8 text (byte 0x{content[error.start]:02x}): save it as UTF-8"
        ) from None


def _near_files(path: Path) -> str:
    """ "; did you mean ...?" with files beside a missing one, or that its folder is missing."""
    folder = Path(os.path.abspath(path)).parent
    try:
        names = [one.name for one in folder.iterdir() if one.is_file() and one.suffix in (*YAML_ENDINGS, ".csv")]
    except OSError:
        return f"; there is no folder {folder}"
    stems = {Path(name).stem: name for name in names}
    near = (
        [stems[path.name]]
        if path.name in stems
        else near_names(path.name, names) or [stems[one] for one in near_names(path.stem, stems)]
    )
    return f"; did you mean {path.with_name(near[0])}?" if near else ""


def _yaml(path: Path, text: str) -> Written:
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise UserError(f"{path}: is empty: a config needs name, store and encoders")
        if twice := list(dict.fromkeys(_twice(root))):
            raise UserError(
                "\n".join(
                    f"{path}:{line}: {key}: given twice, first on line {first}; leave one out"
                    for line, key, first in twice
                )
            )
        if odd := [f"{path}:{line}: {key}: a key is text: put quotes around it" for line, key in _no_text(root)]:
            raise UserError("\n".join(odd))
        return Written(path, loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{path}{_marked(error)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position if isinstance(error.position, int) else 0) + 1
        raise UserError(
            f"{path}:{line}: a character that YAML does not allow: {ascii(chr(error.character))}; leave it out"
        ) from None
    except yaml.YAMLError:
        raise UserError(f"{path}: not YAML: check quotes, brackets and indentation") from None
    except RecursionError:
        raise UserError(f"{path}: lists or mappings that are nested too deeply") from None
    except (ValueError, OverflowError):  # of a number
        raise UserError(f"{path}{_impossible(root)}") from None


def _marked(error: yaml.MarkedYAMLError) -> str:
    """Where and what, without the line itself: an address in it may hold a token."""
    mark = error.problem_mark or error.context_mark
    told = f"{error.context or ''} {error.problem or ''}"
    words = next(
        (words for pattern, words in PROBLEMS if re.search(pattern, told)),
        "check quotes, brackets and indentation here",
    )
    if re.search("end of stream|stream end", told) and error.context_mark is not None:
        mark = error.context_mark  # where it begins: the end is the end of the file
    return (f":{mark.line + 1}:{mark.column + 1}" if mark is not None else "") + f": not YAML: {words}"


def _impossible(root: yaml.Node) -> str:
    """The line of a number that cannot be."""
    for node in _nodes(root):
        if isinstance(node, yaml.ScalarNode):
            try:
                _Loader("").construct_object(node)
            except (ValueError, OverflowError):
                return (
                    f":{node.start_mark.line + 1}: {node.value[:80]!r} looks like a number and is none: put quotes "
                    f"around it"
                )
            except yaml.YAMLError:
                continue
    return ": a number that cannot be"


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once, whatever aliases there are."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [one for pair in reversed(node.value) for one in reversed(pair)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)


def _twice(root: yaml.Node) -> Iterator[tuple[int, str, int]]:
    """(line, key, line of the first) of keys that a mapping gives again."""
    for node in _nodes(root):
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                line = key.start_mark.line + 1
                if (one := (key.tag, key.value)) in first:
                    yield line, key.value, first[one]
                first.setdefault(one, line)


def _no_text(root: yaml.Node) -> Iterator[tuple[int, str]]:
    """(line, key) of keys that YAML takes for a number, true or nothing."""
    for node in _nodes(root):
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if (
                isinstance(key, yaml.ScalarNode)
                and key.tag.startswith("tag:yaml.org,2002:")
                and key.tag.rpartition(":")[2] not in ("str", "merge")
            ):
                yield key.start_mark.line + 1, key.value or "(empty)"


def _csv(path: Path, text: str) -> Written:
    """Rows as entries of the hub (or of the source that a column names); empty cells are left out, transforms are
    separated by spaces."""
    entries, lines = [], []
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if None in row:
                raise UserError(
                    f"{path}:{reader.line_num}: more cells than the header has columns; put quotes around a cell with "
                    f"a comma in it"
                )
            entry = {key: value for key, value in row.items() if value}
            if "transforms" in entry:
                entry["transforms"] = entry["transforms"].split()
            entries.append({"source": "hub", **entry})
            lines.append(reader.line_num)
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num + 1}: not CSV: {error}") from None
    return Written(path, entries, rows=lines)
