"""The main score of one result file, in the new format or one from before mteb 1.11."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from qre.tasks.mteb.rules import ALL, Rule
from qre.tasks.mteb.rules import ENGLISH as ENGLISH_ONLY
from qre.tasks.mteb.scores import checked, good_name, shown

OTHER_LANGUAGES = "left out; `languages:` takes them in"
ENGLISH = ("en", "en-en", "eng", "default")
SIMILARITIES = {
    "max": "max",
    "cosine": "cos_sim",
    "dot": "dot",
    "euclidean": "euclidean",
    "manhattan": "manhattan",
    "similarity": "similarity",
}
# main scores of files that name none, by task type
OLD_NAMES = ("cosine_spearman", "max_ap", "ndcg_at_10", "map", "v_measure", "accuracy", "f1")


def main_score(
    data: dict,
    task: str,
    rules: Mapping[str, Rule],
    place: tuple,
    problems: list,
    languages: tuple[str, ...] = ENGLISH_ONLY,
) -> tuple[float, Rule] | None:
    """The score on 0-1 of what a result file holds and the rule that it was taken by; None, with a problem, where the
    rule is not filled.

    Args:
        rules: what counts, by task; a task that is not among them gets the rule of the file.
        place: (file, model, task), for problems.
        languages: for the rule of the file: whose subsets count.
    """
    splits = _splits(data, place, problems)
    rule = rules.get(task) or _rule_of_file(task, splits, languages)
    if not rule.subsets:
        which = "English scores" if languages == ENGLISH_ONLY else f"scores in {', '.join(languages)}"
        problems.append((*place, f"no {which} for a split that counts", "left out"))
        return None
    there = [
        (subset, row)
        for split in rule.splits
        for subset, row in splits.get(split, {}).items()
        if subset not in rule.subsets
    ]
    others = list(dict.fromkeys(subset for subset, row in there if not _in_languages(subset, row, languages)))
    if others:
        listed = ", ".join(shown(name) for name in others[:8]) + (
            f" and {len(others) - 8} more" if len(others) > 8 else ""
        )
        problems.append((*place, f"other languages: {listed}", OTHER_LANGUAGES))
    found = []
    for split in rule.splits:
        for subset in rule.subsets:
            row = splits.get(split, {}).get(subset)
            if row is None:
                problems.append((*place, f"no scores for split {split}, subset {subset}", "left out"))
                return None
            found.append(_value(row, rule.metric, place, problems))
    values = [value for value in found if value is not None]
    if len(values) < len(found):
        problems.append((*place, "no main score", "left out"))
        return None
    if 1 + 1e-6 < max(values) <= 100:
        problems.append((*place, f"on 0-100 ({max(values):g})", "divided by 100"))
        values = [value / 100 for value in values]
    score = checked(sum(values) / len(values), place, problems)
    return None if score is None else (score, rule)


def _splits(data: dict, place: tuple, problems: list) -> dict[str, dict[str, dict]]:
    """Split -> subset -> scores, of new files and of those from before mteb 1.11, where split and perhaps subset are
    keys of the file itself."""
    if "scores" not in data:
        blocks = {split: block for split, block in data.items() if isinstance(block, dict)}
        inner = {
            split: {k: v for k, v in block.items() if isinstance(v, dict) and k not in SIMILARITIES.values()}
            for split, block in blocks.items()
        }
        return {split: inner[split] or {"default": block} for split, block in blocks.items()}
    splits: dict[str, dict[str, dict]] = {}
    for split, rows in data["scores"].items() if isinstance(data["scores"], dict) else ():
        subsets = splits.setdefault(split, {})
        for row in rows if isinstance(rows, list) else ():
            subset = row.get("hf_subset", "default") if isinstance(row, dict) else None
            if not isinstance(subset, str) or subset in subsets:
                what = "a subset twice" if isinstance(subset, str) else "not a row of scores"
                problems.append((*place, f"split {shown(split)}: {what}", "left out"))
            else:
                subsets[subset] = row
    return splits


def _rule_of_file(task: str, splits: Mapping[str, Mapping[str, dict]], languages: tuple[str, ...]) -> Rule:
    order = ("dev",) if task == "MSMARCO" else ("test", "validation", "dev")
    split = next((split for split in order if split in splits), "")
    meant = [
        name for name, row in splits.get(split, {}).items() if good_name(name) and _in_languages(name, row, languages)
    ]
    named = [name for name in ENGLISH if name in meant] if languages == ENGLISH_ONLY else []
    return Rule((split,), tuple(named[:1] or meant))


def _in_languages(subset: str, row: dict, wanted: tuple[str, ...]) -> bool:
    """Whether all languages of a subset are among those wanted; files from before mteb 1.11 name them by the subset
    alone."""
    if wanted == ALL:
        return True
    languages = [str(code) for code in row["languages"]] if isinstance(row.get("languages"), list) else []
    languages = [code.split("-")[0] for code in languages if not code.endswith("-Code")]
    if languages:
        return set(languages) <= {*wanted, *(("en",) if "eng" in wanted else ())}
    return ("eng" in wanted and subset in ENGLISH) or subset in wanted


def _value(row: dict, metric: str, place: tuple, problems: list) -> float | None:
    """The main score of one split and subset: the rule's metric, else what the file calls so, else the metric that old
    files have in its place."""
    stated, named = _metric(row, "main_score"), _metric(row, metric)
    if stated is not None and named is not None and abs(stated - named) > 1e-6:
        problems.append((*place, f"main_score is {stated:.6g}, but {metric} is {named:.6g}", f"{metric} taken"))
    old: Sequence[str]
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
