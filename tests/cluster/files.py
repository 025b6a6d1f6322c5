"""The files of cluster/, as Ray's own readers see them."""

import copy
from pathlib import Path

import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster"
LAUNCHERS = ("aws.yaml", "gcp.yaml")
MANIFESTS = ("kuberay-raycluster.yaml", "kuberay-rayjob.yaml")


def load(name: str) -> dict:
    return yaml.safe_load((CLUSTER / name).read_text())


def launcher_config(values: dict) -> dict:
    """A launcher file with Ray's defaults. ValueError or jsonschema's ValidationError where Ray would not take it."""
    config = prepare_config(copy.deepcopy(values))
    validate_config(config)
    return config


def cluster_spec(manifest: dict) -> dict:
    return manifest["spec"]["rayClusterSpec"] if manifest["kind"] == "RayJob" else manifest["spec"]


def autoscaling_config(name: str) -> dict:
    """What the autoscaler is given of a file, read by the code that reads it on the head."""
    values = load(name)
    if name in LAUNCHERS:
        return launcher_config(values)
    return _derive_autoscaling_config_from_ray_cr(
        {"metadata": {"name": "encoder-map", "namespace": "default"}, "spec": cluster_spec(values)}
    )


def containers(manifest: dict) -> list[dict]:
    """All containers that a manifest names, the submitter's included."""
    spec = cluster_spec(manifest)
    pods = [group["template"] for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]]
    pods += [manifest["spec"]["submitterPodTemplate"]] if "submitterPodTemplate" in manifest["spec"] else []
    return [container for pod in pods for container in pod["spec"]["containers"]]
