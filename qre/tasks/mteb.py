"""Scores of MTEB, the public benchmark: its result files and wide tables as one long table.

What counts for a task's main score is a *rule*: splits, subsets and the metric. Where `mteb` is installed it is asked: the benchmarks MTEB(eng, v1)
and MTEB(eng, v2) first, for other tasks their own splits and their English subsets. Without it, or for a task that it does not know, the rule is
read off the file: the first of test, validation, dev that is there (MSMARCO: dev, as MTEB has it), and the English subset: the only one, else the
one named en, en-en, eng or default, else all whose languages are English. The score is the mean over the splits and subsets of the rule.

The files come from strangers: sizes are limited, links are not followed, names are checked and never become paths, and whatever is odd is a row of
the report. A rule that a file does not fill gives no score: there is no mean of what happens to be there.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from qre.errors import UserError

TABLE = ("model", "revision", "task", "metric", "split", "subset", "score", "mteb_version", "file")
REPORT = ("file", "model", "task", "what", "done")
BENCHMARKS = ("MTEB(eng, v2)", "MTEB(eng, v1)")
LARGEST = 16 << 20  # bytes of a result file; the public repository refuses 9.5 MB
LARGEST_TABLE = 1 << 28
META = "model_meta.json"
COMMIT = re.compile(r"[0-9a-f]{40}")
ENGLISH = ("en", "en-en", "eng", "default")
SIMILARITIES = {"max": "max", "cosine": "cos_sim", "dot": "dot", "euclidean": "euclidean", "manhattan": "manhattan", "similarity": "similarity"}
OLD_NAMES = ("cosine_spearman", "max_ap", "ndcg_at_10", "map", "v_measure", "accuracy", "f1")  # main scores of files that name none, by task type


class Scores(NamedTuple):
    """`table`: one row a model, revision and task (columns TABLE; scores on 0-1). `report`: one row for everything odd (columns REPORT)."""

    table: pd.DataFrame
    report: pd.DataFrame


class Rule(NamedTuple):
    """What counts for a task; metric "" where only the file can tell."""

    splits: tuple[str, ...]
    subsets: tuple[str, ...]
    metric: str = ""


@cache
def official_rules() -> dict[str, Rule]:
    """The rules that the installed `mteb` gives for every task with an English part; {} where it is not installed."""
    if importlib.util.find_spec("mteb") is None:
        return {}
    import mteb

    english = mteb.get_tasks(languages=["eng"], exclusive_language_filter=True, exclude_superseded=False, exclude_private=False)
    tasks = [*english, *(task for name in reversed(BENCHMARKS) for task in mteb.get_benchmark(name).tasks)]
    return {task.metadata.name: rule_of(task) for task in tasks}


def rule_of(task) -> Rule:
    """The rule of a task object of `mteb`, with the splits and subsets that it was made with."""
    subsets = ("default",) if task.is_aggregate else tuple(task.hf_subsets)
    return Rule(tuple(task.eval_splits), subsets, task.metadata.main_score)


def read_results(
    root: str | os.PathLike,
    tasks: Collection[str] | None = None,
    models: Collection[str] | None = None,
    rules: Mapping[str, Rule] | None = None,
    threads: int = 8,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scores:
    """The main scores of a folder of MTEB result files, all revisions.

    Args:
        root: a clone of the public results repository or its results/, a cache of `mteb`, the folder of one model, or of one revision.
        tasks: read only files of these names (without .json); None for all.
        models: read only these (org/name, in any case); None for all.
        rules: what counts, by task; None for `official_rules()`. Tasks that are not among them get the rule of the file.
        progress: told how many files are read, and of how many.

    Raises:
        UserError: there is no such folder, or nothing in it that could be a result.
    """
    root, problems, rows, done = Path(root).resolve(), [], [], 0
    rules = official_rules() if rules is None else rules
    pieces = _pieces(root, tasks, models, problems)
    total = sum(len(names) for *_, names in pieces)
    with ThreadPoolExecutor(threads) as pool:
        for found, odd, count in pool.map(lambda piece: _read_files(root, *piece, rules), pieces):
            rows += found
            problems += odd
            done += count
            progress(done, total)
    return _deduplicated(rows, problems)


def read_table(path: str | os.PathLike, tasks: Collection[str] | None = None) -> Scores:
    """The scores of a wide table: a column `model` (else the first one is taken), perhaps `revision`, and a column of numbers for each task.

    A table whose scores are mostly above 1 is on 0-100 and is divided by 100. An empty cell is a score that is not there, and no problem.

    Args:
        tasks: the columns to read; None for all that hold numbers.

    Raises:
        UserError: the file is missing, too large, neither CSV nor Parquet, cannot be read, or holds no column of scores.
    """
    path = Path(path)
    frame = _frame(path)
    names = {column: str(column) for column in frame.columns}
    key = next((column for column, name in names.items() if name.casefold() == "model"), frame.columns[0] if names else "")
    beside = [column for column, name in names.items() if column != key and name != "revision" and (tasks is None or name in tasks)]
    numbers = [
        column for column in beside
        if frame[column].dtype.kind in "iuf" and _good_name(names[column]) and not names[column].startswith("Unnamed:")
    ]  # fmt: skip
    if not numbers:
        raise UserError(f"{path}: no column of scores beside the column of models")
    problems = [(path.name, "", _shown(names[column]), "not a column of scores", "left out") for column in beside if column not in numbers]
    scale = 100 if frame[numbers].stack().median() > 1 else 1
    if scale == 100:
        problems.append((path.name, "", "", "scores on 0-100", "divided by 100"))
    rows = []
    for line, record in enumerate(frame.to_dict("records"), start=2):
        place, model, revision = f"{path.name}:{line}", record[key], record.get("revision")
        if not _good_name(model):
            problems.append((place, _shown(str(model)), "", "not a name of a model", "row left out"))
            continue
        for task in (column for column in numbers if not pd.isna(record[column])):
            score = _checked(record[task] / scale, (place, model, names[task]), problems)
            if score is not None:
                rows.append((model, revision if _good_name(revision) else "", names[task], "main_score", "", "", score, "", place))
    return _deduplicated(rows, problems)


def _frame(path: Path) -> pd.DataFrame:
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"{path}: tables of scores are read from .csv and .parquet")
    if not path.is_file() or path.stat().st_size > LARGEST_TABLE:
        raise UserError(f"{path}: no such table of scores, or one of more than {LARGEST_TABLE >> 20} MB")
    try:
        frame = pd.read_csv(path, low_memory=False) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:  # also what pandas and pyarrow raise for a damaged file
        raise UserError(f"{path}: not a readable table: {_shown(str(error))}") from None
    if not frame.columns.is_unique:
        raise UserError(f"{path}: two columns have one name")
    return frame.reset_index() if frame.index.name else frame


def preferred(table: pd.DataFrame, revisions: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row for each model and task of a long table.

    The revision asked for (by model) where it has the task; else a commit before a number before a revision that was not recorded, then the newest
    mteb version, then the last name of a revision.
    """
    asked = revisions or {}
    return best(table, ("model", "task"), lambda row: (row.revision == asked.get(row.model), *rank(row)))


