"""Whether a finished map is still of its config, which may have been edited since it was made."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from jobs.config import SweepConfig
from jobs.planning.plan import Plan, make_plan
from jobs.planning.resolve import resolve
from jobs.planning.resolved import abridged
from jobs.show.sweep_status import changed_settings
from qre.atlas.finished import FinishedAtlas
from qre.errors import UserError
from qre.store import Store


def outdated(settings: SweepConfig, store: Store, atlas: FinishedAtlas, config: str | Path) -> str:
    """In one line how the config differs from what its map was made of, and what to do; "" where it does not. Asks the
    hub nothing."""
    try:
        plan = make_plan(settings, store, resolve(settings, store, ask_hub=False))
    except UserError as error:
        return f"whether the map is still of {config} cannot be told: {error}"
    differ = differences(settings, plan, atlas)
    if not differ and atlas.manifest.get("identity") != plan.identity and not plan.passes:
        differ = ["other tasks or scores"]
    return in_words(differ, config, ". What follows is of the map") if differ else ""


def in_words(differ: Collection[str], config: str | Path, more: str = "") -> str:
    """`differences` in one line, and what to do."""
    return f"the map is not of {config} as it is now: {'; '.join(differ)}{more}; qre sweep {config} updates it"


def differences(settings: SweepConfig, plan: Plan, atlas: FinishedAtlas) -> list[str]:
    """What of a config is otherwise on its map: sentences, settings, encoders, tasks. Encoders that failed are none of
    it."""
    manifest, found = atlas.manifest, []
    if manifest.get("sentences") != plan.sentences.fingerprint:
        found.append(f"other sentences (the map has {atlas.features.shape[1]:,}, the config {len(plan.sentences):,})")
    prediction = (manifest.get("prediction") or {}).get("settings")
    for key, made in (
        ("encode", manifest.get("encode")),
        ("features", manifest.get("features")),
        ("atlas", manifest.get("atlas")),
        ("prediction", prediction),
    ):
        if made is not None and (changed := changed_settings(settings, key, made)):
            found.append(f"other settings: {', '.join(f'{key}.{name}' for name in changed)}")
    failed = {failure.encoder for failure in plan.failures.values()}
    failed |= {str(failure.get("encoder")) for failure in manifest.get("failures") or () if isinstance(failure, dict)}
    wanted = {unit.spec.name: unit.key for unit in plan.units}
    there = (
        dict(zip(atlas.names, atlas.table["key"], strict=True)) if "key" in atlas.table else dict.fromkeys(atlas.names)
    )
    found += _listed("not on the map", [name for name in wanted if name not in there and name not in failed])
    found += _listed("no longer in the config", [name for name in there if name not in wanted and name not in failed])
    if not found:  # other sentences or settings make every encoder another one
        found += _listed("changed since", [name for name, key in wanted.items() if there.get(name, key) != key])
    named = {task.name for task in plan.tasks.values()} | set(plan.public.table["task"])
    scored = set(atlas.scores["task"]) if len(atlas.scores) else set()
    found += _listed("not on the map", sorted(named - scored), "task")
    found += _listed("no longer in the config", sorted(scored - named), "task")
    return found


def _listed(what: str, names: Collection[str], kind: str = "encoder") -> list[str]:
    return [f"{len(names)} {kind}{'s' if len(names) > 1 else ''} {what} ({abridged(list(names))})"] if names else []
