"""What all files of cluster/ have in common: the image, no secrets, and node types that hold the slots of
sweep.yaml."""

import re
import shlex
from collections import Counter, defaultdict

import pytest
import ray
import yaml
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.instance_manager.subscribers.cloud_resource_monitor import CloudResourceMonitor
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.common_pb2 import LabelSelectorOperator
from ray.core.generated.instance_manager_pb2 import Instance, InstanceUpdateEvent

from jobs.config import load_config
from jobs.submission.job import MARGIN_SECONDS
from tests.cluster.files import CLUSTER, LAUNCHERS, MANIFESTS, ROOT, autoscaling_config, cluster_spec, containers, load

RAY = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
FILES = sorted(path for path in CLUSTER.iterdir() if path.is_file())
SETTINGS = load_config(CLUSTER / "sweep.yaml").cluster
KIND, MARKET = "ray.io/accelerator-type", "ray.io/market-type"
# what a spot machine leaves: the kubelet to a pod, Google, AWS
GKE_POD_SECONDS, GOOGLE_NOTICE, AWS_NOTICE = (15, 30, 120)
SECRETS = {
    "an access key of AWS": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "a token of the hub": r"\bhf_[A-Za-z0-9]{20,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "a key of Google": r"\bAIza[A-Za-z0-9_-]{30,}|\"private_key\"",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "a password or token with its value": (
        r"(?i)\b(password|secret_access_key|auth_token|hf_token)\b\s*[:=]\s*['\"]?[A-Za-z0-9+/_-]{8,}"
    ),
    "an account of AWS": r"(?<![\d.])\d{12}(?![\d.])",
}


