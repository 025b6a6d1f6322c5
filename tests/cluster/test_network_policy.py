"""kuberay-networkpolicy.yaml: who reaches which port of the manifests' pods, by the rules of Kubernetes."""

import copy

import jsonschema
import pytest

from tests.cluster.files import MANIFESTS, cluster_spec, load

LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
SELECTOR = {"type": "object", "properties": {"matchLabels": LABELS}, "additionalProperties": False}
PEER = {
    "type": "object",
    "properties": {"podSelector": SELECTOR, "namespaceSelector": SELECTOR},
    "additionalProperties": False,
    "minProperties": 1,
}
PORT = {
    "type": "object",
    "properties": {"protocol": {"enum": ["TCP", "UDP", "SCTP"]}, "port": {"type": ["string", "integer"]}},
    "additionalProperties": False,
}
RULE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "from": {"type": "array", "items": PEER, "minItems": 1},
        "ports": {"type": "array", "items": PORT, "minItems": 1},
    },
}
POLICY = {  # of networking.k8s.io/v1, as far as it is used; an unknown key would be dropped in silence
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "networking.k8s.io/v1"},
        "kind": {"const": "NetworkPolicy"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["podSelector", "policyTypes", "ingress"],
            "additionalProperties": False,
            "properties": {
                "podSelector": SELECTOR,
                "policyTypes": {"const": ["Ingress"]},
                "ingress": {"type": "array", "items": RULE},
            },
        },
    },
}
OWN = {"app.kubernetes.io/part-of": "encoder-map"}
RAY_PORTS = (6379, 8265, 8080, 10001, 45678)  # GCS, dashboard, metrics, client, any worker's


def selects(selector: dict, labels: dict) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items()


def reaches(policy: dict, pod: dict, port: int, peer: dict, namespace: dict | None) -> bool:
    """Whether a pod of these labels may open a connection to a port of another.

    Args:
        pod: template of the pod that is reached.
        peer: labels of the pod that wants to reach it.
        namespace: labels of its namespace; None for the policy's own.
    """
    spec = policy["spec"]
    if not selects(spec["podSelector"], pod["metadata"]["labels"]):
        return True  # no policy is about it
    names = {
        entry["name"]: entry["containerPort"]
        for container in pod["spec"]["containers"]
        for entry in container.get("ports", [])
    }

    def admits(one: dict) -> bool:
        inside = (
            namespace is None if "namespaceSelector" not in one else selects(one["namespaceSelector"], namespace or {})
        )
        return inside and selects(one.get("podSelector", {}), peer)

    return any(
        any(map(admits, rule["from"]))
        and ("ports" not in rule or port in [names.get(entry["port"], entry["port"]) for entry in rule["ports"]])
        for rule in spec["ingress"]
    )


def pods(name: str) -> list[dict]:
    spec = cluster_spec(load(name))
    return [group["template"] for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]]


@pytest.fixture
def policy() -> dict:
    return load("kuberay-networkpolicy.yaml")


def test_the_policy_has_no_typo(policy):
    jsonschema.validate(policy, POLICY)
    for place in ("ingres", "podSelectors"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**policy, "spec": {**policy["spec"], place: []}}, POLICY)


@pytest.mark.parametrize("name", MANIFESTS)
def test_nodes_of_ray_reach_each_other_and_strangers_reach_nothing(policy, name):
    every = pods(name)
    assert all(pod["metadata"]["labels"] == OWN for pod in every)
    for pod in every:
        for port in RAY_PORTS:
            assert reaches(policy, pod, port, OWN, None)
            for peer, namespace in (
                ({}, None),
                ({"app": "web"}, None),
                (OWN, {"kubernetes.io/metadata.name": "elsewhere"}),
                ({}, {}),
            ):
                assert not reaches(policy, pod, port, peer, namespace)


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_operator_reaches_the_dashboard_and_prometheus_the_metrics_and_nothing_else(policy, name):
    head, *workers = pods(name)
    operator, prometheus = {"app.kubernetes.io/name": "kuberay-operator"}, {"kubernetes.io/metadata.name": "monitoring"}
    assert [
        port for port in RAY_PORTS if reaches(policy, head, port, operator, {"kubernetes.io/metadata.name": "kuberay"})
    ] == [8265]
    for pod in (head, *workers):
        assert [port for port in RAY_PORTS if reaches(policy, pod, port, {}, prometheus)] == [8080]
    assert not any(reaches(policy, worker, port, operator, {}) for worker in workers for port in RAY_PORTS)


def test_the_submitter_of_the_job_is_one_of_them(policy):
    labels = load("kuberay-rayjob.yaml")["spec"]["submitterPodTemplate"]["metadata"]["labels"]
    assert reaches(policy, pods("kuberay-rayjob.yaml")[0], 8265, labels, None)


def test_a_pod_without_the_label_would_be_noticed(policy):
    pod = copy.deepcopy(pods(MANIFESTS[0])[0])
    pod["metadata"]["labels"] = {}
    assert reaches(policy, pod, 6379, {}, {}), "open to everybody: what the first test would find"
