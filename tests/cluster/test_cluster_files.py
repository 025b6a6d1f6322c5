"""What all files of cluster/ have in common: the image, no secrets, and node types that hold the slots of sweep.yaml."""

import re
import shlex
from collections import Counter, defaultdict

import pytest
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.instance_manager.subscribers.cloud_resource_monitor import CloudResourceMonitor
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.common_pb2 import LabelSelectorOperator
from ray.core.generated.instance_manager_pb2 import Instance, InstanceUpdateEvent

from jobs.config import load_config
from tests.cluster.files import CLUSTER, LAUNCHERS, MANIFESTS, ROOT, autoscaling_config, cluster_spec, containers, load

RAY = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
FILES = sorted(path for path in CLUSTER.iterdir() if path.is_file())
SETTINGS = load_config(CLUSTER / "sweep.yaml").cluster
SECRETS = {
    "an access key of AWS": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", "a token of the hub": r"\bhf_[A-Za-z0-9]{20,}", "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "a key of Google": r"\bAIza[A-Za-z0-9_-]{30,}|\"private_key\"", "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "a password or token with its value": r"(?i)\b(password|secret_access_key|auth_token|hf_token)\b\s*[:=]\s*['\"]?[A-Za-z0-9+/_-]{8,}",
    "an account of AWS": r"(?<![\d.])\d{12}(?![\d.])",
}  # fmt: skip


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
        assert {container["image"] for container in containers(load(name))} == {f"registry.example/encoder-map:ray-{RAY}-py311"}


def image_problems(text: str) -> list[str]:
    """What is wrong with a Dockerfile of this project, a line each."""
    steps = defaultdict(list)
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines():
        if line.strip():
            steps[line.split()[0]].append(shlex.split(line)[1:])
    copied = [word for words in steps["COPY"] for word in words[:-1] if not word.startswith("--")]
    ignored = (CLUSTER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = {
        "one base, the pinned Ray": steps["FROM"] == [[f"rayproject/ray:{RAY}-py311"]],
        "what is copied is there, and let in by .dockerignore": all((ROOT / source).exists() and f"!{source}" in ignored for source in copied),
        "what is copied is the user's": all("--chown=1000:100" in words for words in steps["COPY"]),
        "what is installed is constrained": all("--constraint constraints.txt" in " ".join(words) for words in steps["RUN"] if "pip" in words),
        "the user is not root": steps["USER"][-1:] == [["ray"]],
        "no secret": not secrets_in(text),
    }
    return [rule for rule, kept in rules.items() if not kept]


def test_the_image_is_built_of_files_that_there_are_by_a_user_without_power():
    assert image_problems((CLUSTER / "Dockerfile").read_text()) == []


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (f":{RAY}-py311\n", ":latest\n", "pinned"), ("COPY --chown=1000:100 qre", "COPY --chown=1000:100 qer", "is there"),
        ("--constraint constraints.txt --no-deps", "--no-deps", "constrained"), ("USER ray", "USER root", "root"), ("COPY --chown=1000:100 jobs", "COPY jobs", "user's"),
        ("ENV HF_HOME", "ENV HF_TOKEN=abcdefghijkl HF_HOME", "secret"),
    ],
)  # fmt: skip
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
        bundle = {"CPU": options["num_cpus"], "GPU": options.get("num_gpus", 0), **options.get("resources", {})}
        labels = [(key, LabelSelectorOperator.LABEL_OPERATOR_IN, [value]) for key, value in options.get("label_selector", {}).items()]
        requests.append(
            ResourceRequestUtil.make({key: amount for key, amount in bundle.items() if amount}, label_selectors=[labels] if labels else None)
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
        shared, whole, large = (slot.asked() for slot in SETTINGS.slots)
        assert launched(name, [SETTINGS.cpu_slot.asked()]) == {"cpu": 1}
        assert launched(name, [{"num_cpus": SETTINGS.reduce_cpus}]) == {"cpu": 1}
        assert launched(name, [shared] * 3) == launched(name, [whole]) == {"gpu-spot": 1}
        assert launched(name, [large]) == {"gpu-large": 1}

    def test_the_width_is_what_the_spot_nodes_hold(self, name):
        shared = SETTINGS.slots[0]
        assert launched(name, [shared.asked()] * SETTINGS.width_per_slot) == {"gpu-spot": 8}

    def test_on_demand_takes_what_spot_cannot_and_all_when_spot_is_turned_off(self, name):
        shared = SETTINGS.slots[0].asked()
        assert launched(name, [shared] * (SETTINGS.width_per_slot + 3)) == {"gpu-spot": 8, "gpu-on-demand": 1}
        assert launched(name, [shared] * 6, gpu_spot=0) == {"gpu-on-demand": 2}

    def test_a_spot_node_that_never_came_counts_and_a_launch_that_was_refused_does_not(self, name):
        """The first is a pod without a machine; the second is how EC2 and Google say that there is no capacity. README.md says what to do then."""
        two = [SETTINGS.slots[1].asked()] * 2
        assert launched(name, two, learned_from(Instance.ALLOCATION_TIMEOUT)) == {"gpu-on-demand": 2}
        assert launched(name, two, learned_from(Instance.ALLOCATION_FAILED)) == {"gpu-spot": 2}

    def test_what_no_node_type_holds_is_not_started(self, name):
        with pytest.raises(AssertionError):
            launched(name, [{"num_cpus": 1, "num_gpus": 1, "label_selector": {"ray.io/accelerator-type": "T4"}}])


def test_the_models_leave_room_on_the_disk():
    nodes = {name: [kind["node_config"] for kind in load(name)["available_node_types"].values() if "GPU" in kind["resources"]] for name in LAUNCHERS}
    sizes = [disk["Ebs"]["VolumeSize"] for node in nodes["aws.yaml"] for disk in node["BlockDeviceMappings"]]
    sizes += [int(disk["initializeParams"]["diskSizeGb"]) for node in nodes["gcp.yaml"] for disk in node["disks"]]
    assert len(sizes) == 6 and min(sizes) >= SETTINGS.cache_gigabytes + 100


def test_the_readme_names_every_file_and_no_other():
    text = (CLUSTER / "README.md").read_text()
    inner = {"guard.py", "start_node.py", "hub_token.py", "Dockerfile.dockerignore", "README.md"}  # not for people to call
    for path in FILES:
        assert path.name in text or path.name in inner, path.name
    for mentioned in set(re.findall(r"cluster/([\w.-]+\.(?:yaml|py)|Dockerfile)", text)):
        assert (CLUSTER / mentioned).exists(), mentioned
