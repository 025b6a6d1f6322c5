"""The KubeRay manifests: against the strict schema of its resources, its operator's own rules, and Ray's reader of
them."""

import copy
import functools

import jsonschema
import pytest

from jobs.config import load_config
from tests.cluster.crd_schema import strict_schema
from tests.cluster.files import CLUSTER, MANIFESTS, ROOT, autoscaling_config, cluster_spec, containers, load
from tests.cluster.operator_rules import operator_problems

SCHEMAS = ROOT.parent / "shared/data/kuberay"
has_schemas = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason="the resource definitions of KubeRay 1.7.0 are not in ../shared/data/kuberay"
)


@functools.cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(strict_schema(SCHEMAS / f"{kind.lower()}s.yaml"))


def changed(manifest: dict, place: tuple, value) -> dict:
    """A copy with one value set, or with a key taken away where the value is None."""
    manifest = copy.deepcopy(manifest)
    inner = manifest
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    if value is None:
        del inner[place[-1]]
    return manifest


@has_schemas
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifest_fits_the_schema(name):
    validator(load(name)["kind"]).validate(load(name))


@has_schemas
@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "autoscalerOptions", "idleTimeoutSecond"), 60),
        (("spec", "autoscalerOptions", "version"), "v3"),
        (("spec", "workerGroupSpecs", 1, "template", "spec", "tolerations", 0, "efect"), "NoSchedule"),
        (
            (
                "spec",
                "headGroupSpec",
                "template",
                "spec",
                "containers",
                0,
                "env",
                0,
                "valueFrom",
                "secretKeyRef",
                "kee",
            ),
            "token",
        ),
        (("spec", "workerGroupSpecs", 0, "maxReplicas"), "2"),
        (("spec", "authOptions", "mod"), "token"),
    ],
)
def test_a_typo_is_caught(place, value):
    with pytest.raises(jsonschema.ValidationError):
        validator("RayCluster").validate(changed(load("kuberay-raycluster.yaml"), place, value))


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_operator_takes_it(name):
    assert operator_problems(load(name)) == []


@pytest.mark.parametrize(
    ("place", "value", "rule"),
    [
        (("spec", "shutdownAfterJobFinishes"), False, "ttlSecondsAfterFinished"),
        (("spec", "clusterSelector"), {"ray.io/cluster": "x"}, "backoffLimit"),
        (("spec", "submissionMode"), "InteractiveMode", "InteractiveMode"),
        (("spec", "submissionMode"), "JobMode", "submissionMode"),
        (
            ("spec", "rayClusterSpec", "workerGroupSpecs", 0, "template", "spec", "restartPolicy"),
            "Always",
            "restartPolicy",
        ),
        (("spec", "rayClusterSpec", "rayVersion"), None, "rayVersion"),
        (("spec", "rayClusterSpec", "enableInTreeAutoscaling"), False, "autoscaler v2"),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 1, "rayStartParams", "labels"), "a=b", "labels"),
        (("metadata", "generateName"), "a-name-that-is-much-too-long-for-what-the-operator-", "47 characters"),
    ],
)
def test_a_broken_rule_of_the_operator_is_caught(place, value, rule):
    assert any(rule in problem for problem in operator_problems(changed(load("kuberay-rayjob.yaml"), place, value)))


def test_both_manifests_make_the_same_cluster():
    cluster, job = map(load, MANIFESTS)
    assert cluster["spec"] == job["spec"]["rayClusterSpec"]


def test_the_autoscaler_is_v2_and_reads_a_head_without_tasks_and_workers_from_none():
    spec, config = load(MANIFESTS[0])["spec"], autoscaling_config(MANIFESTS[0])
    assert spec["enableInTreeAutoscaling"] and spec["autoscalerOptions"]["version"] == "v2"
    types = config["available_node_types"]
    assert types["headgroup"]["resources"]["CPU"] == 0 and config["idle_timeout_minutes"] == 5
    assert all(kind["min_workers"] == 0 for kind in types.values()) and all(
        group["replicas"] == 0 for group in spec["workerGroupSpecs"]
    )
    assert types["gpu-spot"]["priority"] > types["gpu-on-demand"]["priority"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_no_container_may_become_more_than_its_user(name):
    manifest = load(name)
    for container in containers(manifest):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys() & container["resources"][
            "limits"
        ].keys()  # a quota may ask for both
    spec = cluster_spec(manifest)
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
        assert pod["serviceAccountName"] == "encoder-map" and pod["terminationGracePeriodSeconds"] > 0
    assert spec["authOptions"] == {"mode": "token"}


@pytest.mark.parametrize("name", MANIFESTS)
def test_secrets_are_references_and_gpu_pods_have_room_for_models(name):
    spec = cluster_spec(load(name))
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        (container,) = group["template"]["spec"]["containers"]
        assert all(
            "value" not in entry for entry in container["env"] if "TOKEN" in entry["name"] or "KEY" in entry["name"]
        )
        if "nvidia.com/gpu" in container["resources"]["limits"]:
            (volume,) = group["template"]["spec"]["volumes"]
            claim = volume["ephemeral"]["volumeClaimTemplate"]["spec"]
            assert claim["storageClassName"] == "CHANGE-ME", "not every cloud has a default"
            size = claim["resources"]["requests"]["storage"]
            assert int(size.removesuffix("Gi")) >= load_config(CLUSTER / "sweep.yaml").cluster.cache_gigabytes + 50
            assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/home/ray/models"}]


def test_the_job_ends_its_cluster_and_leaves_the_sweep_its_grace():
    job = load("kuberay-rayjob.yaml")["spec"]
    head = job["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert job["shutdownAfterJobFinishes"] and job["activeDeadlineSeconds"]
    assert (
        job["entrypoint"]
        == f"python -m jobs.cli sweep {head['containers'][0]['volumeMounts'][0]['mountPath']}/sweep.yaml"
    )
