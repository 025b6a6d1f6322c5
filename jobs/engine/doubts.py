"""Failures that are believed when they have come twice, on two nodes where there are two: most are an encoder's own,
some are of one node's installation."""

from __future__ import annotations

from jobs.engine.bench import Bench
from jobs.engine.nodes import node_name, several_nodes
from jobs.engine.waiting import Doubt, Pass
from jobs.workers.events import ScoreResult, UnitResult


class Doubts:
    """What is in doubt, for all passes of a round; a success on another node refutes it, and counts against the
    first."""

    def __init__(self, bench: Bench):
        self._bench = bench

    def raised(self, call: Pass, piece: str | tuple[str, str], result: UnitResult | ScoreResult) -> bool:
        """Whether a result is a failure that is to come a second time before it is believed; noted in the call then."""
        attempt, first = call.attempt, call.attempt.doubts.get(piece)
        assert attempt.node is not None  # it has answered
        if result.status == "failed":
            if result.doubtful and first is None:
                call.doubts[piece] = Doubt(attempt.node, f"{result.exception}: {result.message[:160]}")
            return piece in call.doubts
        self._bench.succeeded(attempt.node)
        if first is not None and first.node != attempt.node:
            self._bench.failed(first.node, attempt.work.key, first.why, attempt.work.slot)
        return False

    def where(self, call: Pass, piece: str | tuple[str, str]) -> str:
        """The node of a piece of work, after that where it had failed before; "" on one machine."""
        first, node = call.attempt.doubts.get(piece), call.attempt.node
        assert node is not None
        if not several_nodes():
            return ""
        return " and ".join(dict.fromkeys(node_name(one) for one in [*([first.node] if first else []), node]))
