"""Start one Ray node of a local cluster and leave: `python start_node.py PARAMETERS`, as JSON for ray's RayParams, with
`head: true` for the head.

It is what `ray start` does, which refuses to make a cluster that is on 127.0.0.1 alone.
"""

from __future__ import annotations

import functools
import json
import sys
import time

from ray._private import services
from ray._private.node import Node
from ray._private.parameter import RayParams

REGISTERED_SECONDS = (
    200.0  # Ray itself gives a node 30 s to register with the head, which is too short on a busy machine
)


def main(parameters: dict) -> None:
    head = parameters.pop("head", False)
    services.get_node = functools.partial(_registered, services.get_node)
    Node(RayParams(**parameters), head=head, shutdown_at_exit=False, spawn_reaper=False)


def _registered(get_node, *arguments) -> dict:
    """What the head knows of a node, as soon as it has registered."""
    end = time.monotonic() + REGISTERED_SECONDS
    while True:
        try:
            return get_node(*arguments)
        except RuntimeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
