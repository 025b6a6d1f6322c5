"""What the nodes of the cluster can hold, and whether an autoscaler could bring others."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

import ray
from ray._private import ray_constants
from ray.experimental.internal_kv import _internal_kv_get

from jobs.config.slots import ACCELERATOR, Slot

NODE_TYPE = "ray.io/node-group"  # Ray's label for it
NODE_ID = "ray.io/node-id"  # its label for the node itself
_NAMES: dict[str, str] = {}  # of nodes, also of those that are gone since


def fitting(slot: Slot, memory: float = 0.0, without: Collection[str] = ()) -> int:
    """How many of a slot, with memory (bytes) beside it, the nodes that are up hold at once, where nothing else runs;
    leaving out some by their id."""
    return sum(_held(node, slot, memory) for node in ray.nodes() if node["Alive"] and node["NodeID"] not in without)


def holding(slot: Slot, memory: float = 0.0) -> set[str]:
    """Ids of the nodes that are up and can hold a slot, with memory (bytes) beside it."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"] and _held(node, slot, memory)}


def not_on(nodes: Collection[str], labels: Mapping[str, str] = MappingProxyType({})) -> dict:
    """Options of a task or an actor that is kept from these nodes, by their ids, beside the labels that it asks for;
    none where there are no such nodes."""
    return {"label_selector": {**labels, NODE_ID: f"!in({','.join(sorted(nodes))})"}} if nodes else {}


def node_name(node: str) -> str:
    """A node as people find it: the beginning of its id in Ray, and its host."""
    if node not in _NAMES:
        _NAMES.update(
            {
                one[
                    "NodeID"
                ]: f"node {one['NodeID'][:8]} ({one.get('NodeManagerHostname') or one['NodeManagerAddress']})"
                for one in ray.nodes()
            }
        )
    return _NAMES.get(node, f"node {node[:8]}")


def several_nodes() -> bool:
    """Whether this cluster has, or has had, more than one node: only then does it say anything where something runs."""
    return len(ray.nodes()) > 1


def on_node(node: str | None) -> str:
    """Where something is, for the middle of a sentence; "" on one machine."""
    return f" on {node_name(node)}" if node and several_nodes() else ""


def node_of_actor(actor) -> str | None:
    """The node that an actor was, or was to be, made on; None where Ray has not chosen one."""
    from ray._private.state import actors

    return (actors(actor._actor_id.hex()).get("Address") or {}).get("NodeID") or None


def asked(slot: Slot, memory: float = 0.0) -> dict[str, float]:
    """What a slot takes of a node, by Ray's names."""
    amounts = {"CPU": slot.cpus, "GPU": slot.gpus / slot.share, "memory": memory, **slot.resources}
    return {name: amount for name, amount in amounts.items() if amount}


def lacking(slot: Slot) -> str:
    """What of a slot no node that is up has: its labels, or so much of something."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    for key, wanted in slot.labels.items():
        if not any(_matches(node.get("Labels", {}).get(key), wanted) for node in nodes):
            return f"no node has the label {key}={wanted}"
    most = {name: max((node["Resources"].get(name, 0.0) for node in nodes), default=0.0) for name in asked(slot)}
    short = [f"{most[name]:g} {name}" for name, amount in asked(slot).items() if most[name] < amount]
    return f"the most that one has is {', '.join(short)}" if short else "no single node has all of it"


def types_up() -> dict[str, int]:
    """By node type, the nodes that are up and are labelled with one."""
    return Counter(kind for node in ray.nodes() if node["Alive"] and (kind := node.get("Labels", {}).get(NODE_TYPE)))


def workers() -> int:
    """Nodes that are up and can run something: a head without CPUs runs nothing."""
    return sum(node["Alive"] and any(node["Resources"].get(name) for name in ("CPU", "GPU")) for node in ray.nodes())


def largest(resource: str, slot: Slot | None = None) -> float:
    """The most of a resource that one node has; of those that hold a slot, where one is given."""
    nodes = [node for node in ray.nodes() if node["Alive"] and (slot is None or _held(node, slot, 0.0))]
    return max((node["Resources"].get(resource, 0.0) for node in nodes), default=0.0)


def accelerator(node: str) -> str:
    """The GPU type of a node (Ray's id) by its label: Ray's own, or one that it was started with; "" where it has
    none."""
    return next((str(one.get("Labels", {}).get(ACCELERATOR) or "") for one in ray.nodes() if one["NodeID"] == node), "")


def autoscaling() -> bool:
    """Whether nodes can come that are not up: an autoscaler with node types of its own stands behind the cluster.

    The first autoscaler reports its types; where there is none, Ray's monitor reports every node as a type of its own,
    named by the node. The second (`ray up` and KubeRay have it) reports none, but every node, the head too, is labelled
    with its type. KubeRay does so without an autoscaler as well: then what no node holds is told later, by the limit on
    stalls.
    """
    if any(node.get("Labels", {}).get(NODE_TYPE) for node in ray.nodes() if node["Alive"]):
        return True
    report = first_autoscalers_report()
    types = [*(report.get("active_nodes") or ()), *(report.get("idle_nodes") or ())]
    return any(not re.fullmatch(r"node_[0-9a-f]{40,}", name) for name in types)


def first_autoscalers_report() -> dict:
    """What the first autoscaler, or Ray's monitor in its place, has written down last; empty where there is neither."""
    return json.loads(_internal_kv_get(ray_constants.DEBUG_AUTOSCALING_STATUS) or "{}").get("autoscaler_report") or {}


def _held(node: dict, slot: Slot, memory: float) -> int:
    there = node["Resources"]
    if not all(_matches(node.get("Labels", {}).get(key), wanted) for key, wanted in slot.labels.items()):
        return 0
    return int(min(there.get(name, 0) / amount for name, amount in asked(slot, memory).items()))


def _matches(value: str | None, wanted: str) -> bool:
    """Ray's label selectors: x, !x, in(x,y), !in(x,y)."""
    negated, listed = wanted.startswith("!"), wanted.removeprefix("!")
    allowed = [one.strip() for one in listed[3:-1].split(",")] if listed.startswith("in(") else [listed]
    return (value in allowed) != negated
