"""What a sweep has spent: GPU hours of all its runs, and their money by the config's prices. From the store alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.config.prices import price_of
from jobs.config.slots import ClusterSettings
from qre.store import Store

UNKNOWN = "unknown type"


@dataclass(frozen=True)
class Spent:
    """GPU time that passes have held.

    Attributes:
        gpu_seconds: by GPU type.
        unreadable: records of runs that cannot be read, and so are not counted.
    """

    gpu_seconds: Mapping[str, float]
    unreadable: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        return sum(self.gpu_seconds.values()) / 3600

    def cost(self, prices: Mapping[str, float]) -> float | None:
        """In the currency of the prices, without what has no price; None where nothing has one."""
        if not prices:
            return None
        return sum(seconds / 3600 * (price_of(kind, prices) or 0.0) for kind, seconds in self.gpu_seconds.items())

    def unpriced(self, prices: Mapping[str, float]) -> list[str]:
        """GPU types that were used and have no price."""
        return sorted(kind for kind, seconds in self.gpu_seconds.items() if seconds and price_of(kind, prices) is None)

    def told(self, settings: ClusterSettings) -> dict:
        """For machines."""
        cost = self.cost(settings.prices)
        return {
            "gpu_hours": round(self.hours, 5),
            "by_type": {kind: round(seconds / 3600, 5) for kind, seconds in sorted(self.gpu_seconds.items())},
            "cost": None if cost is None else round(cost, 4),
            "budget": settings.budget,
            "prices": dict(settings.prices),
            "without_price": self.unpriced(settings.prices) if settings.prices else [],
        }

    def words(self, settings: ClusterSettings) -> list[str]:
        """Lines for people; none where no GPU was held and there is no budget."""
        lines = [
            f"{name} cannot be read, or is of a newer version: what that run spent is not counted"
            for name in self.unreadable
        ]
        if not self.gpu_seconds and settings.budget is None:
            return lines
        kinds = ", ".join(f"{kind} {seconds / 3600:.2f}" for kind, seconds in sorted(self.gpu_seconds.items()))
        line, cost = f"spent: {self.hours:.2f} GPU hours" + (f" ({kinds})" if kinds else ""), self.cost(settings.prices)
        if cost is not None:
            line += (
                f", {cost:.2f}"
                + (f" of {settings.budget:.2f}" if settings.budget is not None else "")
                + " by cluster.prices"
            )
            if without := self.unpriced(settings.prices):
                line += f"; without a price, and in hours only: {', '.join(without)}"
        return [line, *lines]


def summed(records: Iterable[Mapping], unreadable: Iterable[str] = ()) -> Spent:
    """The sum of records; of a run that has not said its last word also what it had reserved."""
    seconds: Counter = Counter()
    for record in records:
        seconds.update(record["gpu_seconds"])
        if not record["ended"]:
            seconds.update(record["reserved"])
    return Spent({kind: amount for kind, amount in seconds.items() if amount}, tuple(unreadable))


def read_spent(store: Store, sweep: str) -> Spent:
    """What all runs of a sweep have spent."""
    records, unreadable = store.spending.read(sweep)
    return summed(records.values(), unreadable)
