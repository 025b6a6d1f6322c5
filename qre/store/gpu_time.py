"""GPU time that the runs of a sweep have held, and tokens that they have paid for."""

from __future__ import annotations

import json
import math

from qre.schemas import NewerSchema
from qre.store.files import Files
from qre.store.folder import canonical_json
from qre.store.shelves import checked, stating


class Spending:
    """spending/<sweep>/<run>.json: GPU seconds by GPU type that one run of a sweep has held, written while it runs.

    A record: schema, began, when (moments), ended (it is the last word of its run), gpu_seconds (by type), reserved (by
        type: what its GPUs take
    until the next record is due; it counts where none came, since the run was killed). Of a pass behind an endpoint,
    which writes its own: tokens, and tokens_cost (their money, None without a price).
    """

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, sweep: str, run: str, record: dict) -> None:
        self._folder.write(f"spending/{sweep}/{run}.json", canonical_json(stating("spending", record)).encode())

    def read(self, sweep: str, known: frozenset[str] = frozenset()) -> tuple[dict[str, dict], list[str]]:
        """Records by run, but for those that are known; and the names of what cannot be read."""
        names = {
            name: name.rsplit("/", 1)[1].removesuffix(".json")
            for name in self._folder.names(f"spending/{sweep}")
            if name.endswith(".json")
        }
        records, unreadable = {}, []
        for name, content in self._folder.read_many(name for name, run in names.items() if run not in known).items():
            try:
                record = checked(name, json.loads(content))
                amounts = [*record["gpu_seconds"].values(), *record["reserved"].values()]
                amounts += [record.get("tokens", 0), record.get("tokens_cost") or 0]
                if not all(type(one) in (int, float) and math.isfinite(one) and one >= 0 for one in amounts):
                    raise ValueError
                records[names[name]] = {**record, "ended": bool(record["ended"])}
            except (ValueError, KeyError, TypeError, AttributeError, NewerSchema):
                unreadable.append(name)
        return records, unreadable
