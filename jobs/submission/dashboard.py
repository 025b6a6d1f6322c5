"""The dashboard of a Ray cluster, as seen from outside: whether it answers, and whether the cluster has one node or
many."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from qre.errors import UserError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ADDRESS = "http://127.0.0.1:8265"  # where Ray itself puts it
CONNECT_SECONDS = 10.0
STATUS_SECONDS = 10.0  # a new head has its status after two or three


def connect(address: str) -> JobSubmissionClient:
    """A client of the Jobs API of a cluster, by the address of its dashboard.

    Raises:
        UserError: nobody answers there, the token is not the cluster's, or the cluster runs another Ray.
    """
    address = _checked(address)
    _past_the_proxy(urlsplit(address).hostname or "")
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(name, None)  # Ray prefers these to what it is told
    import ray
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    logging.disable(logging.WARNING)  # Ray's own account of every step of an upload
    try:
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        client = JobSubmissionClient(address)
    except AuthenticationError:
        raise UserError(
            f"--address: the cluster at {address} does not take this token; "
            "set RAY_AUTH_TOKEN to the cluster's token, or RAY_AUTH_TOKEN_PATH to a file that holds it"
        ) from None
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise UserError(f"--address: no Ray dashboard at {address}: {error}{_proxy(address)}") from None
    theirs, ours = client._server_ray_version, ray.__version__
    assert theirs is not None  # the client has asked for it
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        raise UserError(
            f"--address: the cluster at {address} runs Ray {theirs}, and this is for Ray {ours}; use an image with "
            f"that version"
        )
    return client


def _past_the_proxy(host: str) -> None:
    """No proxy of the environment stands between this machine and itself, as in the other end of a tunnel."""
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            for name in ("no_proxy", "NO_PROXY"):
                os.environ[name] = ",".join(filter(None, (os.environ.get(name), host)))


def _proxy(address: str) -> str:
    """Whose answer it may be, where a proxy of the environment stands between."""
    place = urlsplit(address)
    proxy = getproxies().get(place.scheme)
    if proxy is None or proxy_bypass(place.hostname or ""):
        return ""
    known = urlsplit(proxy if "://" in proxy else f"http://{proxy}")  # without the password that may be in it
    return (
        f"; asked through the proxy {known.hostname}:{known.port} of the environment: set "
        f"NO_PROXY={place.hostname} where the cluster is reached without it"
    )


def _checked(address: str) -> str:
    """An address that answers; Ray itself tries a dead one for minutes."""
    address = (address if "://" in address else f"http://{address}").rstrip("/")
    try:
        place = urlsplit(address)
        port = {"http": 80, "https": 443}[place.scheme]
        socket.create_connection((place.hostname or "", place.port or port), timeout=CONNECT_SECONDS).close()
    except (ValueError, KeyError):
        raise UserError(f"--address: {address} is not the address of a dashboard, such as {ADDRESS}") from None
    except OSError as error:
        raise UserError(f"--address: no Ray cluster answers at {address}: {error}") from None
    return address


def several_nodes(client: JobSubmissionClient) -> str:
    """Why the cluster has several nodes, or may get them; "" for one node that stays the only one."""
    alive = (
        _asked(client, "/api/v0/nodes?filter_keys=state&filter_predicates=%3D&filter_values=ALIVE")
        .get("result", {})
        .get("num_filtered", 0)
    )
    if alive > 1:
        return f"the cluster has {alive} nodes"
    nodes = [node["raylet"] for node in _asked(client, "/nodes?view=summary").get("summary", [])]
    if any(node.get("nodeTypeName") or node.get("instanceId") for node in nodes if node.get("state") == "ALIVE"):
        return "the cluster's nodes come from a cloud or from Kubernetes, and may come and go"
    deadline = time.monotonic() + STATUS_SECONDS
    while True:
        status = str(_asked(client, "/api/cluster_status?format=1").get("clusterStatus"))
        types = re.findall(r"^ \d+ (\S+)$", status.partition("\nResources\n")[0], re.MULTILINE)
        if types and all(
            re.fullmatch("node_[0-9a-f]+", one) for one in types
        ):  # a node that no autoscaler has started is a type of its own
            return "" if len(types) == 1 else f"the cluster has {len(types)} nodes"
        if types:
            return "the cluster has an autoscaler"
        if time.monotonic() > deadline:
            return "the cluster does not tell whether it has an autoscaler"
        time.sleep(1.0)


def _asked(client: JobSubmissionClient, path: str) -> dict:
    """The data of an answer of the dashboard; {} where it has none."""
    try:
        return client._do_request("GET", path, timeout=CONNECT_SECONDS).json().get("data") or {}
    except (OSError, ValueError):
        return {}
