"""`qre measure`: the geometry of encoders, on built-in sentences or a person's own. No map is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.asked.measure import COLUMNS
from jobs.asked.models import Given, given, given_in
from jobs.asked.opened import formatted, plain, print_table
from jobs.asked.tried import Tried, embedded_so_far
from jobs.start.sentences import USUAL, built_in, text_column
from jobs.terminal.console import note, quiet, say
from qre.counted import counted
from qre.encoders.passes import EncodeSettings
from qre.errors import UserError
from qre.geometry import Measures, measures
from qre.geometry.legend import LEGEND, Entry
from qre.geometry.pair_file import read_pairs
from qre.geometry.positives import AlignmentTask
from qre.geometry.uniformity import SAMPLE
from qre.sentences import SentenceSet, builtin_set, read_sentences
from qre.tables import ending

FEW = 10.0  # n/d below which ranks and IsoScore are far too low
ARROWS = {"higher": "↑ higher", "lower": "↓ lower", "": ""}


@dataclass(frozen=True)
class Texts:
    """What is embedded.

    Attributes:
        sentences: in their order; None where only ready matrices are named, which are measured as they stand.
        groups: the paraphrase group of each built-in sentence; None of others.
        pairs: positive pairs of a file as row numbers (m, 2), none where they are not all of these sentences; None
            where those inside of the groups count.
        apart: of a file whose pairs are not all of these sentences; else None.
        notes: what a person should know of them.
    """

    sentences: SentenceSet | None
    groups: list | None = None
    pairs: np.ndarray | None = None
    apart: AlignmentTask | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """The measures of one encoder, and what a person should know of them."""

    name: str
    found: Measures
    notes: tuple[str, ...] = ()


@dataclass
class Outcome(Tried):
    """What became of the encoders that were named: `measured` in their order."""

    measured: list[Measured] = field(default_factory=list)


def measure(
    models: Sequence[str],
    entry: Path | None,
    options: dict,
    trust_remote_code: bool,
    device: str,
    sentences: Path | None,
    column: str | None,
    limit: int | None,
    pairs: Path | None,
    raw: bool,
    every_pair: bool,
    as_json: bool,
) -> None:
    """What the command does.

    Args:
        options: of an entry of a config, for all models; None and False where they were not given.
        raw: rows as they come, where they are otherwise brought to unit length.
        every_pair: uniformity and hubness of all sentences, however many.
    """
    wanted = given(models, options, trust_remote_code) + (given_in(entry) if entry is not None else [])
    if not wanted:
        raise UserError("measure: name at least one MODEL, or a list of them with --entry")
    texts = _texts(sentences, column, limit, pairs, any(not isinstance(one.source, Path) for one in wanted))
    outcome = Outcome()
    for one in wanted:
        try:
            outcome.measured.append(_measured(one, texts, device, raw, every_pair))
        except Exception as error:
            outcome.fail(one, error, () if texts.sentences is None else texts.sentences.texts)
    _tell(outcome, texts, as_json)


def _texts(sentences: Path | None, column: str | None, limit: int | None, pairs: Path | None, needed: bool) -> Texts:
    """The sentences and positive pairs that the command line names.

    Args:
        needed: whether there is an encoder that embeds them.
    """
    if sentences is None and column is not None:
        raise UserError("--column: names a column of the sentences' file, and there is none; give --sentences FILE")
    chosen: SentenceSet | None = None
    notes: list[str] = []
    if sentences is not None:
        if column is None and ending(sentences) not in (".txt", ""):
            column, _ = text_column(sentences, notes)
        try:
            chosen = read_sentences(sentences, column, limit, "drop")
        except UserError as error:
            raise UserError(str(error).replace("sentences.column", "--column")) from None
        notes += chosen.notes
    elif needed:
        chosen = builtin_set(built_in(limit or USUAL).entry["limit"])
    elif limit is not None:
        raise UserError("--limit: a ready matrix is measured as it stands; it is for sentences that are embedded")
    return _with_pairs(Texts(chosen, chosen.labels.get("group") if chosen else None, notes=tuple(notes)), pairs)


def _with_pairs(texts: Texts, pairs: Path | None) -> Texts:
    """The sentences with the positive pairs of a file."""
    if pairs is None:
        return texts
    positive = [(first.strip(), second.strip()) for first, second in read_pairs(pairs)]
    at = {text: row for row, text in enumerate(texts.sentences.texts)} if texts.sentences is not None else {}
    if all(text in at for pair in positive for text in pair):
        return replace(texts, pairs=np.array([[at[text] for text in pair] for pair in positive], np.int64))
    return replace(texts, pairs=np.empty((0, 2), np.int64), apart=AlignmentTask(pairs.name, positive))


def _measured(one: Given, texts: Texts, device: str, raw: bool, every_pair: bool) -> Measured:
    """The measures of one encoder; raises what its loading and encoding do, and EmbeddingError."""
    ready = isinstance(one.source, Path)
    if ready and texts.groups is not None:  # a matrix is not of the built-in sentences
        texts = Texts(None, pairs=texts.pairs)
    sentences = () if texts.sentences is None else texts.sentences.texts
    tasks = [] if texts.apart is None or ready else [texts.apart]
    name, embedding, scored = one.embedding(sentences, EncodeSettings(), device, embedded_so_far(), tasks)
    if ready and texts.sentences is not None and len(embedding) != len(sentences):
        raise UserError(
            f"{name}: {counted(len(embedding), 'row')}, and {texts.sentences.name} has {len(sentences):,} sentences: "
            f"give the vector of each of them, in their order"
        )
    pairs = texts.pairs if texts.sentences is not None else None
    found = measures(embedding, pairs, texts.groups, normalize=not raw, sample=None if every_pair else SAMPLE)
    scores, notes = scored or (pd.DataFrame(columns=list(COLUMNS)), [])
    for row in scores.to_dict("records"):
        found = replace(found, alignment=float(row["score"]), pairs=int(row["n"]))
    if texts.pairs is not None and found.alignment is None and not notes:
        notes = ["no alignment: ready vectors are of their sentences, and not all texts of --pairs are among these"]
    return Measured(name, found, tuple(notes))


# ---- what is shown


def _tell(outcome: Outcome, texts: Texts, as_json: bool) -> None:
    """Show what was measured, then name what failed, and end with the exit code."""
    done = len(outcome.measured)
    outcome.check_any(done)
    if as_json:
        rows = [{"name": one.name, **plain(asdict(one.found)), "notes": list(one.notes)} for one in outcome.measured]
        source = None if texts.sentences is None else texts.sentences.name
        print(json.dumps({"sentences": source, "measured": rows, "failed": outcome.failed}))
    elif done:
        _print(outcome.measured, texts)
    outcome.end(done)


def _print(measured: Sequence[Measured], texts: Texts) -> None:
    heads = _heads([one.name for one in measured])
    rows = [
        {"measure": title, **{head: form(one.found) for head, one in zip(heads, measured, strict=True)}}
        for title, form in (
            ("sentences n", lambda found: f"{found.n:,}"),
            ("dimensions d", lambda found: f"{found.dimension:,}"),
            ("n / d", lambda found: f"{found.n_over_d:.1f}"),
        )
    ]
    shown = [entry for entry in LEGEND if any(getattr(one.found, entry.name) is not None for one in measured)]
    for entry in shown:
        values = {head: _value(one.found, entry) for head, one in zip(heads, measured, strict=True)}
        rows.append({"measure": entry.title, **values, "more isotropic": ARROWS[entry.more_isotropic]})
    columns = {"measure": "", **dict.fromkeys(heads, ""), "more isotropic": ""}
    title = "geometry" if texts.sentences is None else f"geometry, on {texts.sentences.name}"
    print_table(title, pd.DataFrame(rows), columns)
    for line in _notes(measured, texts):
        note(line)
    if not quiet():
        for entry in shown:
            say(f"{entry.title}: {entry.meaning}")


def _heads(names: Sequence[str]) -> list[str]:
    """The names, told apart where two are the same."""
    return [f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _value(found: Measures, entry: Entry) -> str:
    value = getattr(found, entry.name)
    if value is None:
        return ""
    error = getattr(found, f"{entry.name}_se", None)
    return formatted(value, entry.form) + (f" ± {error:.1g}" if error else "")


def _notes(measured: Sequence[Measured], texts: Texts) -> list[str]:
    lines = list(texts.notes)
    lines += [f"{one.name}: {line}" for one in measured for line in one.notes]
    if sampled := {one.found.sampled for one in measured if one.found.sampled < one.found.n}:
        lines.append(
            f"uniformity is estimated from {max(sampled):,} of the sentences, ± its standard error, and hubness is "
            f"that among so many; --all-pairs takes all"
        )
    if any(one.found.n_over_d < FEW for one in measured):
        lines.append(
            f"n/d is below {FEW:g}: ranks, participation ratio and IsoScore are too low on so few sentences; IsoScore, "
            f"unbiased, is not"
        )
    if len({one.found.n for one in measured}) > 1:
        lines.append("the encoders are on different numbers of sentences: compare only what is without bias in n")
    return lines
