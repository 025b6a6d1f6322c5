"""The sweep: plan, embed, featurize, reduce, and look again until nothing is left.

Every round plans afresh from the store. What was cut off, or was found corrupt on reading, is absent then and is made again; what is there is not.
"""

from __future__ import annotations

import time

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.config import SweepConfig
from jobs.engine.local import Interrupted, Stop, SweepError, cluster
from jobs.engine.loop import POLL_SECONDS, Loop
from jobs.engine.metrics import Metrics
from jobs.engine.nodes import largest
from jobs.engine.progress import Reporter
from jobs.engine.smaller import check_not_smaller
from jobs.planning.plan import Plan, feature_folders, make_plan
from jobs.planning.resolve import FEWEST, Resolved
from jobs.workers.chunks import texts_key
from jobs.workers.reduce import Unread, reduce, reduction
from qre.encoders.passes import pass_key
from qre.errors import UserError
from qre.store import Failure, Store

ROUNDS = 4  # of planning and doing; more are needed only while artefacts keep going bad
ROW_COPIES = 6  # of the feature matrix that the reducer is granted memory for


def sweep(config: SweepConfig, store: Store, resolved: Resolved, plan: Plan, reporter: Reporter, allow_smaller: bool = False) -> Plan:
    """Do all that a plan leaves to do; returns the last plan, in which nothing is left but failures.

    Args:
        allow_smaller: replace a finished atlas also by one that lacks encoders because something could not be asked or done here now.

    Raises:
        UserError: no cluster answers.
        Interrupted: Ctrl-C or SIGTERM; finished units and chunks are kept.
        SweepError: too few encoders succeeded for a map, or it would lack some of the finished one's, or artefacts keep going bad.
    """
    left = sum(unit.key not in plan.failures for unit in plan.units)
    if left < FEWEST:
        raise SweepError(f"{left} encoders can be had, and a map needs at least {FEWEST}")
    store.folder.remove_stale()
    with cluster(config.cluster):
        stop, metrics = Stop(config.cluster.grace_seconds), Metrics(config.name)
        try:
            given_up: dict[str, Failure] = {}
            for _ in range(ROUNDS):
                if plan.done:
                    return plan
                store.sentences.write(plan.sentences.fingerprint, plan.sentences.to_table())
                if plan.passes or plan.to_featurize:
                    Loop(config, store, plan, reporter, stop, metrics, given_up).run()
                    plan = make_plan(config, store, resolved, given_up=given_up)
                if not plan.passes:
                    _remove_leftovers(config, store, plan)
                if not plan.passes and not plan.to_featurize and not plan.atlas_done:
                    if not allow_smaller:
                        check_not_smaller(config, store, plan)
                    _reduce(config, store, plan, reporter, stop, metrics, given_up)
                    plan = make_plan(config, store, resolved, given_up=given_up)
        except RayError as error:
            raise SweepError(f"the cluster does not answer any more: {type(error).__name__}: {error}") from error
        finally:
            stop.restore()
    if not plan.done:
        raise SweepError(f"after {ROUNDS} rounds {len(plan.passes)} passes are still to do; look at the failures and quarantine/ in the store")
    return plan


def _remove_leftovers(config: SweepConfig, store: Store, plan: Plan) -> None:
    """Chunks of passes that are whole: a sweep that was killed may have come no more to remove them, and its actors live on for seconds and write one late."""
    kept = store.chunks.counts().keys()
    if not kept:
        return
    failed = {unit.key: plan.failed(unit) for unit in plan.units}
    passes = {unit.key: pass_key(unit.spec, plan.sentences.fingerprint, config.encode) for unit in plan.units}
    whole = set(passes.values()) - {passes[key] for key in failed if failed[key]}  # of what failed they spare work where it is tried again
    for key in kept & {name for one in whole for name in (one, *(texts_key(one, task) for task in plan.tasks))}:
        store.chunks.remove_left(key)


def _reduce(
    config: SweepConfig, store: Store, plan: Plan, reporter: Reporter, stop: Stop, metrics: Metrics, given_up: dict[str, Failure]
) -> None:  # fmt: skip
    """The atlas, made by one task: the driver sees no feature."""
    if len(plan.on_map) < FEWEST:
        raise SweepError(f"{len(plan.on_map)} encoders have features, and a map needs at least {FEWEST}")
    reporter.begin("atlas", 1)
    began, threads = time.monotonic(), config.cluster.reduce_cpus
    copies = ROW_COPIES + 2 * len(feature_folders(config, plan.sentences.fingerprint))
    memory = min(copies * 8 * len(plan.on_map) * len(plan.sentences) + 2**29, largest("memory") or 0)
    options = {"num_cpus": threads, "memory": memory, "num_returns": "streaming"}
    try:
        _follow(reduce.options(**options).remote(store.location, reduction(config, plan), threads), reporter, stop)
    except RayTaskError as error:
        if isinstance(error.cause, UserError):  # a newer version, or another config that the atlas belongs to
            raise error.cause from None
        if isinstance(error.cause, Unread):
            given_up |= {failure.key: failure for failure in error.cause.failures}
            reporter.say(f"{error.cause}; the map is made without")
            return
        raise SweepError(f"the atlas could not be made: {type(error.cause).__name__}: {error.cause}") from error
    except RayError as error:  # its machine failed it: the next round makes it again
        reporter.say(f"atlas: {type(error).__name__}; trying again")
    metrics.seconds.observe(time.monotonic() - began, {"phase": "reduce"})
    reporter.update("atlas", 1, 1)


def _follow(events: ray.ObjectRefGenerator, reporter: Reporter, stop: Stop) -> None:
    """Tell what the reducer tells, until it ends."""
    stage = None
    while True:
        if stop.asked:
            raise Interrupted(stop.signal)
        if not ray.wait([events], timeout=POLL_SECONDS, fetch_local=False)[0]:
            continue
        try:
            name, done, total = ray.get(next(events))
        except StopIteration:
            return
        if name != stage:
            stage = name
            reporter.begin(f"atlas: {name}", total)
        reporter.update(f"atlas: {name}", done, total)
