"""`qre new`: a short commented config that plans as it is written."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from jobs.config import load_config
from jobs.config.reading import YAML_ENDINGS
from jobs.records.exports import check_kept
from jobs.start.encoders import ChosenEncoders, chosen_encoders
from jobs.start.own_tasks import ChosenTask, beside, chosen_tasks
from jobs.start.sentences import Chosen, built_in, from_documents, from_file
from jobs.terminal.console import note, say, say_next
from jobs.terminal.spelled import qre_command, quoted, yaml_line
from qre.errors import PlaceError, UserError, place_error
from qre.store import Store


@dataclass(frozen=True)
class Wanted:
    """What a person asks a config for.

    Attributes:
        sentences, column, limit: file of the sentences, its column, the most that are taken; None: the documents of a
            retrieval task, or built-in ones.
        encoders: as `chosen_encoders` takes them.
        tasks: as `chosen_tasks` takes them, with `queries`, `documents`, `relevant` of a retrieval task.
    """

    sentences: Path | None = None
    column: str | None = None
    limit: int | None = None
    encoders: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    queries: Path | None = None
    documents: Path | None = None
    relevant: Path | None = None


@dataclass(frozen=True)
class Draft:
    """A config before it is written: what is in it, and what a person should know."""

    sentences: Chosen
    encoders: ChosenEncoders
    tasks: list[ChosenTask]

    @property
    def notes(self) -> list[str]:
        own = [*self.sentences.notes, *self.encoders.notes, *(one for task in self.tasks for one in task.notes)]
        return own + ([self._on_other_texts()] if self._ranks_on_other_texts() else [])

    @property
    def told(self) -> str:
        """What it holds, in one line."""
        return "; ".join((self.sentences.told, self.encoders.told, *(task.told for task in self.tasks)))

    def _ranks_on_other_texts(self) -> bool:
        return self.sentences.entry["source"] == "file" and all(task.builtin for task in self.tasks)

    def _on_other_texts(self) -> str:
        if (folder := beside(Path(self.sentences.entry["path"]))) is not None:
            how = f"--task retrieval={shlex.quote(str(folder))} takes the queries and relevant documents beside them"
        else:
            how = "--task gives a task of your own: retrieval=FOLDER, sts=FILE, pairs=FILE, classification=TRAIN,TEST "
            how += "or clustering=FILE"
        return f"the encoders are ranked on built-in texts, not on yours; {how}"


def new(file: Path, wanted: Wanted, force: bool) -> None:
    """Write a config, say what is in it and what to do next.

    Raises:
        UserError: the file exists, or what it shall hold cannot be read.
    """
    if not file.stem.strip(".") or file.name.startswith(".y"):
        raise UserError("new: give the config a name, e.g. mine.yaml")
    if file.suffix not in YAML_ENDINGS:
        raise UserError(f"{file}: a config ends in .yaml: {file}.yaml")
    if file.exists() and not force:
        raise UserError(f"{file} exists; name another file, or give --force to overwrite it")
    made = draft(wanted)
    export = Path("results", file.stem)
    check_kept(
        file.parent / export,
        Store(file.parent / "store", read_only=True),
        name_of(file),
        str(file),
        "name another FILE",
    )
    write(file, text_of(made, file, store="store", export=str(export)))
    for one in made.notes:
        note(one)
    say(f"{file}: {made.told}")
    qre, name, atlas = qre_command(), quoted(file), quoted(file.parent / "results" / file.stem)
    commands = {
        f"{qre} plan {name}": "what it would do and download, and how long it would take; runs nothing",
        f"{qre} sweep {name}": "run it; if it stops, run the same command to continue",
        f"{qre} open {atlas}": "then: the map in your browser",
        f"{qre} rank --atlas {atlas}": "then: which encoder is best",
    }
    say_next(commands)


def draft(wanted: Wanted) -> Draft:
    """What a config shall hold; all files are read once, so that the plan finds nothing that was not told here."""
    tasks = chosen_tasks(wanted.tasks, wanted.queries, wanted.documents, wanted.relevant)
    encoders = chosen_encoders(wanted.encoders)
    if wanted.sentences is not None:
        sentences = from_file(wanted.sentences, wanted.column, wanted.limit)
    else:
        if wanted.column is not None:
            raise UserError("--column goes with --sentences")
        found = next((task.documents for task in tasks if task.documents is not None), None)
        taken = from_documents(*found, wanted.limit) if found else None
        sentences = taken or built_in(wanted.limit)
    return Draft(sentences, encoders, tasks)


def name_of(file: Path) -> str:
    """The name of the map that a config in this file gets."""
    name = re.sub(r"[^a-z0-9._-]", "-", file.stem.lower()).lstrip("._-")
    return name[:64] or "mine"


def text_of(made: Draft, file: Path, store: str, export: str) -> str:
    """The config as YAML; paths are relative to its folder where they lie in it, else absolute.

    Args:
        file: where it is to be.
        store, export: as they stand in it.
    """
    lines = [
        "# Every key: docs/config.md. Relative paths begin in the folder of this file.",
        f"name: {yaml_line(name_of(file))}",
        f"store: {yaml_line(store)}        # all work is kept here; a resume needs only this",
        f"export: {yaml_line(export)}      # the finished map is copied here",
        "",
        *(f"# {one}" for one in made.sentences.comments),
        f"sentences: {yaml_line(_placed(made.sentences.entry, file))}",
        "",
        "encoders:",
    ]
    for number, entry in enumerate(made.encoders.entries):
        lines += [f"  # {made.encoders.comments[number]}"] if number in made.encoders.comments else []
        lines.append(f"  - {yaml_line(_placed(entry, file))}")
    lines += ["  # - {source: folder, path: /models/my-encoder}", "  # - {source: hub, id: owner/name}", ""]
    lines += ["tasks:      # what the encoders are scored on; scores of other encoders are predicted from them"]
    for task in made.tasks:
        lines += [] if task.builtin else [f"  # {task.told}: qre rank --task {shlex.quote(task.entry['name'])}"]
        lines.append(f"  - {yaml_line(_placed(task.entry, file))}")
    lines += ["", "# cluster: {gpus_per_encoder: 1}      # on a machine or a cluster with GPUs"]
    return "\n".join(lines) + "\n"


def write(file: Path, text: str) -> None:
    """Write a config, which must be one that a sweep takes.

    Raises:
        PlaceError: it cannot be written here.
    """
    temporary = file.with_name(f".{file.name}.tmp.yaml")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        load_config(temporary)
        os.replace(temporary, file)
    except OSError as error:
        raise PlaceError(str(place_error(error) or f"{file}: {error.strerror}")) from None
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)


def _placed(entry: dict, file: Path) -> dict:
    """An entry whose paths are as the config needs them."""
    home = file.resolve().parent

    def placed(path: str) -> str:
        whole = Path(path).expanduser().resolve()
        return whole.relative_to(home).as_posix() if whole.is_relative_to(home) and whole != home else str(whole)

    return {
        key: placed(value) if key in ("path", "train", "test", "corpus", "queries", "qrels") else value
        for key, value in entry.items()
    }
