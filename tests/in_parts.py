"""The passes of a config in this process: planned, and embedded one by one."""

from jobs.config import load_config
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.workers.embed import Embedded, embed_pass
from jobs.workers.events import ScoreResult, UnitResult
from qre.store import Store


def planned(path, keep=True):
    """(settings, store, plan) of a config; `keep`: ready vectors are written into the store."""
    settings = load_config(path)
    store = Store(settings.store)
    return settings, store, make_plan(settings, store, resolve(settings, store, keep_vectors=keep))


def embedded(settings, store, plan, source):
    """What the units and scores of all passes of a source end with."""
    events = []
    for work in plan.passes:
        if work.members[0].spec.source == source:
            events += embed_pass(store, work, plan.sentences, settings.encode, tasks=plan.tasks)
    ends = [event.result if isinstance(event, Embedded) else event for event in events]
    return [event for event in ends if isinstance(event, (UnitResult, ScoreResult))]
