"""A cluster of several Ray nodes on this machine, on 127.0.0.1, for trying a sweep out and for the tests.

    python cluster/local.py --nodes 2 --cpus 1 --gpus 1 --dashboard

GPUs are only declared: Ray schedules by them, and nothing computes on them. Each cluster has its own ports, its own
    temporary folder and a mark in the
environment of its processes, so several run side by side and none touches another Ray. However its owner ends, guard.py
ends the cluster. Linux only.

Token authentication is on, with this user's own token, which Ray keeps in ~/.ray/auth_token (RAY_AUTH_TOKEN and
RAY_AUTH_TOKEN_PATH are respected).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from cluster.guard import MARK, command, descendants, end, kill, marked  # noqa: E402

LOOPBACK = "127.0.0.1"
# Ray takes 127.0.0.1 and localhost for the machine's outer address, where nothing of this cluster listens; not so this
SPELLED = "LOCALHOST"
DASHBOARD_PORT = 8265  # where `qre submit` looks by itself
START_SECONDS = 240.0  # a node takes 3 to 10 s; much longer on a busy machine
HEAD_ID = "f" * 51 + "00000"  # ray.autoscaler._private.fake_multi_node.node_provider.FAKE_HEAD_NODE_ID
# the port of a node that is killed refuses at once; one that only waits for a CPU is given six seconds
FAST_HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
}


@dataclass(frozen=True)
class Node:
    """A node that runs: its id in Ray, and the process id of its raylet."""

    id: str
    pid: int
    head: bool


class LocalCluster:
    """Ray nodes in processes of their own, from here to `close` or the end of the `with`.

    Args:
        nodes: worker nodes to start with; default 2, or 0 where an autoscaler starts them.
        cpus, gpus, labels, resources: of each worker node; gpus are only declared.
        head_cpus: of the head; 0 as in the files for the clouds, where the head runs no tasks.
        dashboard: start the dashboard, and with it the Jobs API; True for any free port, or the port.
        autoscale: most worker nodes that an autoscaler may start, from 0, when work waits.
        autoscaler: "v1" or "v2".
        node_types: of the autoscaler, name -> resources, labels, max_workers; default: one, `worker`, of cpus, gpus,
            labels and resources.
        provider: settings of the autoscaler's provider in place of those of Ray's own one for tests.
        idle_seconds: after which the autoscaler removes a node.
        fast_health: a lost node is noticed in about 2 s instead of 30, and one that is stopped in about 7 s.
        object_store_megabytes: of each node.
        environment: further variables of the nodes, and so of the workers on them.

    Attributes:
        address: for ray.init and `cluster.address`, host:port.
        dashboard: for the Jobs API, http://host:port, or None.

    Raises:
        RuntimeError: a node did not start; with the end of what Ray said.
    """

    def __init__(
        self,
        nodes: int | None = None,
        cpus: int = 1,
        gpus: int = 0,
        labels: dict[str, str] | None = None,
        resources: dict[str, float] | None = None,
        *,
        head_cpus: int = 0,
        dashboard: bool | int = False,
        autoscale: int | None = None,
        autoscaler: str = "v2",
        idle_seconds: float = 6.0,
        node_types: dict[str, dict] | None = None,
        provider: dict | None = None,
        fast_health: bool = True,
        object_store_megabytes: int = 100,
        environment: dict[str, str] | None = None,
    ):
        self._folder = Path(tempfile.mkdtemp(prefix="qre", dir="/tmp"))  # short: paths of sockets end at 107 characters
        self._mark, self._reserved = uuid.uuid4().hex, []
        self._port = self._reserve()
        self._environment = {**_environment(), **(environment or {}), MARK: self._mark}
        self._kind = {"cpus": cpus, "gpus": gpus, "labels": labels or {}, "resources": resources or {}}
        self._store_bytes = object_store_megabytes * 2**20
        dashboard_port = self._reserve() if dashboard is True else self._reserve(dashboard) if dashboard else 0
        self.address = f"{SPELLED}:{self._port}"
        self.dashboard = f"http://{LOOPBACK}:{dashboard_port}" if dashboard else None
        guard = [sys.executable, "-S", HERE / "guard.py", self._mark, self._folder]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        try:
            _share_token()
            scaling = (autoscale, autoscaler, idle_seconds, node_types, provider or {})
            extras, variables = self._autoscaling(*scaling) if autoscale else ({}, {})
            if dashboard:
                extras |= {"dashboard_host": LOOPBACK, "dashboard_port": dashboard_port}
            health = {"_system_config": FAST_HEALTH} if fast_health else {}
            head = {
                **self._parameters(head_cpus, 0, {}, {}),
                **health,
                **extras,
                "head": True,
                "gcs_server_port": self._port,
                "temp_dir": str(self._folder),
                "include_dashboard": bool(dashboard),
            }
            self._started(self._start(head, variables))
            if not any(Path((command(pid) or [""])[0]).name == "gcs_server" for pid in self.processes):
                raise RuntimeError(f"the head did not start: port {self._port} belongs to another Ray")
            # as `ray start` does; without it a job goes to any Ray of this machine
            (self._folder / "ray_current_cluster").write_text(self.address)
            self.add_nodes((0 if autoscale else 2) if nodes is None else nodes)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> LocalCluster:  # noqa: PYI034 (typing.Self is of Python 3.11)
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End all processes of this cluster and remove its folder. A driver of this process disconnects before
        (ray.shutdown)."""
        if self._guard.poll() is None:
            self._guard.communicate(b".")
        end(self._mark, self._folder)  # nothing is left to do, unless the guard itself was killed
        for held in self._reserved:
            held.close()

    @property
    def processes(self) -> list[int]:
        """Process ids of all that belongs to this cluster and is alive."""
        return marked(self._mark)

    @property
    def nodes(self) -> list[Node]:
        """The nodes whose raylet is there, the head first, then by age; also those that the autoscaler started."""
        nodes = []
        for pid in self.processes:
            program, *flags = command(pid) or [""]
            if Path(program).name == "raylet":
                identity = next(flag.partition("=")[2] for flag in flags if flag.startswith("--node_id="))
                nodes.append(Node(identity, pid, head="--head" in flags))
        return sorted(nodes, key=lambda node: (not node.head, node.pid))

    @property
    def workers(self) -> list[Node]:
        """The nodes without the head."""
        return [node for node in self.nodes if not node.head]

    def add_node(self, **kind) -> Node:
        """Start one more worker node; `cpus`, `gpus`, `labels`, `resources` where it is to differ from the others, and
        what `add_nodes` takes."""
        return self.add_nodes(1, **kind)[0]

    def add_nodes(
        self, count: int, environment: dict[str, str] | None = None, within: Sequence[str] = (), **kind
    ) -> list[Node]:
        """Start worker nodes side by side; with variables of their own, and `within` a command that runs another, e.g.
        unshare."""
        before = self.nodes
        parameters = self._parameters(**{**self._kind, **kind}) | {"gcs_address": self._gcs, "redis_address": self._gcs}
        # two that start in one folder take the same names
        folders = [tempfile.mkdtemp(prefix="", dir=self._folder) for _ in range(count)]
        for started in [
            self._start({**parameters, "temp_dir": folder}, environment or {}, within) for folder in folders
        ]:
            self._started(started)
        return [node for node in self.nodes if node not in before]

    def kill(self, node: Node) -> None:
        """SIGKILL to the node's raylet and all below it: the machine is gone."""
        below = descendants([node.pid])
        kill([node.pid, *below])

    def stop(self, node: Node) -> None:
        """SIGSTOP to the node's raylet: the network is gone, and its workers go on."""
        os.kill(node.pid, signal.SIGSTOP)

    def cont(self, node: Node) -> None:
        """SIGCONT to the node's raylet. Where the head has declared the node dead meanwhile, the raylet ends itself."""
        os.kill(node.pid, signal.SIGCONT)

    def _reserve(self, port: int | None = None) -> int:
        """A free port, or this one, that no other local cluster of this machine takes until this one ends.

        Raises:
            RuntimeError: this one is taken.
        """
        while True:
            held, wanted = socket.socket(socket.AF_UNIX), free_port() if port is None else port
            try:
                held.bind(f"\0{MARK}-{wanted}")  # a name without a file: it goes with its owner, however that ends
            except OSError:
                held.close()
                if port is not None:
                    raise RuntimeError(f"port {port} belongs to another local cluster") from None
                continue
            self._reserved.append(held)
            return wanted

    @property
    def _gcs(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    def _parameters(self, cpus: int, gpus: int, labels: dict, resources: dict) -> dict:
        """Of a node, for ray's RayParams."""
        return {
            "node_ip_address": LOOPBACK,
            "num_cpus": cpus,
            "num_gpus": gpus,
            "labels": labels,
            "resources": resources,
            "object_store_memory": self._store_bytes,
            "min_worker_port": 0,
            "max_worker_port": 0,
            "dashboard_agent_listen_port": 0,
        }

    def _start(
        self, parameters: dict, variables: dict[str, str], within: Sequence[str] = ()
    ) -> tuple[subprocess.Popen, Path]:
        """The process that starts a node, and where it writes to. In a session of its own: a Ctrl-C is meant for the
        owner alone."""
        log = self._folder / f"start-{uuid.uuid4().hex[:8]}.log"
        with open(log, "wb") as output:
            started = subprocess.Popen(
                [*within, sys.executable, HERE / "start_node.py", json.dumps(parameters)],
                env={**self._environment, **variables},
                cwd=self._folder,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return started, log

    def _started(self, start: tuple[subprocess.Popen, Path]) -> None:
        process, log = start
        try:
            ended = f"exit code {process.wait(START_SECONDS)}"
        except subprocess.TimeoutExpired:
            ended = f"nothing after {START_SECONDS:g} s"
        if process.returncode != 0:
            raise RuntimeError(f"a Ray node did not start: {ended}\n{log.read_text(errors='replace')[-2000:]}")

    def _autoscaling(
        self, most: int, version: str, idle_seconds: float, types: dict[str, dict] | None, own: dict
    ) -> tuple[dict, dict[str, str]]:
        """Parameters and environment of a head whose autoscaler starts nodes as processes of this machine, by Ray's own
        provider for tests."""
        provider = {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": self._gcs,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        }
        variables = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
        if version == "v2":
            provider |= {"launch_multiple": True, "head_node_id": HEAD_ID}
            variables |= {
                "RAY_enable_autoscaler_v2": "1",
                "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
                "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
                # as `ray up` and KubeRay set it; those of the workers have theirs from the provider
                "RAY_NODE_TYPE_NAME": "ray.head.default",
            }
        kind = self._kind
        resources = {
            "CPU": kind["cpus"],
            "GPU": kind["gpus"],
            "object_store_memory": self._store_bytes,
            **kind["resources"],
        }
        types = types or {"worker": {"resources": resources, "labels": kind["labels"]}}
        types = {name: {"node_config": {}, "min_workers": 0, "max_workers": most, **one} for name, one in types.items()}
        config = {
            "cluster_name": "local",
            "max_workers": most,
            "upscaling_speed": 1.0,
            "idle_timeout_minutes": idle_seconds / 60,
            "provider": provider | own,
            "available_node_types": {
                "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                **types,
            },
            "head_node_type": "ray.head.default",
            "auth": {},
            "docker": {},
            "file_mounts": {},
            "cluster_synced_files": [],
            "file_mounts_sync_continuously": False,
            "initialization_commands": [],
            "setup_commands": [],
            "head_setup_commands": [],
            "worker_setup_commands": [],
            "head_start_ray_commands": [],
            "worker_start_ray_commands": [],
        }
        path = self._folder / "autoscaling.json"
        path.write_text(json.dumps(config))
        return {"autoscaling_config": str(path), "env_vars": {"RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID}}, variables


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, below those that the system gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


def _environment() -> dict[str, str]:
    """Of the nodes: this process's, without what ties it to another Ray."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith("RAY_") or key.startswith("RAY_AUTH_")
    }
    return {
        "RAY_AUTH_MODE": "token",
        **kept,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_register_timeout_seconds": "240",
        # the `python` of a submitted job is this one
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # in spite of its name: on 127.0.0.1 and nowhere else
    }


def _share_token() -> None:
    """Make this user's token of Ray where there is none, and let this process use it; Ray does both, but for a cluster
    of ray.init alone."""
    path = Path.home() / ".ray" / "auth_token"
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.suppress(FileExistsError),
            open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
        ):
            file.write(uuid.uuid4().hex)
    if "ray" in sys.modules:  # it has read its environment
        from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    os.environ.setdefault("RAY_AUTH_MODE", "token")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, help="worker nodes to start with (default 2; 0 with --autoscale)")
    parser.add_argument("--cpus", type=int, default=1, help="of each worker node")
    parser.add_argument("--gpus", type=int, default=0, help="of each worker node; only declared")
    parser.add_argument(
        "--labels",
        type=json.loads,
        default={},
        metavar="JSON",
        help='of each worker node, e.g. {"ray.io/accelerator-type": "L4"}',
    )
    parser.add_argument("--dashboard", action="store_true", help="with the Jobs API, for `qre submit`")
    parser.add_argument(
        "--autoscale",
        type=int,
        metavar="MAX",
        help="start up to MAX worker nodes when work waits, and remove them when idle",
    )
    parser.add_argument("--autoscaler", choices=("v1", "v2"), default="v2")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kind = {"cpus": arguments.cpus, "gpus": arguments.gpus, "labels": arguments.labels}
    port = arguments.dashboard and (DASHBOARD_PORT if _is_free(DASHBOARD_PORT) else True)
    scaling = {"autoscale": arguments.autoscale, "autoscaler": arguments.autoscaler}
    with (
        contextlib.suppress(KeyboardInterrupt),
        LocalCluster(arguments.nodes, **kind, dashboard=port, **scaling) as cluster,
    ):
        print(
            f"{len(cluster.workers)} worker nodes"
            + (f", and up to {arguments.autoscale} when work waits" if arguments.autoscale else ""),
            end=": ",
        )
        print(
            f"{arguments.cpus} CPUs"
            + (f" and {arguments.gpus} GPUs, which are only declared" if arguments.gpus else "")
        )
        print(f"in a config:     cluster: {{address: '{cluster.address}'}}")
        if cluster.dashboard:
            print(f"for qre submit:  --address {cluster.dashboard}")
        print("Ctrl-C ends it", flush=True)
        threading.Event().wait()


def _is_free(port: int) -> bool:
    """Whether nobody listens on it, and no other local cluster is about to."""
    with socket.socket() as probe, socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0{MARK}-{port}")
        except OSError:
            return False
        return probe.connect_ex((LOOPBACK, port)) != 0


if __name__ == "__main__":
    main()
