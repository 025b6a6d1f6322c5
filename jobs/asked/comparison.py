"""`qre compare`: two encoders beside each other, from their embeddings and, where it stands, from the map."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.asked.opened import formatted, open_atlas, plain, plain_rows, print_table, stored_atlas
from jobs.asked.outdated import differences, in_words
from jobs.config import SweepConfig, load_config
from jobs.config.reading import YAML_ENDINGS
from jobs.show.sweep_status import Standing, standing
from jobs.terminal.console import say
from jobs.terminal.spelled import qre_command, yaml_line
from qre.atlas.differences import difference_interval, items, told_apart
from qre.atlas.finished import FinishedAtlas
from qre.atlas.neighbours import distances_to
from qre.atlas.placement import is_same
from qre.atlas.ranking import one_score_each
from qre.density import DensityOperator, check_finite
from qre.encoders.hub import REPOSITORY
from qre.encoders.matrix_file import is_matrix, read_matrix
from qre.entropy import jensen_shannon, relative
from qre.errors import EmbeddingError, UserError
from qre.features import FeatureMethod, feature_row
from qre.near_names import near_or_containing
from qre.paths import given_path
from qre.similarity import linear_cka
from qre.store import Store

PAIRED = (
    "95 % interval of A − B: from the intervals of both scores, as if each were measured on items of its own. "
    "A paired test could tell smaller differences apart; report.md has it for variants and their parents"
)
DIVERGENCES = ("epsilon", "relative_a_b", "relative_b_a", "jensen_shannon", "linear_cka")


@dataclass(frozen=True)
class Side:
    """One of the two: its name and E, (n, d); None of an encoder of a map whose embedding is not there."""

    name: str
    embedding: np.ndarray | None


def compare(names: Sequence[str], place: str | None, k: int, as_json: bool) -> None:
    """Two encoders of a map or a config, or matrices, beside each other.

    Args:
        names: two; a config may stand before them instead of `place`.
        place: folder of a map, or a config.
    """
    if place is None and len(names) == 3 and Path(names[0]).suffix in YAML_ENDINGS:
        place, *names = names
    if place is None:
        raise UserError(
            "compare: name the map with --atlas, a folder or a config: qre compare A B --atlas results/demo"
        )
    if len(names) != 2:
        raise UserError(f"compare: name two encoders, or matrices, not {len(names)}: qre compare A B --atlas {place}")
    found = (
        _in_config(names, Path(given_path(place))) if Path(place).suffix in YAML_ENDINGS else _in_folder(names, place)
    )
    sides, method, atlas, note = found
    a, b = sides
    try:
        apart = (
            divergences(a.embedding, b.embedding, method)
            if a.embedding is not None and b.embedding is not None
            else dict.fromkeys(DIVERGENCES)
        )
        on_map = None if atlas is None else map_relation(atlas, a, b, k)
    except EmbeddingError as error:
        raise UserError(f"{_unusable(sides, method)}{error}") from None
    scores = pd.DataFrame() if atlas is None else score_differences(atlas, *(side.name for side in sides))
    if as_json:
        sentences = next(
            (len(side.embedding) for side in sides if side.embedding is not None), atlas and atlas.features.shape[1]
        )
        told = {
            "a": sides[0].name,
            "b": sides[1].name,
            "sentences": sentences,
            **apart,
            "map": on_map,
            "scores": plain_rows(scores),
        }
        print(json.dumps({**plain(told), "notes": [note] if note else []}))
        return
    _print(sides, apart, on_map, scores, note)


def _in_config(names: Sequence[str], config: Path) -> tuple[list[Side], FeatureMethod, FinishedAtlas | None, str]:
    """The two sides from the store of a config, the method of its features, its map where there is one, and a note
    where there is none."""
    settings = load_config(config)
    store = Store(settings.store, read_only=True)
    seen = standing(settings, store)
    sides = [_side(one, seen, store, settings, config) for one in names]
    atlas, note = _atlas(settings, store, seen.plan.sentences.fingerprint)
    if atlas is not None and (differ := differences(settings, seen.plan, atlas)):
        note = in_words(differ, config)
    return sides, settings.features, atlas, note


def _in_folder(names: Sequence[str], folder: str) -> tuple[list[Side], FeatureMethod, FinishedAtlas, str]:
    """As _in_config, of a map in a folder: its encoders have no embedding there."""
    atlas = open_atlas(folder)
    sides = []
    for name in names:
        if name not in atlas.names and is_matrix(name):
            sides.append(Side(name, _matrix(name, atlas.features.shape[1], atlas.where)))
        elif name in atlas.names:
            sides.append(Side(name, None))
        else:
            raise UserError(f"{atlas.where}: no encoder {name!r}{_meant(name, atlas.names, folder)}")
    without = list(dict.fromkeys(repr(side.name) for side in sides if side.embedding is None))
    note = (
        f"{folder} holds no embedding of {' and '.join(without)}: name the config instead, --atlas CONFIG, for "
        f"relative entropy, divergence and CKA"
    )
    return sides, atlas.method, atlas, note if without else ""


def _unusable(sides: Sequence[Side], method: FeatureMethod) -> str:
    """ "name: " of the side whose embedding has no density operator; "" where both have one."""
    for side in sides:
        try:
            if side.embedding is not None:
                _operator(side.embedding, method, FeatureMethod().epsilon)
        except EmbeddingError:
            return f"{side.name}: "
    return ""


def _matrix(file: str, n: int, where: object) -> np.ndarray:
    embedding = read_matrix(given_path(file))
    if len(embedding) != n:
        raise UserError(
            f"{file}: {len(embedding)} rows, and the sentence set of {where} has {n}: give the vector of each, in "
            f"their order"
        )
    return embedding


def _meant(name: str, known: Iterable[str], place: str | Path) -> str:
    """What a person may have meant; for the name of a model how to bring it onto the map."""
    known = list(known)
    if not known:
        return ": the sweep has not looked up its encoders yet; qre plan shows what it can run from here"
    meant = near_or_containing(name, known) or f" among its {len(known)}"
    if not (REPOSITORY.fullmatch(name) and "/" in name) and not Path(name).is_dir():
        return meant
    command = f"{qre_command()} place {shlex.quote(name)} --atlas {shlex.quote(str(place))}"
    return (
        f"{meant}{';' if meant.endswith('?') else ':'} `{command}` shows where it would stand; {_to_add(name, place)}"
    )


def _to_add(name: str, place: str | Path) -> str:
    """The line that adds a model to the config, and what comes then."""
    config = Path(place) if Path(place).suffix in YAML_ENDINGS else None
    if Path(name).is_dir():
        path = Path(os.path.abspath(name))
        folder = Path(os.path.abspath(place)).parent
        inside = config is not None and path.is_relative_to(folder)
        entry = {
            "source": "folder",
            "path": str(path.relative_to(folder)) if inside else name if config is None else str(path),
        }
    else:
        entry = {"source": "hub", "id": name}
    return (
        f"to compare it, add `- {yaml_line(entry)}` to the encoders of {config or 'its config'}, then "
        f"{qre_command()} sweep {'CONFIG' if config is None else shlex.quote(str(config))}"
    )


def divergences(first: np.ndarray, second: np.ndarray, method: FeatureMethod) -> dict:
    """S(A‖B) and S(B‖A), Jensen-Shannon divergence (nats) and linear CKA of two embeddings (n, d), (n, d') of the same
    sentences.

    Rows are normalised and centred as the method has it; the null space of the second argument is clipped at the
    method's ε. Where the method mixes instead, its weight is no clipping, and the ε that a clipping has by default is
    taken.

    Raises:
        EmbeddingError: see DensityOperator.from_embedding.
    """
    epsilon = method.epsilon if method.perturbation == "clip" else FeatureMethod().epsilon
    rho, sigma = (_operator(embedding, method, epsilon) for embedding in (first, second))
    return {
        "epsilon": epsilon,
        "relative_a_b": relative(rho, sigma, epsilon),
        "relative_b_a": relative(sigma, rho, epsilon),
        "jensen_shannon": jensen_shannon(rho, sigma),
        "linear_cka": linear_cka(first, second),
    }


def map_relation(atlas: FinishedAtlas, a: Side, b: Side, k: int) -> dict:
    """How two encoders stand to each other among those of a map, which need not hold them.

    Returns:
        metric, distance; same (whether they are the same encoder but for rounding); rank_of_b (1: no encoder of the map
        is nearer to A) and rank_of_a; of how many others; k, and how many of the k nearest others, these two apart,
        they have in common.
    """
    metric = atlas.settings.metric
    features = np.stack([_feature(atlas, side) for side in (a, b)])
    between = float(distances_to(features[:1], features[1:], metric)[0, 0])
    others = [i for i, name in enumerate(atlas.names) if name not in (a.name, b.name)]
    distances = distances_to(features, atlas.features[others], metric)
    same = (a.name == b.name) or is_same(between, features[0], metric)
    near = [set(np.argsort(row, kind="stable")[:k].tolist()) for row in distances]
    return {
        "metric": metric,
        "distance": between,
        "same": same,
        "rank_of_b": 1 + int((distances[0] < between).sum()),
        "rank_of_a": 1 + int((distances[1] < between).sum()),
        "others": len(others),
        "k": min(k, len(others)),
        "neighbours_in_common": len(near[0] & near[1]),
    }


def score_differences(atlas: FinishedAtlas, a: str, b: str) -> pd.DataFrame:
    """task, metric, n, a, b, difference (a - b), low, high (its 95 % interval, from those of both scores as if they
    were independent), apart (whether the interval leaves out 0; None where it is not known), of the tasks that both
    have a score on."""
    scores = one_score_each(atlas.scores)
    both = scores[scores["name"] == a].merge(scores[scores["name"] == b], on="task", suffixes=("", "_b"))
    table = both[["task", "kind", "metric", "n"]].assign(a=both["score"], b=both["score_b"])
    low, high = difference_interval(
        *(both[name].astype(float) for name in ("score", "low", "high", "score_b", "low_b", "high_b"))
    )
    told = [told_apart(*interval) for interval in zip(low, high, strict=True)]
    apart = [None if one is None else one != "" for one in told]
    return table.assign(difference=table["a"] - table["b"], low=low, high=high, apart=apart)


def _verdict(apart: bool | None, difference: float) -> str:
    if apart is None:
        return ""
    return ("A is better" if difference > 0 else "B is better") if apart else "cannot be told apart"


def _side(given: str, seen: Standing, store: Store, settings: SweepConfig, config: Path) -> Side:
    """An encoder of the config with its embedding from the store, or a matrix as it is."""
    units = {unit.spec.name: unit for unit in seen.plan.units}
    if given not in units:
        given = given_path(given)
    if given not in units and is_matrix(given):
        return Side(given, _matrix(given, len(seen.plan.sentences), config))
    if given not in units:
        raise UserError(f"{config}: no encoder {given!r}{_meant(given, units, config)}")
    unit = units[given]
    failure = seen.plan.failures.get(unit.key)
    try:
        return Side(given, store.embeddings.read(unit.key)[0])
    except FileNotFoundError:
        why = f"it failed: {failure.exception}: {failure.message}" if failure else f"qre sweep {config} makes it"
        raise UserError(f"{given!r}: no embedding in {store.location}; {why}") from None


def _atlas(settings: SweepConfig, store: Store, fingerprint: str) -> tuple[FinishedAtlas | None, str]:
    """The map of the config, or None and why there is none to compare on."""
    try:
        atlas = stored_atlas(settings, store)
    except UserError as error:
        return None, str(error)
    if atlas.manifest.get("sentences") != fingerprint:
        return (
            None,
            f"the map in {store.location} is of other sentences, so it tells nothing here; qre sweep makes it again",
        )
    return atlas, ""


def _operator(embedding: np.ndarray, method: FeatureMethod, epsilon: float) -> DensityOperator:
    if method.center:
        check_finite(embedding)
        embedding = embedding - embedding.mean(axis=0, dtype=np.float64)
    return DensityOperator.from_embedding(embedding, normalize=method.normalize, smallest=epsilon)


def _feature(atlas: FinishedAtlas, side: Side) -> np.ndarray:
    """The feature vector of an encoder, from the map where it is on it."""
    if side.name in atlas.names:
        return atlas.features[atlas.names.index(side.name)]
    assert side.embedding is not None  # only one on the map may have none
    return feature_row(side.embedding, atlas.method, side.name).feature


def _print(sides: list[Side], apart: dict, on_map: dict | None, scores: pd.DataFrame, note: str) -> None:
    for letter, side in zip("AB", sides, strict=True):
        dimensions = "" if side.embedding is None else f", {side.embedding.shape[1]} dimensions"
        say(f"{letter}: {side.name}{dimensions}")
    rows = (
        []
        if apart["linear_cka"] is None
        else [
            (f"relative entropy S(A‖B), nats (ε = {apart['epsilon']:g})", formatted(apart["relative_a_b"], ".4f")),
            ("relative entropy S(B‖A), nats", formatted(apart["relative_b_a"], ".4f")),
            ("Jensen-Shannon divergence, nats (at most 0.6931)", formatted(apart["jensen_shannon"], ".4f")),
            (
                "linear CKA of the vectors as they come, lengths included (1: the same)",
                formatted(apart["linear_cka"], ".4f"),
            ),
        ]
    )
    if on_map is not None:
        rows += [
            (f"distance on the map ({on_map['metric']}), nats", formatted(on_map["distance"], ".4f")),
            ("B among the neighbours of A", f"{on_map['rank_of_b']:,} of {on_map['others'] + 1:,}"),
            ("A among the neighbours of B", f"{on_map['rank_of_a']:,} of {on_map['others'] + 1:,}"),
            (f"of the {on_map['k']} nearest others in common", f"{on_map['neighbours_in_common']}"),
        ]
    if note:
        say(f"note: {note}")
    print_table("A and B", pd.DataFrame(rows, columns=["measure", "value"]), {"measure": "", "value": ""})
    if on_map is not None and on_map["same"]:
        say("verdict: the same encoder")
    if len(scores):
        told = scores.rename(columns={"a": "A", "b": "B", "difference": "A − B", "low": "95 % from", "high": "to"})
        told["scored"] = [items(kind, n) for kind, n in zip(scores["kind"], scores["n"].astype(float), strict=True)]
        told["verdict"] = [_verdict(*pair) for pair in zip(scores["apart"], scores["difference"], strict=True)]
        columns = {"task": "", "metric": "", "scored": "", "A": ".4f", "B": ".4f", "A − B": "+.4f", "95 % from": "+.4f"}
        print_table("scores of both", told, {**columns, "to": "+.4f", "verdict": ""})
        say(PAIRED)
