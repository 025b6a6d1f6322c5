"""What the nodes of the cluster can hold, and whether an autoscaler could bring others."""

from __future__ import annotations

import json
import re

import ray
from ray._private import ray_constants
from ray.experimental.internal_kv import _internal_kv_get

from jobs.slots import ACCELERATOR, Slot

NODE_TYPE = "ray.io/node-group"  # Ray's label for it


def fitting(slot: Slot) -> int:
    """How many of a slot the nodes that are up hold at once, where nothing else runs."""
    return sum(_held(node, slot) for node in ray.nodes() if node["Alive"])


def largest(resource: str) -> float:
    """The most of a resource that one node has."""
    return max((node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)


def accelerator(node: str) -> str:
    """The GPU type of a node (Ray's id) by its label: Ray's own, or one that it was started with; "" where it has none."""
    return next((str(one.get("Labels", {}).get(ACCELERATOR) or "") for one in ray.nodes() if one["NodeID"] == node), "")


def autoscaling() -> bool:
    """Whether nodes can come that are not up: an autoscaler with node types of its own stands behind the cluster.

    The first autoscaler reports its types; where there is none, Ray's monitor reports every node as a type of its own, named by the node. The second
    (`ray up` and KubeRay have it) reports none, but every node, the head too, is labelled with its type. KubeRay does so without an autoscaler as well:
    then what no node holds is told later, by the limit on stalls.
    """
    if any(node.get("Labels", {}).get(NODE_TYPE) for node in ray.nodes() if node["Alive"]):
        return True
    report = json.loads(_internal_kv_get(ray_constants.DEBUG_AUTOSCALING_STATUS) or "{}").get("autoscaler_report") or {}
    types = [*(report.get("active_nodes") or ()), *(report.get("idle_nodes") or ())]
    return any(not re.fullmatch(r"node_[0-9a-f]{40,}", name) for name in types)


def _held(node: dict, slot: Slot) -> int:
    there = node["Resources"]
    if not all(_matches(node.get("Labels", {}).get(key), wanted) for key, wanted in slot.labels.items()):
        return 0
    asked = {"CPU": slot.cpus, "GPU": slot.gpus / slot.share, **slot.resources}
    return int(min(there.get(name, 0) / amount for name, amount in asked.items() if amount))


def _matches(value: str | None, wanted: str) -> bool:
    """Ray's label selectors: x, !x, in(x,y), !in(x,y)."""
    negated, listed = wanted.startswith("!"), wanted.removeprefix("!")
    allowed = [one.strip() for one in listed[3:-1].split(",")] if listed.startswith("in(") else [listed]
    return (value in allowed) != negated
