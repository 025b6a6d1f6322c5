"""The atlas that --atlas names, and tables of it as people and machines read them."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from jobs.asked.outdated import outdated
from jobs.config import SweepConfig, load_config
from jobs.config.reading import YAML_ENDINGS
from jobs.terminal.console import console
from jobs.terminal.harmless import beneath
from jobs.terminal.spelled import maps_in, qre_command, quoted
from jobs.workers.fits import stored_fit
from qre.atlas.finished import FinishedAtlas
from qre.csv_cells import csv_text
from qre.encoders.fitted import FittedTransforms
from qre.encoders.passes import EncodeSettings, unit_key
from qre.errors import UserError
from qre.near_names import did_you_mean
from qre.sentences import SentenceSet
from qre.store import CorruptArtefact, Store

MOST_CONFIGS = 20  # of one folder that are looked into


def open_atlas(place: str) -> FinishedAtlas:
    """The atlas in a folder, or of a config, in its store.

    Raises:
        UserError: no finished atlas there, or a damaged one.
    """
    if Path(place).suffix in YAML_ENDINGS:
        settings = load_config(place)
        store = Store(settings.store, read_only=True)
        atlas = stored_atlas(settings, store)
        if note := outdated(settings, store, atlas, place):
            print(f"note: {note}", file=sys.stderr)
        return atlas
    try:
        return FinishedAtlas(place)
    except UserError as error:
        if (Path(place) / "manifest.json").exists():
            raise
        if config := _exporting_to(place):
            raise UserError(f"{place}: the map is not finished yet: {qre_command()} sweep {config}") from None
        raise UserError(f"{error}{_maps_near(place)}") from None


def fits_of(place: str, sentences: Sequence[str], settings: EncodeSettings) -> Callable[..., FittedTransforms | None]:
    """What gives, of an encoder, its transforms as the sweep of a config has fitted them; None where its store has
    none, or `place` is a folder. The store is only looked at."""
    if Path(place).suffix not in YAML_ENDINGS:
        return lambda spec: None
    store = Store(load_config(place).store, read_only=True)
    fingerprint = SentenceSet("of the map", tuple(sentences)).fingerprint
    return lambda spec: stored_fit(store, unit_key(spec, fingerprint, settings), spec.transforms)


def _maps_near(place: str) -> str:
    """The config and the map of this name, and the maps beside a folder that holds none: what a person may have
    meant."""
    folder = Path(place)
    named = [f"{place}{ending}" for ending in YAML_ENDINGS if Path(f"{place}{ending}").is_file()]
    named += [str(one) for one in (Path("results") / folder.name,) if (one / "manifest.json").is_file()]
    if named:
        return f"; did you mean {' or '.join(map(repr, named))}?"
    return did_you_mean(place, [str(folder.parent / name) for name in maps_in(folder.parent)], most=2)


def _exporting_to(place: str) -> str:
    """A config here, or beside the folder or the one above, whose map is exported to a folder; "" where there is
    none. A file that is no config is passed over."""
    folder = Path(os.path.abspath(place))
    for beside in dict.fromkeys((Path.cwd(), folder.parent, folder.parent.parent)):
        try:
            files = sorted(one for one in beside.iterdir() if one.suffix in YAML_ENDINGS)[:MOST_CONFIGS]
        except OSError:
            continue
        for file in files:
            with contextlib.suppress(UserError):
                settings = load_config(file)
                if settings.export is not None and Path(os.path.abspath(settings.export)) == folder:
                    return quoted(file)
    return ""


def stored_atlas(settings: SweepConfig, store: Store) -> FinishedAtlas:
    """The atlas of a config in its store; UserError where it is not there, or not whole."""
    if store.atlases.manifest(settings.name) is None:
        raise UserError(f"no finished map of {settings.name!r} in {store.location}; qre sweep makes it")

    def read(file: str) -> bytes:
        try:
            return store.atlases.read(settings.name, file)
        except CorruptArtefact as error:
            raise UserError(f"{error}; the next sweep makes the map again") from None

    return FinishedAtlas(read, f"{store.location}/atlases/{settings.name}")


def plain_rows(table: pd.DataFrame) -> list[dict]:
    """The rows as plain values for JSON: what is not known, or not finite, is null."""
    return [{str(name): plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def plain(value):
    """A value as JSON takes it; NaN and infinity become None."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    value = value.item() if hasattr(value, "item") else value
    return None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value


def print_csv(table: pd.DataFrame) -> None:
    """A table as CSV on stdout: as data where it goes into a file or another program, for the eye on a terminal."""
    stream = sys.stdout if sys.stdout.isatty() else beneath(sys.stdout)
    stream.write(csv_text(table))


def print_table(title: str, table: pd.DataFrame, formats: dict[str, str]) -> None:
    """A table on the console: the columns that `formats` names, each with its format ("" for text); what is not known
    is left empty."""
    shown = Table(title=escape(title), title_justify="left")
    for name, form in formats.items():
        shown.add_column(escape(name.replace("_", " ")), justify="right" if form else "left", overflow="fold")
    for row in table.to_dict("records"):
        shown.add_row(*(_cell(row.get(name), form) for name, form in formats.items()))
    console.print(shown)


def formatted(value: float, form: str) -> str:
    """A number as a person reads it: what rounds to zero has no sign."""
    text = format(value, form)
    return text.lstrip("+-") if not text.strip("+-0.,%") else text


def _cell(value, form: str) -> str:
    value = value if isinstance(value, bool) else plain(value)
    if value is None:
        return ""
    return escape(formatted(value, form) if form else str(value))
