"""Folders of result files: a clone of the public results repository, a cache of `mteb`, one model, one revision."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qre.errors import UserError
from qre.tasks.mteb.main_score import main_score
from qre.tasks.mteb.rules import ENGLISH, Rule, official_rules
from qre.tasks.mteb.scores import Scores, deduplicated, good_name, shown

LARGEST = 16 << 20  # bytes of a result file; the public repository refuses 9.5 MB
META = "model_meta.json"
Piece = tuple[Path, str, str, list[str]]


def read_results(
    root: str | os.PathLike,
    tasks: Collection[str] | None = None,
    models: Collection[str] | None = None,
    rules: Mapping[str, Rule] | None = None,
    threads: int = 8,
    progress: Callable[[int, int], None] = lambda done, total: None,
    languages: tuple[str, ...] = ENGLISH,
) -> Scores:
    """The main scores of a folder of MTEB result files, all revisions.

    Args:
        root: a clone of the public results repository or its results/, a cache of `mteb`, the folder of one model, or
            of one revision.
        tasks: read only files of these names (without .json); None for all.
        models: read only these (org/name, in any case); None for all.
        rules: what counts, by task; None for `official_rules(languages)`. Tasks that are not among them get the rule of
            the file.
        languages: three-letter codes of those whose subsets count there, or ("all",).
        progress: told how many files are read, and of how many.

    Raises:
        UserError: there is no such folder, or nothing in it that could be a result.
    """
    root, done = Path(root).resolve(), 0
    problems: list[tuple] = []
    rows: list[tuple] = []
    rules = official_rules(languages) if rules is None else rules
    pieces = _pieces(root, tasks, models, problems)
    total = sum(len(names) for *_, names in pieces)

    def read(piece: Piece) -> tuple[list, list, int]:
        return _read_files(root, *piece, rules, languages)

    with ThreadPoolExecutor(threads) as pool:
        for found, odd, count in pool.map(read, pieces):
            rows += found
            problems += odd
            done += count
            progress(done, total)
    return deduplicated(rows, problems)


def _pieces(root: Path, tasks: Collection[str] | None, models: Collection[str] | None, problems: list) -> list[Piece]:
    """(folder, model, revision, names of at most 256 files): what is read at one go."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder of MTEB results")
    pieces, anything = [], False
    wanted = None if models is None else {model.casefold() for model in models}
    for folder in _revision_folders(root, problems):
        model, revision = _identity(root, folder, problems)
        names = _json_files(root, folder, problems)
        anything |= bool(names) or (folder / META).is_file()
        if model and (wanted is None or model.casefold() in wanted):
            names = [name for name in names if tasks is None or name.removesuffix(".json") in tasks]
            pieces += [(folder, model, revision, names[start : start + 256]) for start in range(0, len(names), 256)]
    if not anything and not problems:
        raise UserError(f"{root}: no MTEB results here; they lie in <org>__<model>/<revision>/<Task>.json")
    return pieces


def _revision_folders(root: Path, problems: list) -> list[Path]:
    """The folders of single revisions, whatever the root is: a clone or cache, its results/, a model, a revision."""
    found = []
    for top in [
        inner for inner in (root / "results", root / "remote" / "results") if inner.is_dir() and not inner.is_symlink()
    ] or [root]:
        below = _folders(top)
        if any("__" in folder.name for folder in below):
            models = below
        elif not below or _json_files(root, top, []):
            found.append(top)
            continue
        else:  # a model's folder, or results of models without an organisation
            models = [top] if any(_json_files(root, folder, []) for folder in below) else below
        stray = [folder / name for folder in dict.fromkeys([top, *models]) for name in _json_files(root, folder, [])]
        problems += [(_place(root, path), "", "", "not in the folder of a revision", "not read") for path in stray]
        found += [revision for model in models for revision in _folders(model)]
    return found


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return [folder / name for name in sorted(names) if name != "experiments" and not name.startswith(".")]


def _json_files(root: Path, folder: Path, problems: list) -> list[str]:
    """Names of the JSON files of a folder, sorted, without model_meta.json."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == "experiments":
                problems.append(
                    (_place(root, folder / entry.name), "", "", "other settings of the encoder", "not read")
                )
            elif entry.name.endswith(".json") and entry.is_symlink():
                problems.append((_place(root, folder / entry.name), "", "", "a link", "not read"))
            elif entry.name.endswith(".json") and entry.name != META and entry.is_file(follow_symlinks=False):
                names.append(entry.name)
    return sorted(names)


def _identity(root: Path, folder: Path, problems: list) -> tuple[str, str]:
    """(model, revision): the folders' names, or model_meta.json where the folders are none of the layout; "" for a
    model without a good name."""
    meta = folder / META
    told, _ = _load(meta) if meta.is_file() and not meta.is_symlink() else ({}, "")
    told = told if isinstance(told, dict) else {}
    name, revision, laid_out = told.get("name"), told.get("revision"), "__" in folder.parent.name
    if good_name(name) and (not laid_out or name.replace("/", "__").replace(" ", "_") == folder.parent.name):
        model = name
    else:
        model = folder.parent.name.replace("__", "/", 1)
        if laid_out and name is not None:
            problems.append(
                (_place(root, meta), shown(model), "", f"names the model {shown(str(name))}", "the folder's name taken")
            )
    revision = revision if not laid_out and good_name(revision) else folder.name
    if good_name(model) and good_name(revision):
        return model, revision
    problems.append((_place(root, folder), shown(model), "", "not a name of a model and a revision", "not read"))
    return "", ""


def _read_files(
    root: Path,
    folder: Path,
    model: str,
    revision: str,
    names: list[str],
    rules: Mapping[str, Rule],
    languages: tuple[str, ...],
) -> tuple[list, list, int]:
    """(rows, problems, files read)."""
    rows, problems, below = [], [], _place(root, folder)
    for name in names:
        place = shown(name if below == "." else f"{below}/{name}")
        data, why = _load(os.path.join(folder, name))
        if why or not isinstance(data, dict) or not {"scores", "mteb_dataset_name"} & data.keys():
            problems.append((place, model, "", why or "not a result file", "not read"))
            continue
        task, told = name.removesuffix(".json"), data.get("task_name", data.get("mteb_dataset_name"))
        if told != task and good_name(told):
            problems.append((place, model, told, "the file's name is of another task", "the task inside taken"))
            task = told
        elif not good_name(task):
            problems.append((place, model, shown(task), "not a name of a task", "not read"))
            continue
        found = main_score(data, task, rules, (place, model, task), problems, languages)
        if found is not None:
            score, rule = found
            version = data.get("mteb_version") if good_name(data.get("mteb_version")) else ""
            rows.append(
                (
                    model,
                    revision,
                    task,
                    "main_score",
                    "|".join(rule.splits),
                    "|".join(rule.subsets),
                    score,
                    version,
                    place,
                )
            )
    return rows, problems, len(names)


def _load(path: str | Path) -> tuple[object, str]:
    """(what the JSON file holds, ""), or (None, why it cannot be read)."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        return (json.loads(content), "") if len(content) <= LARGEST else (None, f"larger than {LARGEST >> 20} MB")
    except (ValueError, RecursionError, MemoryError):
        return None, "not JSON"
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"


def _place(root: Path, path: Path) -> str:
    return shown(path.relative_to(root).as_posix())
