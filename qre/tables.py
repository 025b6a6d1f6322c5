"""Rows of files that people bring: txt, csv, tsv, jsonl, json and parquet, each row with the line where it begins.

Endings count in any case, and a file may be packed by gzip, bz2 or xz. Text is UTF-8, or UTF-16 or UTF-32 with its byte
order mark. Lines end in \\n or \\r\\n, or in \\r alone where a file has no \\n at all. Whatever cannot be read is one
line that names file, line and fix.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qre.errors import UserError

ENDINGS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet", ".txt": "txt"}
PACKED = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ\x00": lzma.decompress}
PACKED_ENDINGS = (".gz", ".bz2", ".xz")
NOT_READ = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"PAR1": "a parquet file",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}


@dataclass(frozen=True)
class Wanted:
    """The columns that are taken from a file.

    Attributes:
        columns: field -> names of its column, the first that is there counts; or its position.
        key: what a person writes to choose another, with {field} for the field.
        optional: fields that a file may lack.
        alone: a file of one column needs no name for it.
    """

    columns: Mapping[str, tuple[str, ...] | int | None]
    key: str
    optional: frozenset[str] = field(default_factory=frozenset)
    alone: bool = False

    @property
    def by_position(self) -> bool:
        return any(isinstance(column, int) for column in self.columns.values())

    def known(self, place: str, names: list[str], separator: str = "") -> dict[str, str]:
        """field -> column, of those that the file has; UserError where a column is missing."""
        if hint := _other_separator(names, separator):
            raise UserError(f"{place}: {hint}")
        has, found = ", ".join(map(repr, names)) or "none", {}
        for one, columns in self.columns.items():
            if self.alone and columns is None and len(names) == 1:
                return {one: names[0]}
            if columns is None:
                raise UserError(
                    f"{place}: name the column that is meant with {self.key.format(field=one)}; it has {has}"
                )
            assert not isinstance(columns, int)  # else it is asked for at_positions
            column = next((column for column in columns if column in names), None)
            if column is not None and names.count(column) == 1:
                found[one] = column
            elif column is not None or one not in self.optional:
                problem = "no" if column is None else "more than one"
                raise UserError(
                    f"{place}: {problem} column {column or columns[0]!r}; it has {has}; say which one is meant: "
                    f"{self.key.format(field=one)}"
                )
        return found

    def at_positions(self, place: str, row: list, separator: str = "") -> dict[str, object]:
        """The values of a row without names."""
        places = {one: column for one, column in self.columns.items() if isinstance(column, int)}
        if len(row) <= max(places.values()):
            hint = _other_separator(row, separator) if all(isinstance(value, str) for value in row) else ""
            asked = f"{len(row)} fields, but a column at position {max(places.values())} (counted from 0) is asked for"
            raise UserError(f"{place}: {asked}{hint and '; '}{hint}")
        return {one: row[at] for one, at in places.items()}


class AllColumns(Wanted):
    """Every column of a file, under its own name; but those whose name stands in it more than once."""

    def __init__(self):
        super().__init__({}, "")

    def known(self, place: str, names: list[str], separator: str = "") -> dict[str, str]:
        if hint := _other_separator(names, separator):
            raise UserError(f"{place}: {hint}")
        return {name: name for name in names if names.count(name) == 1}


def _other_separator(header: list, separator: str) -> str:
    """What to say of a header that is one field and holds another separator; "" for any other header."""
    if not separator or len(header) != 1:
        return ""
    if header[0].casefold().startswith("sep="):
        return "the first line names a separator; remove it, and save the file with commas"
    for other, name in SEPARATORS.items():
        if other != separator and len([part for part in header[0].split(other) if part.strip()]) > 1:
            return (
                f"{header[0]!r} is one column, but seems separated by {name}, not by {SEPARATORS[separator]}; save it "
                f"that way" + (", or call it .tsv" if other == "\t" else ", or call it .csv" if other == "," else "")
            )
    return ""


def ending(path: str | Path) -> str:
    """The ending that tells the format: in small letters, without that of a packer."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    if suffixes and suffixes[-1] in PACKED_ENDINGS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def read_rows(path: str | Path, wanted: Wanted, format: str | None = None, key: str = "") -> Iterator[tuple[int, dict]]:
    """(line, field -> value) of every row; None where a row lacks a column. The line is a row number from 1 in json and
    parquet.

    Args:
        format: "csv", "tsv", "tsv-unquoted", "blanks", "jsonl", "json", "parquet" or "txt"; None: by the ending. tsv
            is read with quotes where all of it parses so.
        key: of a json file, under which its list stands.

    Raises:
        UserError: the file is missing, empty of what is asked for, of another format or encoding, or damaged; it names
            file and line.
    """
    return _ROWS[format or ENDINGS[ending(path)]](str(path), wanted, key)


