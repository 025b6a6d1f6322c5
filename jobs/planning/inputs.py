"""The files that a config names, where its `inputs:` says that they lie: a folder, or a prefix of a bucket that they
are fetched from.

What is fetched is read at once and gone again: nothing of it is kept, so that what was replaced in the bucket is never
taken for what it was. Keys are made of contents, so they do not depend on where a file came from.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import Entry, FolderEntry, MtebScores, SweepConfig
from jobs.planning.named_files import changed, files_of, named
from qre.errors import UserError
from qre.paths import below
from qre.store.address import Address, parse
from qre.store.bucket import Bucket
from qre.store.files import Files, parts

if TYPE_CHECKING:
    import pandas as pd

    from jobs.mteb.public_scores import PublicScores
    from jobs.planning.resolved import Resolved

MOST_BYTES, MOST_FILES = 4 * 2**30, 50_000  # fetched for one config
TOLD_BYTES = 50 * 2**20  # of which, and more, it is said that they are fetched
PIECE = 8 * 2**20  # bytes, of one request
ABSENT = ("no such file", "there is no such file", "no such folder")  # how readers tell of what is missing
SHOWN = 8  # names, where one is missing


@contextmanager
def inputs_here(config: SweepConfig) -> Iterator[tuple[SweepConfig, Callable[[str], str] | None]]:
    """The config with its paths as they are on this machine, while the files are there.

    With it comes what turns the path of a fetched file, in a message, back into where it came from; None where nothing
    was fetched. Relative paths are looked up below `inputs:`, without it in the config's folder; absolute ones are this
    machine's.

    Raises:
        UserError: a path that is not below `inputs:`, a file that is not there (with those that are), more than
            MOST_BYTES, no such folder or bucket.
        TimeoutError: the bucket does not answer.
    """
    if config.inputs is None:
        with _folder_told(config):
            yield changed(config, lambda place, path: below(config.folder, path)), None
        return
    address = _address(config.inputs)
    _check_folders(config)
    if address is None:
        folder = Path(os.path.abspath(os.path.expanduser(config.inputs)))
        if not folder.is_dir():
            raise UserError(f"inputs: there is no folder {folder}")
        yield changed(config, lambda place, path: _at(folder, place, path)), None
        return
    with tempfile.TemporaryDirectory(prefix="qre-inputs-") as here:
        wanted = {_relative(place, path): place for place, path in named(config) if not os.path.isabs(path)}
        _as_inputs(lambda: _fetch(address, wanted, Path(here)))

        def shown(text: str) -> str:
            return text.replace(here, str(address))

        try:
            yield changed(config, lambda place, path: _at(Path(here), place, path)), shown
        except UserError as error:
            raise UserError(shown(str(error))) from None


@contextmanager
def _folder_told(config: SweepConfig) -> Iterator[None]:
    """Where a file or a folder that the config names by a relative path is missing, say where such a path begins."""
    try:
        yield
    except UserError as error:
        folders = [
            path for entry in config.encoders if isinstance(entry, FolderEntry) for path in entry.folders().values()
        ]
        for path in (*(path for _, path in named(config)), *folders):
            whole, here = below(config.folder, path), os.path.abspath(path)
            if whole != path and any(f"{whole}: {words}" in str(error) for words in ABSENT):
                there = f"; {here} is there: move the config beside it, or write that path in it"
                raise UserError(
                    f"{error}; {path!r} begins in the folder of the config{there if os.path.exists(here) else ''}"
                ) from None
        raise


def check_encoder(place: str, entry: FolderEntry, config: SweepConfig) -> None:
    """UserError where an encoder's folder is to be looked up below `inputs:`: it is read on the nodes, and nothing is
    fetched to them."""
    for key, path in entry.folders().items():
        if config.inputs is None or os.path.isabs(os.path.expanduser(path)):
            continue
        raise UserError(
            f"{place}.{key}: {path}: an encoder's folder is read on every node and is not fetched from inputs: give "
            f"the absolute folder "
            "that it has on all nodes, or put the encoder on the hub"
        )


def check_listed(place: str, entry: Entry, config: SweepConfig) -> None:
    """UserError where a list names a file that would have to be fetched: only what the config itself names is.

    Args:
        config: as it is inside `inputs_here`: what it names itself has an absolute path.
    """
    if config.inputs is None or _as_inputs(lambda: parse(config.inputs or "")) is None:
        return
    for key, path in files_of(place, entry):
        if not os.path.isabs(path):
            raise UserError(
                f"{key}: {path}: with inputs in a bucket, the files that a list names are not fetched: name this "
                f"encoder in the config itself, or give an absolute path"
            )


def as_fetched(resolved: Resolved, shown: Callable[[str], str]) -> Resolved:
    """What was resolved, with the places that its files came from, where they were fetched for a moment."""

    public = _as_named(resolved.public, shown)
    public = replace(public, notes=tuple(map(shown, public.notes)))
    return replace(
        resolved,
        public=public,
        notes=list(map(shown, resolved.notes)),
        incomplete=list(map(shown, resolved.incomplete)),
        unresolved=[
            one.model_copy(update={"message": shown(one.message), "remedy": shown(one.remedy)})
            for one in resolved.unresolved
        ],
    )


def as_written(resolved: Resolved, config: SweepConfig) -> Resolved:
    """What was resolved, with the results of others told by the paths that the config has: they are files of the map,
    which goes to other machines."""
    written = {
        below(config.folder, path): path
        for entry in config.tasks
        if isinstance(entry, MtebScores)
        for path in entry.results
    }

    def shown(text: str) -> str:
        place = next(
            (
                place
                for place in sorted(written, key=len, reverse=True)
                if text == place or text.startswith(f"{place}{os.sep}")
            ),
            None,
        )
        return text if place is None else written[place] + text[len(place) :]

    return replace(resolved, public=_as_named(resolved.public, shown))


def _as_named(public: PublicScores, shown: Callable[[str], str]) -> PublicScores:
    def told(frame: pd.DataFrame) -> pd.DataFrame:
        texts = [column for column in ("file", "results", "detail") if column in frame]
        return frame.assign(
            **{
                column: [shown(value) if isinstance(value, str) else value for value in frame[column]]
                for column in texts
            }
        )

    return replace(public, table=told(public.table), report=told(public.report))


def _check_folders(config: SweepConfig) -> None:
    for number, entry in enumerate(config.encoders):
        if isinstance(entry, FolderEntry):
            check_encoder(f"encoders[{number}]", entry, config)


def _relative(place: str, path: str) -> str:
    """A path below `inputs:`, in one spelling."""
    try:
        return "/".join(parts(path))
    except ValueError:
        raise UserError(
            f"{place}: {path}: a path below inputs has no .. in it, and its parts are of A-Z a-z 0-9 . _ = + - and "
            f"begin with a letter or digit; "
            "rename the file, or give an absolute path"
        ) from None


def _at(folder: Path, place: str, path: str) -> str:
    return path if os.path.isabs(path) else str(folder / _relative(place, path))


def _fetch(address: Address, wanted: dict[str, str], folder: Path) -> None:
    """Copy the wanted files, and all below the wanted folders, from below a prefix into a folder.

    Args:
        wanted: path below the prefix -> its place in the config.
    """
    files = Bucket(address)
    there = files.everything() if wanted else {}
    chosen: dict[str, int] = {}
    for path, place in wanted.items():
        found = (
            {path: there[path]}
            if path in there
            else {name: size for name, size in there.items() if name.startswith(f"{path}/")}
        )
        if not found:
            raise UserError(f"{place}: there is no {path} in {address}: {_listed(sorted(there))}")
        chosen |= found
    if odd := [name for name in chosen if not _is_plain(name)]:
        print(
            f"inputs: {_listed(odd, 'left alone are')}, whose names are not of A-Z a-z 0-9 . _ = + -",
            file=sys.stderr,
            flush=True,
        )
        chosen = {name: size for name, size in chosen.items() if _is_plain(name)}
    total = sum(chosen.values())
    if total > MOST_BYTES or len(chosen) > MOST_FILES:
        raise UserError(
            f"inputs: the config names {len(chosen)} files of {total / 2**30:.1f} GiB in {address}, and at most "
            f"{MOST_FILES} files of "
            f"{MOST_BYTES / 2**30:.0f} GiB are fetched; name fewer, or mount them and give an absolute path"
        )
    if total > TOLD_BYTES:
        print(
            f"inputs: fetching {len(chosen)} files, {total / 2**20:.0f} MiB, from {address}",
            file=sys.stderr,
            flush=True,
        )
    files.map(lambda name: _copy(files, name, folder.joinpath(*parts(name))), chosen, width=16)
    if total > TOLD_BYTES:
        print(f"inputs: {len(chosen)} files fetched", file=sys.stderr, flush=True)


def _copy(files: Files, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.open(name) as source, open(target, "xb") as file:
            shutil.copyfileobj(source, file, PIECE)
    except FileNotFoundError as error:
        raise UserError(
            f"inputs: {name} was there a moment ago: {error}; run the same command again when the files are in place"
        ) from None


def _is_plain(name: str) -> bool:
    """Whether a name of the bucket is one that a path below the folder may have."""
    try:
        return "/".join(parts(name)) == name
    except ValueError:
        return False


def _listed(names: list[str], start: str = "there are") -> str:
    if not names:
        return "nothing is there"
    return (
        f"{start} "
        + ", ".join(map(ascii, names[:SHOWN]))
        + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    )


def _address(location: str) -> Address | None:
    address = _as_inputs(lambda: parse(location))
    if address is not None and not address.prefix:
        raise UserError(
            f"inputs: {location}: name a prefix of the bucket, {address.scheme}://{address.bucket}/inputs, and put "
            f"the files below it"
        )
    return address


def _as_inputs(act: Callable):
    """act(), whose errors speak of inputs where those of a bucket speak of the store."""
    try:
        return act()
    except UserError as error:
        raise UserError(str(error).replace("store: ", "inputs: ", 1)) from None
    except TimeoutError as error:
        raise TimeoutError(error.errno, str(error.strerror).replace("store: ", "inputs: ", 1)) from None
