"""A finished atlas is not replaced by one that lacks some of its encoders only because something could not be asked, or
done, here and now."""

from __future__ import annotations

import io

import pandas as pd

from jobs.config import SweepConfig
from jobs.engine.connect import SweepError
from jobs.planning.plan import Plan
from jobs.planning.resolved import abridged
from qre.encoders.hub_problems import WITHHELD
from qre.store import CorruptArtefact, Store


def check_not_smaller(config: SweepConfig, store: Store, plan: Plan) -> None:
    """Refuse to replace the atlas of the store by a smaller one.

    Raises:
        SweepError: naming what it would lack, why, and the way out.
    """
    # the hub says "missing" also of a private encoder where the token is: what was on the map is not missing by itself
    hindered = {
        failure.encoder: failure.message
        for failure in plan.failures.values()
        if failure.kind == "transient" or failure.exception in WITHHELD
    }
    reasons = [*plan.incomplete, *hindered.values()]
    if not reasons:
        return
    own_fault = {failure.encoder for failure in plan.failures.values()} - hindered.keys()
    lost = _names(config, store) - {unit.spec.name for unit in plan.on_map} - own_fault
    if not plan.incomplete:  # everything is known that the config names: what it names no more is not missed
        lost &= hindered.keys()
    if lost:
        raise SweepError(
            f"the finished map is kept, since a new one would be missing {len(lost)} of its encoders "
            f"({abridged(sorted(lost))}): {reasons[0]}. "
            "Fix that and run the same command again, or replace the map with --allow-smaller"
        )


def _names(config: SweepConfig, store: Store) -> set[str]:
    """The encoders of the atlas in the store; none where there is no whole one."""
    if store.atlases.manifest(config.name) is None:
        return set()
    try:
        return set(
            pd.read_parquet(io.BytesIO(store.atlases.read(config.name, "map.parquet")), columns=["name"])["name"]
        )
    except (FileNotFoundError, CorruptArtefact):
        return set()