def read_bytes(path: str | Path) -> bytes:
    """The content of a file, unpacked.

    Raises:
        UserError: no such file, a folder, not readable, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: a folder, not a file; name a file in it")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if raw.startswith(b"version https://git-lfs.github.com/spec/"):
        raise UserError(f"{path}: a pointer of Git LFS, not the file; fetch it with `git lfs pull`")
    for magic, unpack in PACKED.items():
        if raw.startswith(magic) and (unpack is not bz2.decompress or raw[4:10] == b"1AY&SY"):
            try:
                return unpack(raw)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise UserError(f"{path}: damaged or incomplete: {error}; fetch or pack it again") from None
    return raw


def read_text(path: str | Path) -> str:
    """The text of a file, lines ended by \\n.

    Raises:
        UserError: as read_bytes; or no text, or not of a known encoding.
    """
    raw = read_bytes(path)
    for magic, what in NOT_READ.items():
        if raw.startswith(magic):
            raise UserError(f"{path}: {what}, not text; unpack it, or save it in the format of its ending")
    encoding = next((encoding for mark, encoding in MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding).lstrip("\ufeff")  # some tools write the mark twice
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            raise UserError(
                f"{path}: not whole as {encoding.upper()} (at byte {error.start}); save it again as UTF-8"
            ) from None
        line, bad = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise UserError(
            f"{path}:{line}: not UTF-8 (byte 0x{bad:02x}); convert the file, e.g. iconv -f {_guess(raw)} -t utf-8"
        ) from None
    text = text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")
    if "\0" in text:
        at = text.index("\0")
        mend = f"convert it, e.g. iconv -f {_guess(raw)} -t utf-8" if _guess(raw) != "latin1" else "remove it"
        raise UserError(f"{path}:{text.count(chr(10), 0, at) + 1}: a NUL byte, which no text has; {mend}")
    return text


def _guess(raw: bytes) -> str:
    """What bytes that are no UTF-8 may be: UTF-16 where every other byte of the first lines is 0."""
    head = raw[:1000]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 8 and min(even, odd) < max(even, odd) / 4:
        return "utf-16le" if odd > even else "utf-16be"
    return "latin1"


def parsed_json(path: str, text: str, line: int = 0) -> object:
    """The value of a JSON text; UserError where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of too many digits, and too deep a nesting
        raise UserError(
            f"{path}:{line or getattr(error, 'lineno', 1)}: not JSON: {getattr(error, 'msg', error)}"
        ) from None


Records = Iterator[tuple[int, list[str]]]


def _separated_rows(path: str, records: Records, wanted: Wanted, separator: str) -> Iterator[tuple[int, dict]]:
    """Records under a header, or by position where there is none."""
    known: dict[str, str] | None = None
    header: list[str] = []
    for line, record in records:
        place = f"{path}:{line}"
        if not record:
            continue
        if wanted.by_position:
            yield line, wanted.at_positions(place, record, separator)
        elif known is None:
            known, header = wanted.known(place, record, separator), record
        elif len(record) > len(header):  # most likely a separator inside a text, which would be cut there
            raise UserError(
                f"{place}: {len(record)} fields under a header of {len(header)}; a text may hold the separator only "
                f"where it is quoted"
            )
        else:
            values = dict(zip(header, record))
            yield line, {one: values.get(column) for one, column in known.items()}
    if known is None and wanted.alone:
        wanted.known(path, [])


def _csv_rows(path: str, wanted: Wanted, _: str) -> Iterator[tuple[int, dict]]:
    return _separated_rows(path, _quoted(path, read_text(path), ","), wanted, ",")


def _quoted(path: str, text: str, separator: str) -> Records:
    """Records with quoted fields; line numbers are those where a record begins."""
    csv.field_size_limit(2**31 - 1)
    for at in (match.start() for match in re.finditer("\r", text) if "\n" in text):
        if text.count('"', 0, at) % 2 == 0:  # inside of quotes it is of the text
            line = text.count("\n", 0, at) + 1
            raise UserError(
                f"{path}:{line}: a carriage return inside the line, so that lines end in two ways; convert the file, "
                f"e.g. by tr '\\r' '\\n'"
            )
    records = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for record in records:
            yield start, record
            start = records.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{path}:{start}: {error} (in the record that begins here); a quote inside a quoted text is written twice"
        ) from None


def _unquoted(text: str) -> Records:
    return ((number, line.split("\t")) for number, line in enumerate(text.split("\n"), 1) if line)


def _tsv_rows(path: str, wanted: Wanted, _: str) -> Iterator[tuple[int, dict]]:
    text = read_text(path)
    return _separated_rows(path, _tab_separated(path, text) if '"' in text else _unquoted(text), wanted, "\t")