def wide(table: pd.DataFrame, revisions: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Models × tasks, NaN where there is no score; which revision counts: see `preferred`."""
    return preferred(table, revisions).pivot(index="model", columns="task", values="score").rename_axis(columns=None)


def rank(row) -> tuple:
    """Higher is better: how a row's revision is known, and its mteb version (the newer end of a range such as 2.12.0-2.15.4)."""
    known = 2 if COMMIT.fullmatch(row.revision) else int(row.revision.isdigit())
    return known, tuple(int(part) for part in re.findall(r"[0-9]{1,9}", row.mteb_version.split("-")[-1])), row.revision


def best(table: pd.DataFrame, key: tuple[str, ...], value: Callable[..., tuple]) -> pd.DataFrame:
    """Of the rows that are equal in the columns `key`, the first of highest value."""
    found: dict[tuple, tuple] = {}
    for row in table.itertuples():
        this, place = value(row), tuple(getattr(row, column) for column in key)
        if place not in found or this > found[place][0]:
            found[place] = (this, row.Index)
    return table.loc[[index for _, index in found.values()]]


def _pieces(root: Path, tasks: Collection[str] | None, models: Collection[str] | None, problems: list) -> list[tuple[Path, str, str, list[str]]]:
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
    for top in [inner for inner in (root / "results", root / "remote" / "results") if inner.is_dir() and not inner.is_symlink()] or [root]:
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
                problems.append((_place(root, folder / entry.name), "", "", "other settings of the encoder", "not read"))
            elif entry.name.endswith(".json") and entry.is_symlink():
                problems.append((_place(root, folder / entry.name), "", "", "a link", "not read"))
            elif entry.name.endswith(".json") and entry.name != META and entry.is_file(follow_symlinks=False):
                names.append(entry.name)
    return sorted(names)


def _identity(root: Path, folder: Path, problems: list) -> tuple[str, str]:
    """(model, revision): the folders' names, or model_meta.json where the folders are none of the layout; "" for a model without a good name."""
    meta = folder / META
    told, _ = _load(meta) if meta.is_file() and not meta.is_symlink() else ({}, "")
    told = told if isinstance(told, dict) else {}
    name, laid_out = told.get("name"), "__" in folder.parent.name
    if _good_name(name) and (not laid_out or name.replace("/", "__").replace(" ", "_") == folder.parent.name):
        model = name
    else:
        model = folder.parent.name.replace("__", "/", 1)
        if laid_out and name is not None:
            problems.append((_place(root, meta), _shown(model), "", f"names the model {_shown(str(name))}", "the folder's name taken"))
    revision = told.get("revision") if not laid_out and _good_name(told.get("revision")) else folder.name
    if _good_name(model) and _good_name(revision):
        return model, revision
    problems.append((_place(root, folder), _shown(model), "", "not a name of a model and a revision", "not read"))
    return "", ""


def _read_files(root: Path, folder: Path, model: str, revision: str, names: list[str], rules: Mapping[str, Rule]) -> tuple[list, list, int]:
    """(rows, problems, files read)."""
    rows, problems, below = [], [], _place(root, folder)
    for name in names:
        place = _shown(name if below == "." else f"{below}/{name}")
        data, why = _load(os.path.join(folder, name))
        if why or not isinstance(data, dict) or not {"scores", "mteb_dataset_name"} & data.keys():
            problems.append((place, model, "", why or "not a result file", "not read"))
            continue
        task, told = name.removesuffix(".json"), data.get("task_name", data.get("mteb_dataset_name"))
        if told != task and _good_name(told):
            problems.append((place, model, told, "the file's name is of another task", "the task inside taken"))
            task = told
        elif not _good_name(task):
            problems.append((place, model, _shown(task), "not a name of a task", "not read"))
            continue
        found = _main_score(data, task, rules, (place, model, task), problems)
        if found is not None:
            score, rule = found
            version = data.get("mteb_version") if _good_name(data.get("mteb_version")) else ""
            rows.append((model, revision, task, "main_score", "|".join(rule.splits), "|".join(rule.subsets), score, version, place))
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


def _main_score(data: dict, task: str, rules: Mapping[str, Rule], place: tuple, problems: list) -> tuple[float, Rule] | None:
    splits = _splits(data, place, problems)
    rule = rules.get(task) or _rule_of_file(task, splits)
    if not rule.subsets:
        return problems.append((*place, "no English scores for a split that counts", "left out"))
    values = []
    for split in rule.splits:
        for subset in rule.subsets:
            row = splits.get(split, {}).get(subset)
            if row is None:
                return problems.append((*place, f"no scores for split {split}, subset {subset}", "left out"))
            values.append(_value(row, rule.metric, place, problems))
    if None in values:
        return problems.append((*place, "no main score", "left out"))
    if 1 + 1e-6 < max(values) <= 100:
        problems.append((*place, f"on 0-100 ({max(values):g})", "divided by 100"))
        values = [value / 100 for value in values]
    score = _checked(sum(values) / len(values), place, problems)
    return None if score is None else (score, rule)


def _splits(data: dict, place: tuple, problems: list) -> dict[str, dict[str, dict]]:
    """Split -> subset -> scores, of new files and of those from before mteb 1.11, where split and perhaps subset are keys of the file itself."""
    if "scores" not in data:
        blocks = {split: block for split, block in data.items() if isinstance(block, dict)}
        inner = {split: {k: v for k, v in block.items() if isinstance(v, dict) and k not in SIMILARITIES.values()} for split, block in blocks.items()}
        return {split: inner[split] or {"default": block} for split, block in blocks.items()}
    splits: dict[str, dict[str, dict]] = {}
    for split, rows in data["scores"].items() if isinstance(data["scores"], dict) else ():
        subsets = splits.setdefault(split, {})
        for row in rows if isinstance(rows, list) else ():
            subset = row.get("hf_subset", "default") if isinstance(row, dict) else None
            if not isinstance(subset, str) or subset in subsets:
                what = "a subset twice" if isinstance(subset, str) else "not a row of scores"
                problems.append((*place, f"split {_shown(split)}: {what}", "left out"))
            else:
                subsets[subset] = row
    return splits


def _rule_of_file(task: str, splits: Mapping[str, Mapping[str, dict]]) -> Rule:
    order = ("dev",) if task == "MSMARCO" else ("test", "validation", "dev")
    split = next((split for split in order if split in splits), "")
    english = [name for name, row in splits.get(split, {}).items() if _good_name(name) and _is_english(name, row)]
    named = [name for name in ENGLISH if name in english]
    return Rule((split,), tuple(named[:1] or english))


def _is_english(subset: str, row: dict) -> bool:
    languages = [str(code) for code in row["languages"]] if isinstance(row.get("languages"), list) else []
    languages = [code.split("-")[0] for code in languages if not code.endswith("-Code")]
    return set(languages) <= {"eng", "en"} if languages else subset in ENGLISH


def _value(row: dict, metric: str, place: tuple, problems: list) -> float | None:
    """The main score of one split and subset: the rule's metric, else what the file calls so, else the metric that old files have in its place."""
    stated, named = _metric(row, "main_score"), _metric(row, metric)
    if stated is not None and named is not None and abs(stated - named) > 1e-6:
        problems.append((*place, f"main_score is {stated:.6g}, but {metric} is {named:.6g}", f"{metric} taken"))
    if metric.endswith("map_at_1000"):
        old = ["map"]
    elif metric == "max_ap":  # the best of all similarities
        old = sorted((f"{group}_ap" for group in SIMILARITIES), key=lambda name: _metric(row, name) or 0, reverse=True)
    else:
        old = [] if metric else OLD_NAMES
    return next((value for value in (named, stated, *(_metric(row, name) for name in old)) if value is not None), None)


def _metric(row: dict, name: str) -> float | None:
    """A number of a row; old files have cosine_spearman as cos_sim: {spearman: ...}."""
    group, _, inner = name.partition("_")
    block = row.get(SIMILARITIES.get(group, ""))
    value = row.get(name, block.get(inner) if isinstance(block, dict) else None)
    try:
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    except OverflowError:
        return math.inf


def _checked(score: float, place: tuple, problems: list) -> float | None:
    """The score, None where it cannot be one."""
    if not -1 <= score <= 1 + 1e-6:  # nor NaN
        return problems.append((*place, f"{score:g} is no score", "left out"))
    if score in (0, 1) or score < 0:
        problems.append((*place, "below 0, as only a correlation can be" if score < 0 else f"exactly {score:g}", "kept"))
    return min(float(score), 1.0)


def _deduplicated(rows: list[tuple], problems: list[tuple]) -> Scores:
    """Tables of what was found; of several files for one model, revision and task, the newest mteb version's, and of these the first."""
    table = pd.DataFrame(rows, columns=TABLE).astype({"score": float})
    key = ["model", "revision", "task"]
    twice = table[table.duplicated(key, keep=False)]
    kept = best(twice, tuple(key), rank)
    for row in twice.drop(kept.index).merge(kept, on=key, suffixes=("", "_kept")).itertuples():
        what = f"{row.score:.6g}, but {row.score_kept:.6g}" if abs(row.score - row.score_kept) > 1e-6 else "the same score"
        problems.append((row.file, row.model, row.task, f"{what} in {row.file_kept}", "left out"))
    table = table.drop(twice.index.difference(kept.index)).reset_index(drop=True)
    return Scores(table, pd.DataFrame(problems, columns=REPORT))


def _good_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable() and not name.isspace()


def _shown(text: str) -> str:
    """At most 200 printable characters of what may be anything."""
    if len(text) <= 200 and text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:200])[:200]


def _place(root: Path, path: Path) -> str:
    return _shown(path.relative_to(root).as_posix())
