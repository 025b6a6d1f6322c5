"""Why something waits for a node, as Ray's autoscaler says it."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

# protobuf makes these classes at import, and Ray ships no stubs of them
from ray.core.generated.autoscaler_pb2 import AutoscalingState, GetClusterStatusReply, ResourceRequest  # type: ignore[attr-defined]
from ray.exceptions import RayError, RpcError
from ray.experimental.internal_kv import internal_kv_get_gcs_client

from jobs.config.slots import Slot
from jobs.engine.nodes import asked, first_autoscalers_report, fitting, types_up, workers

ANSWER_SECONDS = 5
LOG_BYTES = 200_000  # of the autoscaler's log that are looked at
LAUNCH = re.compile(r"Failed to launch \d+ nodes of type (\S+): (.+)")


@dataclass(frozen=True)
class Demand:
    """A request that no available node type can fulfill."""

    resources: Mapping[str, float]
    labels: frozenset[str]

    def of(self, slot: Slot, memory: float) -> bool:
        """Whether it is the request for this slot, and this memory beside it."""
        wanted = asked(slot, memory)
        same = all(math.isclose(self.resources.get(name, 0.0), amount, rel_tol=0.01) for name, amount in wanted.items())
        return same and self.labels == set(slot.labels) and ("memory" in wanted) == ("memory" in self.resources)


@dataclass(frozen=True)
class Capacity:
    """What is known of nodes that are not there, at one look.

    Attributes:
        infeasible: requests of which no available node type can fulfill a single one; none from the first autoscaler,
            which says so in its log alone. A type whose max_workers are up is not available.
        starting: by node type, nodes that are asked for or being set up.
        refused: by node type, how many nodes the cloud did not give, and its last word on it.
        up: by node type, nodes that are up.
        workers: nodes that are up and can run something.
    """

    infeasible: tuple[Demand, ...] = ()
    starting: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    up: Mapping[str, int] = field(default_factory=dict)
    workers: int = 0

    def why(self, slot: Slot, memory: float = 0.0) -> str:
        """Why a request waits, in a few words."""
        if fitting(slot, memory):
            return "the nodes that hold it are busy, or it is starting there"
        if self.infeasible_for(slot, memory):
            return f"no available node type can fulfill it{self._labels(slot)}"
        refused = [self._refused(name, *told) for name, told in sorted(self.refused.items())]
        starting = [
            f"{count} of {name} starting" for name, count in sorted(self.starting.items()) if name not in self.refused
        ]
        return (
            "; ".join([*refused, *starting])
            or f"no node is large enough for it, and none is starting{self._labels(slot)}"
        )

    def never(self, slot: Slot, memory: float = 0.0) -> bool:
        """Whether no node can come for a request: no type can fulfill it, and that is not because of nodes that are up
        already or starting."""
        return not self.workers and not self.starting and self.infeasible_for(slot, memory)

    def infeasible_for(self, slot: Slot, memory: float = 0.0) -> bool:
        """Whether no available node type can fulfill a request."""
        return any(one.of(slot, memory) for one in self.infeasible)

    def _refused(self, name: str, count: int, reason: str) -> str:
        up = self.up.get(name, 0)
        return f"{up} of {up + count} launched ({name}): {reason or 'monitor.log on the head says why'}"

    @staticmethod
    def _labels(slot: Slot) -> str:
        return (
            f" (with label {', '.join(f'{key}={value}' for key, value in sorted(slot.labels.items()))})"
            if slot.labels
            else ""
        )


def look() -> Capacity:
    """What the autoscaler says now; nothing where there is none, or it does not answer."""
    state = _second()
    return state if state is not None else _first()


def _second() -> Capacity | None:
    """Of the second autoscaler; None where it is another one."""
    reply = GetClusterStatusReply()
    try:
        reply.ParseFromString(internal_kv_get_gcs_client().get_cluster_status(timeout_s=ANSWER_SECONDS))
    except (RayError, RpcError, TimeoutError):
        return Capacity(up=types_up(), workers=workers())
    state: AutoscalingState = reply.autoscaling_state
    if not state.autoscaler_state_version:
        return None
    starting: Counter[str] = Counter()
    for one in state.pending_instance_requests:
        starting[one.ray_node_type_name] += one.count
    for one in state.pending_instances:
        starting[one.ray_node_type_name] += 1
    refused: dict[str, tuple[int, str]] = {}
    for one in sorted(state.failed_instance_requests, key=lambda one: one.failed_ts):
        refused[one.ray_node_type_name] = (
            refused.get(one.ray_node_type_name, (0, ""))[0] + one.count,
            _in_short(one.reason),
        )
    if refused:  # Ray 2.60 loses the reason on its way here
        refused = {
            name: (count, why or logged.get(name, ""))
            for logged in [_logged()]
            for name, (count, why) in refused.items()
        }
    wanted: Counter[tuple] = Counter()
    for one in reply.cluster_resource_state.pending_resource_requests:
        wanted[_shape(one.request)] += one.count
    unfulfilled = Counter(map(_shape, state.infeasible_resource_requests))
    infeasible = tuple(
        Demand(dict(shape[0]), shape[1]) for shape, count in unfulfilled.items() if count >= wanted[shape]
    )
    return Capacity(infeasible, dict(starting), refused, types_up(), workers())


def _shape(request: ResourceRequest) -> tuple:
    """What is asked for, and the keys of the labels."""
    labels = frozenset(label.label_key for each in request.label_selectors for label in each.label_constraints)
    return tuple(sorted(request.resources_bundle.items())), labels


def _logged() -> dict[str, str]:
    """By node type, the last word of the cloud in the autoscaler's log, where that is on this machine: a submitted
    sweep runs on the head."""
    node: Any = ray._private.worker._global_node  # None where this process has started or joined no Ray
    try:
        with open(Path(node.get_logs_dir_path()) / "monitor.log", "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES))
            return {name: _in_short(why) for name, why in LAUNCH.findall(log.read().decode(errors="replace"))}
    except (OSError, AttributeError):
        return {}


def _first() -> Capacity:
    """Of the first autoscaler."""
    report = first_autoscalers_report()
    starting = Counter(report.get("pending_launches") or {})
    starting.update(one[1] for one in report.get("pending_nodes") or ())
    records = ((report.get("node_availability_summary") or {}).get("node_availabilities") or {}).values()
    refused = {}
    for one in records:
        if not one["is_available"]:
            told = one.get("unavailable_node_information") or {}
            refused[one["node_type"]] = (1, _in_short(f"{told.get('category')}: {told.get('description')}"))
    return Capacity((), dict(starting), refused, types_up(), workers())


def _in_short(reason: str) -> str:
    """The last line of what a cloud said: its code stands there."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()] or [""]
    return lines[-1][:200]
