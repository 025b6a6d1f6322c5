"""What is shown of a sweep while it runs, after it, or after it died: from its store alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.markup import escape

from jobs.config import SweepConfig
from jobs.config.slots import ClusterSettings
from jobs.planning.plan import Plan, make_plan
from jobs.planning.resolve import resolve
from jobs.records.ownership import another, owner_of
from jobs.records.spending import Spent, read_spent
from jobs.show.course import course
from jobs.show.failures import print_failures, print_warnings
from jobs.show.plan_tables import counts, done_in_words, print_families, print_notes
from jobs.terminal.console import console, say
from jobs.workers.chunks import texts_key
from qre.counted import counted
from qre.encoders.passes import pass_key
from qre.store import Store


@dataclass(frozen=True)
class Standing:
    """How far a sweep is.

    Attributes:
        here: the store is there, seen from this machine.
        chunks: by encoder, how many chunks of its pass are kept; only of passes that are not whole.
        progress: the last sign of life, or None.
        settings: what the config asks of Ray, with its prices.
        spent: GPU time of all runs.
        config: its file, for commands that are named.
        map: whether the map stands, and is of this config, in words.
        other: file of another config, which the atlas and the progress of this name belong to.
        warned: by encoder, what libraries warned of while it was loaded; of all that are read off one pass, the first
            is named.
    """

    plan: Plan
    here: bool
    chunks: dict[str, int]
    progress: dict | None
    settings: ClusterSettings
    spent: Spent
    warned: dict[str, list[str]] = field(default_factory=dict)
    other: str = ""
    config: str = "CONFIG"
    map: str = ""


def standing(settings: SweepConfig, store: Store, config: Path | None = None) -> Standing:
    """How far a sweep is, from its store: during a run, after it, or after it died. Asks the hub nothing.

    Args:
        store: may be one that is only looked at.
        config: the file of the settings, to tell whose the atlas of this name is.

    Raises:
        UserError: naming the entry of the config; NewerSchema where an artefact that it needs is of a newer version.
    """
    plan = make_plan(settings, store, resolve(settings, store, ask_hub=False))
    kept = store.chunks.counts()
    chunks = {
        work.members[0].spec.name: kept[work.key] + sum(kept[texts_key(work.key, one.task)] for one in work.scorings)
        for work in plan.passes
    }
    here = not store.is_local or Path(store.location).is_dir()
    of_pass: dict[str, str] = {}
    for unit in plan.units:
        of_pass.setdefault(pass_key(unit.spec, plan.sentences.fingerprint, settings.encode), unit.spec.name)
    warned = {
        of_pass[key]: said
        for key, said in sorted(store.notices.read(of_pass).items(), key=lambda pair: of_pass[pair[0]])
    }
    progress, spent = store.progress.read(settings.name), read_spent(store, settings.name)
    other = ""
    if config is not None:
        other = another(
            store,
            settings.name,
            owner_of(settings, config, plan.sentences.fingerprint, (unit.key for unit in plan.units)),
        )
    whose = (
        [f"the map and the progress {settings.name!r} in this store belong to another config, {other}"] if other else []
    )
    plan = replace(plan, notes=(*plan.notes, *whose, *store.notes()))
    kept_chunks = {name: count for name, count in chunks.items() if count}
    return Standing(
        plan,
        here,
        kept_chunks,
        progress,
        settings.cluster,
        spent,
        warned,
        other,
        "CONFIG" if config is None else str(config),
        _map_in_words(plan, settings, None if plan.atlas_done or other else store.atlases.manifest(settings.name)),
    )


def _map_in_words(plan: Plan, settings: SweepConfig, older: dict | None) -> str:
    """Whether the map of a plan is made; `older`: the manifest of a map of another state of the config."""
    if plan.atlas_done:
        left = len({unit.spec.name for work in plan.passes for unit in work.units})
        more = f", without {counted(left, 'encoder')} left to embed" if left else ""
        return f"the map is up to date{more}"
    if older is None:
        return "the map is not made yet"
    if older.get("sentences") != plan.sentences.fingerprint:
        return "there is a map, of other sentences"
    for key in ("encode", "features", "atlas"):
        if changed_settings(settings, key, older.get(key) or {}):
            return f"there is a map, with other settings ({key})"
    return "there is a map, of other encoders, tasks or scores"


def changed_settings(settings: SweepConfig, key: str, made: dict) -> list[str]:
    """Names of the settings under a key of the config that differ from those that a map was made with."""
    now = getattr(settings, key).model_dump(mode="json")
    return sorted(name for name in now.keys() | made.keys() if now.get(name) != made.get(name))


def print_standing(seen: Standing, as_json: bool = False) -> None:
    if as_json:
        progress, spent = None if seen.other else seen.progress, seen.spent.told(seen.settings)
        print(
            json.dumps(
                {
                    **counts(seen.plan),
                    "chunks": seen.chunks,
                    "progress": progress,
                    "warnings": seen.warned,
                    "spent": spent,
                }
            )
        )
        return
    if not seen.here:
        console.print("note: there is no store yet, or it is not on this machine")
    if seen.progress and not seen.other:
        for line in course(seen.progress, done_in_words(seen.plan), seen.config):
            say(line)
    say(seen.map if seen.plan.atlas_done else f"{seen.map}: qre sweep {seen.config}")
    print_notes(seen.plan)
    if seen.plan.units:
        print_families(seen.plan)
    for name, count in seen.chunks.items():
        console.print(
            f"{escape(name)}: begun, {count} chunk{'s' if count > 1 else ''} of its work kept", highlight=False
        )
    print_failures(seen.plan)
    print_warnings(seen.warned)
    print_spent(seen.spent, seen.settings)


def print_spent(spent: Spent, settings: ClusterSettings) -> None:
    for line in spent.words(settings):
        say(line)