def _tab_separated(path: str, text: str) -> Records:
    """Records of tabs, where it must be found out whether quotes are quoting or are of the texts.

    Quoting must not swallow lines: where it joins some that without it have the header's width each, or does not parse,
        quotes are of the texts. But
    where most fields stand in quotes, a quote that does not parse is a fault of that line.
    """
    plain = list(_unquoted(text))
    width = len(plain[0][1])
    fits = all(len(record) == width for _, record in plain)
    try:
        quoted = list(_quoted(path, text, "\t"))
    except UserError:
        fields = [one for _, record in plain[1:] for one in record]
        if 2 * sum(len(one) > 1 and one[0] == one[-1] == '"' for one in fields) > len(fields):
            raise
        return iter(plain)
    joined = next((line for line, record in quoted if any("\n" in one for one in record)), 0)
    if joined and fits and width == 1:
        raise UserError(
            f"{path}:{joined}: a quote begins here and ends on a later line; remove the quotes, or save the file as "
            f".csv"
        )
    whole = all(len(record) == width for _, record in quoted if record)
    if joined and not fits and not whole:  # either reading may be the right one
        raise UserError(
            f"{path}:{joined}: a quote begins here and ends on a later line, and lines have {width} columns or "
            f"others; remove the quotes"
        )
    return iter(plain if fits and (joined or not whole) else quoted)


def _unquoted_rows(path: str, wanted: Wanted, _: str) -> Iterator[tuple[int, dict]]:
    return _separated_rows(path, _unquoted(read_text(path)), wanted, "\t")


def _blank_rows(path: str, wanted: Wanted, _: str) -> Iterator[tuple[int, dict]]:
    """Fields without a blank in them, with blanks or tabs between."""
    records = ((number, line.split()) for number, line in enumerate(read_text(path).split("\n"), 1))
    return _separated_rows(path, records, wanted, "")


def _txt_rows(path: str, wanted: Wanted, _: str) -> Iterator[tuple[int, dict]]:
    """A value a line; a final newline ends the last line, it does not begin an empty one."""
    (one,) = wanted.columns
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, 1):
        if "\r" in line.strip():
            raise UserError(
                f"{path}:{number}: a carriage return inside the line, so that lines end in two ways; convert the "
                f"file, e.g. by tr '\\r' '\\n'"
            )
        yield number, {one: line}


def _jsonl_rows(path: str, wanted: Wanted, _: str) -> Iterator[tuple[int, dict]]:
    for line, raw in enumerate(read_text(path).split("\n"), 1):
        if raw.strip():
            value = parsed_json(path, raw, line)
            if wanted.alone and isinstance(value, dict):  # the first row says which it is
                wanted = replace(
                    wanted,
                    columns={one: (column,) for one, column in wanted.known(f"{path}:{line}", list(value)).items()},
                    alone=False,
                )
            yield line, _json_row(f"{path}:{line}", value, wanted)


def _json_rows(path: str, wanted: Wanted, key: str) -> Iterator[tuple[int, dict]]:
    value = parsed_json(path, read_text(path))
    if isinstance(value, dict):
        if key not in value:
            raise UserError(
                f"{path}: say which of its lists is meant, as {path}#KEY; it has {', '.join(value) or 'none'}"
            )
        value = value[key]
    if not isinstance(value, list):
        raise UserError(f"{path}: a list of rows is needed, not {type(value).__name__}")
    for number, row in enumerate(value, 1):
        yield number, _json_row(f"{path}:{number}", row, wanted)


def _json_row(place: str, row: object, wanted: Wanted) -> dict:
    if isinstance(row, dict) and not wanted.by_position:
        known = wanted.known(place, list(row))
        return {one: row[known[one]] if one in known else None for one in wanted.columns or known}
    if isinstance(row, list) and wanted.by_position:
        return wanted.at_positions(place, row)
    raise UserError(
        f"{place}: a row is {'a list, by position' if wanted.by_position else 'an object, by name'}, not "
        f"{type(row).__name__}"
    )


def _parquet_rows(path: str, wanted: Wanted, _: str) -> Iterator[tuple[int, dict]]:
    packed = Path(path).suffix.lower() in PACKED_ENDINGS or Path(path).is_dir() or not Path(path).is_file()
    try:
        file = pq.ParquetFile(pa.BufferReader(read_bytes(path)) if packed else path)
        if wanted.by_position:
            has = ", ".join(map(repr, file.schema_arrow.names)) or "none"
            raise UserError(f"{path}: a parquet file has columns by name, not by position; it has {has}")
        known = wanted.known(path, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(columns=list(dict.fromkeys(known.values()))):
            values = [batch.column(batch.schema.get_field_index(column)).to_pylist() for column in known.values()]
            for row in zip(*values):
                yield (number := number + 1), dict(zip(known, row))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # damaged pages raise OSError
        raise UserError(f"{path}: not readable as parquet: {error}") from None


_ROWS = {
    "csv": _csv_rows,
    "tsv": _tsv_rows,
    "tsv-unquoted": _unquoted_rows,
    "blanks": _blank_rows,
    "jsonl": _jsonl_rows,
    "json": _json_rows,
    "parquet": _parquet_rows,
    "txt": _txt_rows,
}
