"""Start one Ray node of a local cluster and leave: `python start_node.py PARAMETERS`, as JSON for ray's RayParams, with `head: true` for the head.

It is what `ray start` does, which refuses to make a cluster that is on 127.0.0.1 alone.
"""

from __future__ import annotations

import json
import sys

from ray._private.node import Node
from ray._private.parameter import RayParams


def main(parameters: dict) -> None:
    head = parameters.pop("head", False)
    Node(RayParams(**parameters), head=head, shutdown_at_exit=False, spawn_reaper=False)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
