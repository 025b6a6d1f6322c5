"""What KubeRay's operator refuses though its schema allows it (validation.go of KubeRay 1.7)."""

import re

MODES = ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")


def operator_problems(manifest: dict) -> list[str]:
    """A line for each rule that a RayCluster or RayJob breaks."""
    name = manifest["metadata"].get("name") or manifest["metadata"]["generateName"] + "xxxxx"
    problems = (
        []
        if re.fullmatch(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?", name)
        else [f"name {name}: a DNS label of at most 47 characters"]
    )
    if manifest["kind"] == "RayCluster":
        return problems + _cluster_problems(manifest["spec"])
    return problems + _job_problems(manifest["spec"])


def _job_problems(job: dict) -> list[str]:
    mode, selector = job.get("submissionMode", "K8sJobMode"), job.get("clusterSelector")
    rules = {
        "submissionMode is one of " + ", ".join(MODES): mode in MODES,
        "ttlSecondsAfterFinished needs shutdownAfterJobFinishes": not job.get("ttlSecondsAfterFinished")
        or job.get("shutdownAfterJobFinishes"),
        "suspend needs shutdownAfterJobFinishes": not job.get("suspend") or job.get("shutdownAfterJobFinishes"),
        "backoffLimit goes with no clusterSelector": not (selector and job.get("backoffLimit")),
        "backoffLimit goes with no InteractiveMode": not (mode == "InteractiveMode" and job.get("backoffLimit")),
        "SidecarMode goes with no submitter": not (
            mode == "SidecarMode" and {"submitterPodTemplate", "submitterConfig"} & job.keys()
        ),
        "one of rayClusterSpec and clusterSelector": bool(job.get("rayClusterSpec")) != bool(selector),
        "activeDeadlineSeconds is positive": job.get("activeDeadlineSeconds", 1) > 0,
    }
    return [rule for rule, kept in rules.items() if not kept] + (
        _cluster_problems(job["rayClusterSpec"]) if job.get("rayClusterSpec") else []
    )


def _cluster_problems(spec: dict) -> list[str]:
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    scales, version = spec.get("enableInTreeAutoscaling", False), spec.get("autoscalerOptions", {}).get("version")
    of_head = {entry["name"] for entry in pods[0]["containers"][0].get("env", [])}
    own = {"num-cpus", "num-gpus", "memory", "resources"}
    rules = {
        "autoscaler v2 needs restartPolicy Never or none": version != "v2"
        or all(pod.get("restartPolicy", "Never") == "Never" for pod in pods),
        "the autoscaler's version is said once": not (version and "RAY_enable_autoscaler_v2" in of_head),
        "autoscaler v2 needs enableInTreeAutoscaling": scales or not version,
        "labels are no rayStartParams": not any("labels" in group.get("rayStartParams", {}) for group in groups),
        "resources are given once": not any(
            group.get("resources") and own & group.get("rayStartParams", {}).keys() for group in groups
        ),
        "a token needs rayVersion 2.52 or later": spec.get("authOptions", {}).get("mode") != "token"
        or tuple(map(int, spec.get("rayVersion", "0").split("."))) >= (2, 52),
        "no worker group is suspended": not any(group.get("suspend") for group in groups),
    }
    return [rule for rule, kept in rules.items() if not kept]
