"""What the nodes of the cluster can hold, and whether an autoscaler could bring others."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

import ray
from ray._private import ray_constants
from ray.experimental.internal_kv import _internal_kv_get

from jobs.slots import Slot

NODE_TYPE = "ray.io/node-group"  # Ray's label for it
NODE_ID = "ray.io/node-id"  # its label for the node itself
_NAMES: dict[str, str] = {}  # of nodes, also of those that are gone since


def fitting(slot: Slot, without: Collection[str] = ()) -> int:
    """How many of a slot the nodes that are up hold at once, where nothing else runs; leaving out some by their id."""
    return sum(_held(node, slot) for node in ray.nodes() if node["Alive"] and node["NodeID"] not in without)


def holding(slot: Slot) -> set[str]:
    """Ids of the nodes that are up and can hold a slot."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"] and _held(node, slot)}


def node_name(node: str) -> str:
    """A node as people find it: the beginning of its id in Ray, and its host."""
    if node not in _NAMES:
        _NAMES.update({
            one["NodeID"]: f"node {one['NodeID'][:8]} ({one.get('NodeManagerHostname') or one['NodeManagerAddress']})" for one in ray.nodes()
        })  # fmt: skip
    return _NAMES.get(node, f"node {node[:8]}")


def node_of_actor(actor) -> str | None:
    """The node that an actor was, or was to be, made on; None where Ray has not chosen one."""
    from ray._private.state import actors

    return (actors(actor._actor_id.hex()).get("Address") or {}).get("NodeID") or None


def largest(resource: str) -> float:
    """The most of a resource that one node has."""
    return max((node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)


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
