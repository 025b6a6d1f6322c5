"""Nodes that fail what others can do: they get no more work, so that a node that fails fast, and is always free for the
next, does not eat the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection

from jobs.config.slots import Slot
from jobs.engine.nodes import autoscaling, holding, node_name
from jobs.engine.schedule import Attempt

IN_A_ROW = 3  # passes that a node fails with no success between: then it is suspected


class Bench:
    """Which nodes are kept from work.

    A node that failed so many passes in a row is *suspected*, and gets none while another node that holds the slot is
    not. If then another node does what it could not, it is *benched* for the rest of the sweep. Where all nodes are
    suspected it is not the nodes, and all are tried again.

    Attributes:
        benched: reason by node.
        failures: passes that the machine has failed, by node.
    """

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._rows: dict[str, dict[str, str]] = {}  # node -> pass -> why
        self._slots: dict[str, Slot] = {}  # that the last of them held
        self.benched: dict[str, str] = {}
        self.failures: dict[str, int] = {}

    def failed(self, node: str, key: str, why: str, slot: Slot) -> None:
        """A pass was failed by the node, or what it failed with there did not come again elsewhere."""
        self.failures[node] = self.failures.get(node, 0) + 1
        row = self._rows.setdefault(node, {})
        row[key], self._slots[node] = why, slot
        if node in self.suspected and not holding(slot) - self.suspected - self.benched.keys():
            self._rows.clear()

    def succeeded(self, node: str) -> None:
        """A piece of work was done on the node."""
        self._rows.pop(node, None)
        for bad in [bad for bad in self.suspected - self.benched.keys() if node in holding(self._slots[bad])]:
            reasons = list(dict.fromkeys(self._rows.pop(bad).values()))
            self.benched[bad] = "; ".join(reasons[:2])
            self._say(
                f"{node_name(bad)} gets no more work in this sweep: {IN_A_ROW} encoders in a row failed there that "
                f"others may do: {self.benched[bad]}"
            )

    @property
    def suspected(self) -> set[str]:
        return {node for node, row in self._rows.items() if len(row) >= IN_A_ROW}

    @staticmethod
    def nowhere_else(attempt: Attempt) -> bool:
        """Whether no node holds the attempt's slot but those where it has failed."""
        return not holding(attempt.work.slot) - attempt.avoid - {attempt.node}

    def kept_from(self, slot: Slot, avoided: Collection[str] = ()) -> frozenset[str]:
        """The nodes that an attempt with this slot is kept from: those on the bench, and those where it failed before,
        if another node holds the slot.

        Only for a node on the bench an autoscaler may bring another.
        """
        bad, there = self.suspected | self.benched.keys(), holding(slot)
        out = bad if there - bad or (self.benched and autoscaling()) else set()
        out = out | set(avoided) if there - out - set(avoided) else out
        return frozenset(out & there)
