"""The sweep: plan, embed, featurize, reduce, and look again until nothing is left.

Every round plans afresh from the store. What was cut off, or was found corrupt on reading, is absent then and is made
again; what is there is not.
"""

from __future__ import annotations

from ray.exceptions import RayError

from jobs.config import SweepConfig
from jobs.engine.bench import Bench
from jobs.engine.bounds import Limits
from jobs.engine.connect import Stop, SweepError, cluster
from jobs.engine.gauges import Metrics
from jobs.engine.loop import Loop
from jobs.engine.meter import Meter
from jobs.engine.outcome import too_few
from jobs.engine.progress import Reporter
from jobs.engine.reducing import make_atlas
from jobs.engine.watch import check_fits
from jobs.planning.plan import Plan, make_plan
from jobs.planning.resolved import Resolved
from jobs.planning.units import corpus_key
from jobs.planning.work import Times, measured_factor, seconds_done
from jobs.workers.chunks import texts_key
from qre.encoders.passes import pass_key
from qre.store import Failure, Store

ROUNDS = 4  # of planning and doing; more are needed only while artefacts keep going bad


def sweep(
    config: SweepConfig, store: Store, resolved: Resolved, plan: Plan, reporter: Reporter, allow_smaller: bool = False
) -> Plan:
    """Do all that a plan leaves to do; returns the last plan, in which nothing is left but failures.

    Args:
        allow_smaller: replace a finished atlas also by one that lacks encoders because something could not be asked or
            done here now.

    Raises:
        UserError: no cluster answers, or its nodes are too small for the features or the atlas.
        Interrupted: Ctrl-C or SIGTERM; finished units and chunks are kept.
        SweepError: cluster.budget or cluster.deadline left too few encoders for a map; or too few encoders succeeded
            for a map, or it would lack some of the finished one's, or artefacts keep going bad.
    """
    if why := too_few(plan):
        raise SweepError(why)
    store.folder.remove_stale()
    reporter.begin(
        f"connecting to the Ray cluster at {config.cluster.address}" if config.cluster.address else "starting Ray"
    )
    with cluster(config.cluster):
        stop, metrics = Stop(config.cluster.grace_seconds), Metrics(config.name)
        meter = Meter(config, store, reporter)
        try:
            limits = Limits(config, store, meter)
            if not plan.done:
                check_fits(config.cluster)
            given_up: dict[str, Failure] = {}
            bench = Bench(reporter.say)
            factor = measured_factor(plan, config, store)
            reporter.plan(seconds_done(plan, config, factor))
            for _ in range(ROUNDS):
                if plan.done:
                    return plan
                store.sentences.write(plan.sentences.fingerprint, plan.sentences.to_table())
                if plan.passes or plan.to_featurize:
                    Loop(
                        config,
                        store,
                        plan,
                        reporter,
                        stop,
                        metrics,
                        given_up,
                        bench,
                        limits,
                        Times(plan, config, factor),
                    ).run()
                    meter.record(force=True)
                    plan = make_plan(config, store, resolved, given_up=given_up)
                if not plan.passes:
                    _remove_leftovers(config, store, plan)
                if not plan.passes and not plan.to_featurize and not plan.atlas_done:
                    limits.check_map(plan, allow_smaller)
                    make_atlas(config, store, plan, reporter, stop, metrics, bench, given_up)
                    plan = make_plan(config, store, resolved, given_up=given_up)
        except RayError as error:
            raise SweepError(f"the cluster does not answer any more: {type(error).__name__}: {error}") from error
        finally:
            meter.close()
            stop.restore()
    if not plan.done:
        raise SweepError(
            f"after {ROUNDS} rounds {len(plan.passes)} passes are still to do; look at the failures and quarantine/ "
            f"in the store"
        )
    return plan


def _remove_leftovers(config: SweepConfig, store: Store, plan: Plan) -> None:
    """Chunks of passes that are whole: a sweep that was killed may have come no more to remove them, and its actors
    live on for seconds and write one late."""
    kept = store.chunks.counts().keys()
    if not kept:
        return
    failed = {unit.key: plan.failed(unit) for unit in plan.units}
    passes = {unit.key: pass_key(unit.spec, plan.sentences.fingerprint, config.encode) for unit in plan.units}
    # of what failed they spare work where it is tried again
    whole = set(passes.values()) - {passes[key] for key in failed if failed[key]}
    beside = {texts_key(one, task) for one in whole for task in plan.tasks}
    beside |= {corpus_key(one, corpus) for one in whole for corpus in plan.corpora}
    for key in kept & (whole | beside):
        store.chunks.remove_left(key)
