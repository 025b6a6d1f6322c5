"""What has ended in a round, and how: counts, and the failures in the store."""

from __future__ import annotations

from jobs.engine.connect import SweepError
from jobs.engine.gauges import Metrics
from jobs.engine.outcome import LIMITS, failed_keys
from jobs.engine.progress import Reporter
from jobs.planning.plan import Plan
from jobs.planning.units import PassWork, measures_key, score_key
from jobs.workers.events import ScoreResult, UnitResult
from jobs.workers.faults import places_fault
from qre.encoders.endpoint import EndpointDown
from qre.store import Failure, Store

# encoders given up because of the machine, with no event of success between them: it is the cluster or the store, not
# the encoders
IN_A_ROW = 6


class Ledger:
    """The ends of units and scores.

    Attributes:
        failed_encoders: keys of units that failed, also on one of their tasks; and of encoders that are not available.
        given_up: units and scores that the machine failed too often, by key; added to here, and tried again by the next
            sweep.
    """

    def __init__(self, store: Store, plan: Plan, reporter: Reporter, metrics: Metrics, given_up: dict[str, Failure]):
        self._store, self._tasks, self._reporter, self._metrics = store, plan.tasks, reporter, metrics
        self._names = {unit.key: unit.spec.name for unit in plan.units}
        self._featured = plan.featured  # of these a feature task makes the measures alone
        self._recorded = store.failures.keys()
        self.given_up = given_up
        self._unit_of: dict[str, str] = {}  # key of a score -> that of its unit
        self.failed_encoders = failed_keys(plan)
        self._in_a_row = 0

    def unit(self, result: UnitResult, attempts: int, node: str = "") -> None:
        """A unit has ended in one step, on this node."""
        if result.status == "failed":
            self._record(result.key, self._names[result.key], result, "permanent", attempts, node)
        elif result.status == "withheld":  # its file cannot be read now: no fault of the encoder
            self._reporter.say_once(f"{self._names[result.key]}: {result.message}; the others go on")
            self.withhold({result.key: self._names[result.key]}, result, attempts, node, recorded=False)
        elif result.status == "absent" and result.message:
            then = "it has no measures of geometry" if result.key in self._featured else "it is made again"
            self._reporter.say(f"{self._names[result.key]}{f' on {node}' if node else ''}: {result.message}; {then}")
        elif result.status == "done":
            self._in_a_row = 0
            self._clear(result.key)

    def score(self, result: ScoreResult, attempts: int, node: str = "") -> None:
        """A unit has ended on a task."""
        key = score_key(result.task, result.key)
        self._unit_of[key] = result.key
        if result.status == "failed":
            self._record(key, self._scored_name(result.task, result.key), result, "permanent", attempts, node)
            return
        self._in_a_row = 0
        self._metrics.scores.inc()
        self._metrics.seconds.observe(result.seconds, {"phase": "score"})
        self._clear(key)

    def pieces(self, work: PassWork) -> dict[str, str]:
        """Key -> what people read, of the embeddings and scores of a pass."""
        of = {score_key(one.task, unit.key): (one.task, unit.key) for one in work.scorings for unit in one.units}
        self._unit_of |= {key: unit for key, (_, unit) in of.items()}
        scores = {key: self._scored_name(*pair) for key, pair in of.items()}
        return {**{unit.key: unit.spec.name for unit in work.units}, **scores}

    def give_up(self, pieces: dict[str, str], error: BaseException, attempts: int, node: str = "") -> None:
        """The machine has failed these too often: key -> what people read. Of a fault of the place nothing is recorded
        against them.

        Raises:
            SweepError: it has failed so many in a row that it is not the encoders.
        """
        self.withhold(pieces, UnitResult.failed("", error), attempts, node, recorded=not places_fault(error))
        if isinstance(error, EndpointDown):  # it says nothing of the cluster or the store
            return
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            raise SweepError(
                f"{IN_A_ROW} encoders in a row were failed by the cluster or the store, none by itself; the "
                f"last{f', on {node}' if node else ''}: {in_short(error)}"
            )

    def withhold(
        self, pieces: dict[str, str], why: UnitResult, attempts: int, node: str = "", recorded: bool = True
    ) -> None:
        """These are not tried again in this sweep. An encoder with features stays on the map: only its measures are
        withheld."""
        for key, name in pieces.items():
            if key in self._featured:
                self._reporter.say_once(f"{name}: {why.message}; it has no measures of geometry on this map")
                of = measures_key(key)
                self.given_up[of] = Failure(
                    key=of, encoder=name, kind="transient", exception=why.exception, message=why.message
                )
                continue
            self.given_up[key] = self._record(key, name, why, "transient", attempts, node, recorded)

    def _clear(self, key: str) -> None:
        if key in self._recorded:
            self._store.failures.clear(key)
            self._recorded.discard(key)

    def _scored_name(self, task: str, unit: str) -> str:
        return f"{self._names[unit]} on {self._tasks[task].name}"

    def _record(
        self,
        key: str,
        name: str,
        why: UnitResult | ScoreResult,
        kind: str,
        attempts: int,
        node: str,
        recorded: bool = True,
    ) -> Failure:
        if why.exception not in LIMITS:
            self.failed_encoders.add(self._unit_of.get(key, key))
        self._metrics.failed.inc(tags={"kind": kind})
        failure = Failure(
            key=key, encoder=name, kind=kind, exception=why.exception, message=why.message, attempts=attempts, node=node
        )
        if recorded:
            self._reporter.say(f"failed: {name}{f' on {node}' if node else ''}: {why.exception}: {why.message}")
            self._recorded.add(key)
            self._store.failures.write(failure)
        return failure


def in_short(error: BaseException) -> str:
    """An exception in one line. Where an actor could not even be made, the last line says why."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[-1 if 'creation task' in lines[0] else 0][:160]}"