def secrets_in(text: str) -> list[str]:
    return [name for name, pattern in SECRETS.items() if re.search(pattern, text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_holds_a_secret(path):
    assert secrets_in(path.read_text()) == []


@pytest.mark.parametrize(
    "planted",
    [
        "AKIA" + "A1B2" * 4,
        "hf_" + "a1B2c3D4" * 4,
        "-----BEGIN RSA PRIVATE " + "KEY-----",
        "HF_TOKEN=" + "abcdefgh12",
        "auth_token: " + "'0123456789'",
    ],
)
def test_a_planted_secret_is_found(planted):
    assert secrets_in(f"some: text\n{planted}\n")


@pytest.mark.parametrize("name", [*LAUNCHERS, *MANIFESTS, "Dockerfile"])
def test_the_image_is_pinned_to_the_ray_of_the_constraints(name):
    text = (CLUSTER / name).read_text()
    images = re.findall(r"(?:rayproject/ray:|encoder-map:ray-)([\w.-]+)", text)
    assert images and set(images) == {f"{RAY}-py311"}
    if name in MANIFESTS:
        assert str(cluster_spec(load(name))["rayVersion"]) == RAY
        assert {container["image"] for container in containers(load(name))} == {
            f"registry.example/encoder-map:ray-{RAY}-py311@sha256:CHANGE-ME"
        }
    elif name in LAUNCHERS:
        assert load(name)["docker"]["image"] == f"registry.example/encoder-map:ray-{RAY}-py311@sha256:CHANGE-ME"


def image_problems(text: str) -> list[str]:
    """What is wrong with a Dockerfile of this project, a line each."""
    steps = defaultdict(list)
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines():
        if line.strip():
            steps[line.split()[0]].append(shlex.split(line)[1:])
    copied = [word for words in steps["COPY"] for word in words[:-1] if not word.startswith("--")]
    ignored = (CLUSTER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = {
        "one base, the pinned Ray": steps["FROM"] == [[f"rayproject/ray:{RAY}-py311${{RAY_DIGEST}}"]]
        and steps["ARG"][:1] == [["RAY_DIGEST="]],
        "what is copied is there, and let in by .dockerignore": all(
            (ROOT / source).exists() and f"!{source}" in ignored for source in copied
        ),
        "what is copied is the user's": all("--chown=1000:100" in words for words in steps["COPY"]),
        "what is installed is constrained": all(
            "--constraint constraints.txt" in " ".join(words) for words in steps["RUN"] if "pip" in words
        ),
        "the user is not root": steps["USER"][-1:] == [["ray"]],
        "no secret": not secrets_in(text),
    }
    return [rule for rule, kept in rules.items() if not kept]


def test_the_image_is_built_of_files_that_there_are_by_a_user_without_power():
    assert image_problems((CLUSTER / "Dockerfile").read_text()) == []


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (f":{RAY}-py311$", ":latest$", "pinned"),
        ("COPY --chown=1000:100 qre", "COPY --chown=1000:100 qer", "is there"),
        ("--constraint constraints.txt --no-deps", "--no-deps", "constrained"),
        ("USER ray", "USER root", "root"),
        ("COPY --chown=1000:100 jobs", "COPY jobs", "user's"),
        ("ENV HF_HOME", "ENV HF_TOKEN=abcdefghijkl HF_HOME", "secret"),
    ],
)
def test_a_planted_fault_of_the_image_is_found(before, after, rule):
    text = (CLUSTER / "Dockerfile").read_text()
    assert before in text
    assert any(rule in problem for problem in image_problems(text.replace(before, after)))


def launched(name: str, asked: list[dict], availabilities: dict[str, float] | None = None, **most: int) -> Counter:
    """How many nodes of which type Ray's autoscaler v2 starts from none, where all that is asked of it fits.

    Args:
        availabilities: what it has learned of node types: 0.0 just refused, 1.0 as good as never.
        most: max_workers of a type, in place of the file's.
    """
    config = autoscaling_config(name)
    for kind, workers in most.items():
        config["available_node_types"][kind.replace("_", "-")]["max_workers"] = workers
    requests = []
    for options in asked:
        bundle = {
            "CPU": options["num_cpus"],
            "GPU": options.get("num_gpus", 0),
            "memory": options.get("memory", 0),
            **options.get("resources", {}),
        }
        labels = [
            (key, LabelSelectorOperator.LABEL_OPERATOR_IN, [value])
            for key, value in options.get("label_selector", {}).items()
        ]
        requests.append(
            ResourceRequestUtil.make(
                {key: amount for key, amount in bundle.items() if amount}, label_selectors=[labels] if labels else None
            )
        )
    reply = ResourceDemandScheduler(event_logger=None).schedule(
        SchedulingRequest(
            node_type_configs=AutoscalingConfig(config, skip_content_hash=True).get_node_type_configs(),
            max_num_nodes=config["max_workers"] + 1,
            resource_requests=ResourceRequestUtil.group_by_count(requests),
            disable_launch_config_check=True,
            recoverable_resource_availabilities=availabilities or {},
        )
    )
    assert not reply.infeasible_resource_requests
    counts = Counter({request.instance_type: request.count for request in reply.to_launch})
    counts.pop(config["head_node_type"], None)
    return counts


def learned_from(status: int) -> dict[str, float]:
    """What the autoscaler makes of a gpu-spot node that came to this."""
    monitor = CloudResourceMonitor()
    monitor.notify([InstanceUpdateEvent(instance_id="1", new_instance_status=status, instance_type="gpu-spot")])
    return monitor.get_recoverable_resource_availabilities()


@pytest.mark.parametrize("name", [*LAUNCHERS, *MANIFESTS])
class TestSlotsOfTheSweep:
    def test_each_slot_is_held_by_the_node_type_that_it_is_for(self, name):
        shared, shared_later, whole, whole_later, large = (slot.asked() for slot in SETTINGS.slots)
        assert launched(name, [SETTINGS.cpu_slot.asked()]) == {"cpu": 1}
        assert launched(name, [{"num_cpus": SETTINGS.reduce_cpus}]) == {"cpu": 1}
        assert launched(name, [shared] * 3) == launched(name, [whole]) == {"gpu-spot": 1}
        assert launched(name, [shared_later] * 3) == launched(name, [whole_later]) == {"gpu-on-demand": 1}
        assert launched(name, [large]) == {"gpu-large": 1}

    def test_the_width_is_what_the_spot_nodes_hold_and_as_much_fits_on_demand(self, name):
        first, then = SETTINGS.slots[:2]
        assert launched(name, [first.asked()] * SETTINGS.width_per_slot) == {"gpu-spot": 8}
        assert launched(name, [then.asked()] * SETTINGS.width_per_slot) == {"gpu-on-demand": 8}

    def test_the_autoscaler_itself_never_turns_from_spot_to_on_demand(self, name):
        """The slot names the market, so what waits for a spot node waits for that alone, however often it is refused:
        the sweep's fall-back is what changes it."""
        shared = SETTINGS.slots[0].asked()
        for known in ({}, learned_from(Instance.ALLOCATION_FAILED), learned_from(Instance.ALLOCATION_TIMEOUT)):
            assert launched(name, [shared] * (SETTINGS.width_per_slot), known) == {"gpu-spot": 8}
        with pytest.raises(AssertionError):
            launched(name, [shared] * (SETTINGS.width_per_slot + 1))

    def test_a_task_that_asks_for_memory_starts_a_node_and_one_beyond_all_nodes_does_not(self, name):
        reducer = {"num_cpus": SETTINGS.reduce_cpus, "memory": 12 * 2**30}
        assert launched(name, [reducer]) == {"cpu": 1}
        assert launched(name, [{**reducer, "memory": 60 * 2**30}]) == {"gpu-large": 1}
        with pytest.raises(AssertionError):
            launched(name, [{**reducer, "memory": 2**40}])

    def test_what_no_node_type_holds_is_not_started(self, name):
        with pytest.raises(AssertionError):
            launched(name, [{"num_cpus": 1, "num_gpus": 1, "label_selector": {"ray.io/accelerator-type": "T4"}}])


def test_the_models_leave_room_on_the_disk():
    nodes = {
        name: [
            kind["node_config"] for kind in load(name)["available_node_types"].values() if "GPU" in kind["resources"]
        ]
        for name in LAUNCHERS
    }
    sizes = [disk["Ebs"]["VolumeSize"] for node in nodes["aws.yaml"] for disk in node["BlockDeviceMappings"]]
    sizes += [int(disk["initializeParams"]["diskSizeGb"]) for node in nodes["gcp.yaml"] for disk in node["disks"]]
    assert len(sizes) == 6 and min(sizes) >= SETTINGS.cache_gigabytes + 100


def test_every_spot_slot_has_its_fall_back_on_demand():
    """Those of one size are tried in turn; the largest slot alone has none, as README.md says."""
    bounded = [slot for slot in SETTINGS.slots if slot.up_to_gigabytes is not None]
    for first, then in zip(bounded[::2], bounded[1::2], strict=True):
        assert (first.labels[MARKET], then.labels[MARKET]) == ("spot", "on-demand")
        assert then == first.model_copy(update={"labels": {**first.labels, MARKET: "on-demand"}})


@pytest.mark.parametrize("name", [*LAUNCHERS, *MANIFESTS])
def test_the_label_of_the_market_is_what_the_machines_are_bought_as(name):
    if name in MANIFESTS:
        groups = cluster_spec(load(name))["workerGroupSpecs"]
        bought = {
            group["groupName"]: group["template"]["spec"]
            .get("nodeSelector", {})
            .get("cloud.google.com/gke-provisioning")
            for group in groups
        }
        labels = {group["groupName"]: group.get("labels", {}) for group in groups}
        assert bought.pop("cpu") is None and labels.pop("cpu") == {}  # any machine
        bought = {group: "spot" if market == "spot" else "on-demand" for group, market in bought.items()}
    else:
        types = {key: kind for key, kind in load(name)["available_node_types"].items() if key != "head"}
        spot = {"aws.yaml": "InstanceMarketOptions", "gcp.yaml": "scheduling"}[name]
        settings = {key: kind["node_config"].get(spot, {}) for key, kind in types.items()}
        bought = {
            key: "spot" if {"spot", "SPOT"} & set(map(str, value.values())) else "on-demand"
            for key, value in settings.items()
        }
        labels = {key: kind["labels"] for key, kind in types.items()}
    assert {key: value[MARKET] for key, value in labels.items()} == bought
    assert (
        MARKET == ray._raylet.RAY_NODE_MARKET_TYPE_KEY and KIND == ray._raylet.RAY_NODE_ACCELERATOR_TYPE_KEY
    )  # Ray's own keys


MACHINES = {  # CPUs and GiB, as their makers say
    "m7i.xlarge": (4, 16),
    "m7i.2xlarge": (8, 32),
    "g6.2xlarge": (8, 32),
    "p5.4xlarge": (16, 256),
    "n2-standard-4": (4, 16),
    "n2-standard-8": (8, 32),
    "g2-standard-8": (8, 32),
    "a3-highgpu-1g": (26, 234),
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_each_node_type_states_its_memory_and_no_more_than_the_machine_has_beside_the_object_store(name):
    for key, kind in load(name)["available_node_types"].items():
        cpus, gigabytes = MACHINES[kind["node_config"].get("InstanceType") or kind["node_config"]["machineType"]]
        assert kind["resources"]["CPU"] == (0 if key == "head" else cpus)
        share = kind["resources"]["memory"] / (gigabytes * 2**30)
        assert 0.5 <= share <= 1 - ray._private.ray_constants.DEFAULT_OBJECT_STORE_MEMORY_PROPORTION, (key, share)


def test_the_readme_names_the_quotas_that_all_nodes_need():
    """Each row of its table ends with what max_workers of the file come to."""
    rows = {
        match[1]: int(match[2])
        for match in re.finditer(
            r"^\| (?:AWS|Google) \| ([^|]+?) \| (\d+)[^|]* \|", (CLUSTER / "README.md").read_text(), re.MULTILINE
        )
    }
    aws, gcp = (load(name)["available_node_types"] for name in LAUNCHERS)
    cpus = {
        key: MACHINES[kind["node_config"]["InstanceType"]][0] * kind.get("max_workers", 1) for key, kind in aws.items()
    }
    nodes = {key: kind.get("max_workers", 1) for key, kind in gcp.items()}
    disks = {
        key: int(kind["node_config"]["disks"][0]["initializeParams"]["diskSizeGb"]) * nodes[key]
        for key, kind in gcp.items()
    }
    assert rows == {
        "All G and VT Spot Instance Requests": cpus["gpu-spot"],
        "Running On-Demand G and VT instances": cpus["gpu-on-demand"],
        "All P5 Spot Instance Requests": cpus["gpu-large"],
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances": cpus["head"] + cpus["cpu"],
        "`GPUS_ALL_REGIONS`": nodes["gpu-spot"] + nodes["gpu-on-demand"] + nodes["gpu-large"],
        "`PREEMPTIBLE_NVIDIA_L4_GPUS`": nodes["gpu-spot"],
        "`NVIDIA_L4_GPUS`": nodes["gpu-on-demand"],
        "`PREEMPTIBLE_NVIDIA_H100_GPUS`": nodes["gpu-large"],
        "`SSD_TOTAL_GB`": sum(disks.values()),
    }


def test_grace_periods_agree_with_each_other_and_with_the_notice_of_spot_machines():
    """Of a stop: encoders in flight, then the job's kill, then the head's. Of a spot machine: what runs there may end
    before the pod must."""
    job = load("kuberay-rayjob.yaml")["spec"]
    pods = {
        group.get("groupName", "head"): group["template"]["spec"]
        for group in [job["rayClusterSpec"]["headGroupSpec"], *job["rayClusterSpec"]["workerGroupSpecs"]]
    }
    grace = {key: pod["terminationGracePeriodSeconds"] for key, pod in pods.items()}
    spot = {
        key
        for key, pod in pods.items()
        if pod.get("nodeSelector", {}).get("cloud.google.com/gke-provisioning") == "spot"
    }
    stop = float(yaml.safe_load(job["runtimeEnvYAML"])["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"])
    signal = int(re.search(r"^#SBATCH --signal=B:TERM@(\d+)$", (CLUSTER / "slurm.sbatch").read_text(), re.MULTILINE)[1])
    assert spot == {"gpu-spot", "gpu-large"}
    for key in spot:
        assert SETTINGS.grace_seconds < grace[key] <= GKE_POD_SECONDS < GOOGLE_NOTICE < AWS_NOTICE
    assert all(grace[key] >= max(grace[one] for one in spot) for key in grace.keys() - spot)
    assert SETTINGS.grace_seconds + MARGIN_SECONDS <= stop < grace["head"]
    for group in [job["rayClusterSpec"]["headGroupSpec"], *job["rayClusterSpec"]["workerGroupSpecs"]]:
        (container,) = group["template"]["spec"]["containers"]
        drain = next(
            float(entry["value"])
            for entry in container["env"]
            if entry["name"] == "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
        )
        assert SETTINGS.grace_seconds <= drain <= min(grace[key] for key in spot) - 3, (
            "Ray's own default, 30 s, outlives a spot pod"
        )
    assert ray._private.ray_constants.RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S == 30.0, "the name, as Ray reads it"
    assert SETTINGS.grace_seconds + MARGIN_SECONDS <= signal


def test_the_readme_names_every_file_and_no_other():
    text = (CLUSTER / "README.md").read_text()
    # not for people to call
    inner = {"guard.py", "start_node.py", "hub_token.py", "Dockerfile.dockerignore", "README.md"}
    for path in FILES:
        assert path.name in text or path.name in inner, path.name
    for mentioned in set(re.findall(r"cluster/([\w.-]+\.(?:yaml|py)|Dockerfile)", text)):
        assert (CLUSTER / mentioned).exists(), mentioned
