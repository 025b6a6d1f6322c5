"""What a sweep has spent: GPU hours of all its runs, and their money by the config's prices; tokens of endpoints, and
their money by the price that stood beside each. From the store alone."""

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
    """GPU time that passes have held, and tokens that they have paid for.

    Attributes:
        gpu_seconds: by GPU type.
        tokens, tokens_cost: of endpoints, and the money of those that have a price; None where none has.
        tokens_free: of them, without a price.
        unreadable: records of runs that cannot be read, and so are not counted.
    """

    gpu_seconds: Mapping[str, float]
    unreadable: tuple[str, ...] = ()
    tokens: int = 0
    tokens_cost: float | None = None
    tokens_free: int = 0

    @property
    def hours(self) -> float:
        return sum(self.gpu_seconds.values()) / 3600

    def cost(self, prices: Mapping[str, float]) -> float | None:
        """In the currency of the prices, without what has no price; None where nothing has one."""
        if not prices:
            return self.tokens_cost
        return (self.tokens_cost or 0.0) + sum(
            seconds / 3600 * (price_of(kind, prices) or 0.0) for kind, seconds in self.gpu_seconds.items()
        )

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
            **({"tokens": self.tokens, "tokens_cost": self.tokens_cost} if self.tokens else {}),
        }

    def words(self, settings: ClusterSettings) -> list[str]:
        """Lines for people; none where nothing was held or paid for and there is no budget."""
        lines = [
            f"{name} cannot be read, or is of a newer version: what that run spent is not counted"
            for name in self.unreadable
        ]
        if not self.gpu_seconds and not self.tokens and settings.budget is None:
            return lines
        kinds = ", ".join(f"{kind} {seconds / 3600:.2f}" for kind, seconds in sorted(self.gpu_seconds.items()))
        hours = f"{self.hours:.2f} GPU hours" + (f" ({kinds})" if kinds else "")
        tokens = f"{self.tokens:,} tokens of endpoints"
        if self.tokens_free:
            tokens += f" ({'all' if self.tokens_free == self.tokens else f'{self.tokens_free:,}'} without a price)"
        parts = [hours] * bool(self.gpu_seconds) + [tokens] * bool(self.tokens)
        line, cost = f"spent: {', '.join(parts) or 'nothing'}", self.cost(settings.prices)
        if cost is not None:
            line += f", {money(cost)}" + (f" of {money(settings.budget)}" if settings.budget is not None else "")
            by = ["cluster.prices"] * bool(self.gpu_seconds or settings.prices)
            by += ["price_per_million_tokens"] * (self.tokens_cost is not None)
            line += f" by {' and '.join(by)}"
            if without := self.unpriced(settings.prices):
                line += f"; without a price, and in hours only: {', '.join(without)}"
        return [line, *lines]


def summed(records: Iterable[Mapping], unreadable: Iterable[str] = ()) -> Spent:
    """The sum of records; of a run that has not said its last word also what it had reserved."""
    seconds: Counter = Counter()
    tokens, free, costs = 0, 0, []
    for record in records:
        tokens += (counted := record.get("tokens", 0))
        cost = record.get("tokens_cost")
        costs += [cost] if counted and cost is not None else []
        free += counted if cost is None else 0
        seconds.update(record["gpu_seconds"])
        if not record["ended"]:
            seconds.update(record["reserved"])
    held = {kind: amount for kind, amount in seconds.items() if amount}
    return Spent(held, tuple(unreadable), tokens, sum(costs) if costs else None, free)


def money(amount: float) -> str:
    """A sum of money; tokens cost little, and a small one has more digits."""
    return f"{amount:.2f}" if amount == 0 or amount >= 0.1 else f"{amount:.4f}" if amount >= 1e-4 else f"{amount:.1e}"


def read_spent(store: Store, sweep: str) -> Spent:
    """What all runs of a sweep have spent."""
    records, unreadable = store.spending.read(sweep)
    return summed(records.values(), unreadable)
