"""aws.yaml and gcp.yaml: read by Ray itself, against the clouds' own descriptions of their interfaces, and on an AWS
that is simulated."""

import re
import shutil
import subprocess
import sys

import boto3
import jsonschema
import pytest
import yaml
from botocore.session import get_session
from botocore.validate import ParamValidator
from moto import mock_aws
from ray.autoscaler._private.command_runner import _with_environment_variables, _with_interactive

from cluster import hub_token
from tests.cluster.files import CLUSTER, LAUNCHERS, launcher_config, load
from tests.cluster.gcp_instance import INSTANCE
from tests.s3 import CREDENTIALS, s3  # noqa: F401


def aws_problems(node_config: dict) -> str:
    """What EC2's RunInstances would not take; empty if nothing."""
    shape = get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    return ParamValidator().validate({**node_config, "MinCount": 1, "MaxCount": 1}, shape).generate_report()


@pytest.mark.parametrize("name", LAUNCHERS)
def test_ray_takes_the_file_and_adds_no_commands_of_its_own(name):
    values, config = load(name), launcher_config(load(name))
    for commands in ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands"):
        assert config[commands] == values[commands]


@pytest.mark.parametrize("name", LAUNCHERS)
@pytest.mark.parametrize(
    "place",
    [
        ("max_worker",),
        ("docker", "imgae"),
        ("available_node_types", "cpu", "max_worker"),
        ("available_node_types", "gpu-spot", "prioritiy"),
    ],
)
def test_a_typo_is_caught(name, place):
    inner = values = load(name)
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = 1
    with pytest.raises((jsonschema.ValidationError, ValueError), match=place[-1]):
        launcher_config(values)


def test_the_provider_has_no_typo():
    """Ray itself takes any key there."""
    own = {"type", "region", "availability_zone", "cache_stopped_nodes"}
    assert {name: set(load(name)["provider"]) for name in LAUNCHERS} == {
        "aws.yaml": own,
        "gcp.yaml": own | {"project_id"},
    }


@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_head_runs_no_tasks_and_workers_come_from_none(name):
    config = launcher_config(load(name))
    types = config["available_node_types"]
    assert (
        types[config["head_node_type"]]["resources"]["CPU"] == 0 and types[config["head_node_type"]]["max_workers"] == 0
    )
    workers = {key: value for key, value in types.items() if key != config["head_node_type"]}
    assert all(kind["min_workers"] == 0 for kind in workers.values())
    assert config["max_workers"] >= sum(kind["max_workers"] for kind in workers.values())
    assert workers["gpu-spot"]["priority"] > workers["gpu-on-demand"]["priority"]
    assert 0 < config["idle_timeout_minutes"] <= 10 and config["provider"]["cache_stopped_nodes"] is False


@pytest.mark.parametrize("name", LAUNCHERS)
def test_ray_is_guarded_by_a_token_and_the_dashboard_is_on_loopback(name):
    values = load(name)
    assert "--env=RAY_AUTH_MODE=token" in values["docker"]["run_options"]
    assert values["file_mounts"] == {"/home/ray/.ray/auth_token": "~/.ray/auth_token"}
    head = values["head_start_ray_commands"][-1]
    assert "--dashboard-host=127.0.0.1" in head and "0.0.0.0" not in (CLUSTER / name).read_text()
    for command in (head, values["worker_start_ray_commands"][-1]):
        assert 'python ~/hub_token.py "$HF_SECRET"' in command


def test_aws_takes_each_node_type():
    for name, kind in load("aws.yaml")["available_node_types"].items():
        assert aws_problems(kind["node_config"]) == "", name


@pytest.mark.parametrize(
    "typo",
    [
        {"InstanceTyp": "m7i.xlarge"},
        {"BlockDeviceMappings": [{"Ebs": {"VolumeSiz": 1}}]},
        {"InstanceMarketOptions": {"MarketTyp": "spot"}},
    ],
)
def test_a_typo_in_an_aws_node_is_caught(typo):
    assert "Unknown parameter" in aws_problems(
        {**load("aws.yaml")["available_node_types"]["cpu"]["node_config"], **typo}
    )


def test_aws_spot_is_spot_and_on_demand_is_not():
    types = load("aws.yaml")["available_node_types"]
    markets = {
        name: kind["node_config"].get("InstanceMarketOptions", {}).get("MarketType") for name, kind in types.items()
    }
    assert markets == {"head": None, "cpu": None, "gpu-spot": "spot", "gpu-on-demand": None, "gpu-large": "spot"}
    for kind in types.values():
        config = kind["node_config"]
        assert (
            config["MetadataOptions"]["HttpTokens"] == "required"
            and config["IamInstanceProfile"]
            and config["SecurityGroupIds"]
        )
        assert all(
            disk["Ebs"]["Encrypted"] and disk["Ebs"]["DeleteOnTermination"] for disk in config["BlockDeviceMappings"]
        )


def test_google_takes_each_node_type():
    for name, kind in load("gcp.yaml")["available_node_types"].items():
        jsonschema.validate(kind["node_config"], INSTANCE)
        assert kind["node_config"]["serviceAccounts"], name


@pytest.mark.parametrize(
    "typo",
    [
        {"machineTyp": "n2-standard-4"},
        {"scheduling": {"provisioningModel": "spot"}},
        {"disks": [{"initializeParams": {"diskSizeGb": 100}}]},
    ],
)
def test_a_typo_in_a_google_node_is_caught(typo):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**load("gcp.yaml")["available_node_types"]["cpu"]["node_config"], **typo}, INSTANCE)


def test_google_spot_is_spot_and_on_demand_is_not():
    types = load("gcp.yaml")["available_node_types"]
    models = {name: kind["node_config"].get("scheduling", {}).get("provisioningModel") for name, kind in types.items()}
    assert models == {"head": None, "cpu": None, "gpu-spot": "SPOT", "gpu-on-demand": None, "gpu-large": "SPOT"}
    assert (
        types["gpu-on-demand"]["node_config"]["scheduling"]["onHostMaintenance"] == "TERMINATE"
    )  # else Google refuses a GPU


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """A simulated AWS with a security group and instance profiles, and no way to a real one."""
    for key, value in {
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-west-2",
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(key, value)
    (tmp_path / ".ssh").mkdir()
    with mock_aws():
        yield boto3.resource("ec2", "us-west-2")


def test_on_a_simulated_aws_ray_up_prepares_the_cluster_and_each_type_starts(aws):
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    group = aws.create_security_group(GroupName="encoder-map", Description="nodes", VpcId=next(iter(aws.vpcs.all())).id)
    for role in ("head", "worker"):
        boto3.client("iam").create_instance_profile(InstanceProfileName=f"map-{role}")
    words = {
        "sg-CHANGE-ME": group.id,
        "CHANGE-ME-head": "map-head",
        "CHANGE-ME-worker": "map-worker",
        "CHANGE-ME-a": "us-west-2a",
        "CHANGE-ME-b": "us-west-2b",
        "CHANGE-ME": "us-west-2",
    }
    config = bootstrap_aws(launcher_config(filled(load("aws.yaml"), words)))
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for name, kind in config["available_node_types"].items():
        (made,) = provider.create_node(kind["node_config"], {"ray-node-kind": "worker", "ray-user-node-type": name}, 1)
        instance = aws.Instance(made)
        assert instance.instance_type == load("aws.yaml")["available_node_types"][name]["node_config"]["InstanceType"]
        assert [member["GroupId"] for member in instance.security_groups] == [group.id], (
            "Ray's own group is open to everybody"
        )
        assert (instance.instance_lifecycle == "spot") == (name in ("gpu-spot", "gpu-large"))
        assert len(kind["node_config"]["SubnetIds"]) == 2, "both zones are tried"


def filled(value, words: dict[str, str]):
    """The file as its user would fill it in."""
    if isinstance(value, dict):
        return {key: filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, words) for inner in value]
    for word, replacement in words.items() if isinstance(value, str) else ():
        value = value.replace(word, replacement)
    return value


def test_the_hub_token_is_read_from_the_secret(aws, capsys):
    client = boto3.client("secretsmanager")
    client.create_secret(Name="hub", SecretString="a-secret\n")
    client.create_secret(Name="blank", SecretString=" \n")
    assert hub_token.read("hub") == "a-secret" and hub_token.read("none") == ""
    for name, why in (
        ("another", "ResourceNotFoundException"),
        ("blank", "the secret is empty"),
        ("", "no name of a secret"),
    ):
        assert hub_token.main([name]) == 1
        told = capsys.readouterr()
        assert told.out == "" and why in told.err and told.err.count("\n") == 1
    assert hub_token.main([]) == 1


@pytest.fixture
def node(tmp_path, s3):  # noqa: F811
    """Runs a start command as Ray does it on a node; returns its exit code, and what `ray` was called with and which
    HF_TOKEN it had: None where it was not.

    The secrets are those of a server of this machine. `ray` is a program that writes down its call; python and
    hub_token.py are the real ones.
    """
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    shutil.copy(CLUSTER / "hub_token.py", home)
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "ray").write_text('#!/bin/sh\nprintf "%s\\n%s\\n" "${HF_TOKEN-unset}" "$*" > "$HOME/called"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    # as in Ray's image: a login shell begins with a PATH of its own
    (home / ".bashrc").write_text(f"export PATH={programs}:/usr/bin:/bin\n")
    variables = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "AWS_ENDPOINT_URL": "http://{}:{}".format(*s3.upstream),
        "AWS_DEFAULT_REGION": "us-west-2",
        "RAY_HEAD_IP": "127.0.0.9",
        **CREDENTIALS,
    }

    def run(command: str, **environment: str) -> tuple[int, tuple[str, str] | None]:
        started = " ".join(
            _with_interactive(_with_environment_variables(command, {"RAY_OVERRIDE_RESOURCES": {"CPU": 8}}))
        )
        (home / "called").unlink(missing_ok=True)
        done = subprocess.run(
            started,
            shell=True,
            env={**variables, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        run.told = done.stderr
        return done.returncode, tuple((home / "called").read_text().splitlines()) if (
            home / "called"
        ).exists() else None

    client = boto3.client(
        "secretsmanager",
        "us-west-2",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    if "encoder-map-hub" not in [secret["Name"] for secret in client.list_secrets()["SecretList"]]:
        client.create_secret(Name="encoder-map-hub", SecretString="the-token")
    return run


@pytest.mark.parametrize("name", LAUNCHERS)
@pytest.mark.parametrize("part", ["head", "worker"])
def test_a_refused_secret_stops_the_start_of_the_node(node, name, part):
    command = load(name)[f"{part}_start_ray_commands"][-1]
    code, called = node(command, HF_SECRET="encoder-map-hub")
    assert (
        code == 0
        and called[0] == "the-token"
        and called[1].startswith("start --head" if part == "head" else "start --address=127.0.0.9:6379")
    )
    code, called = node(command, HF_SECRET="none")
    assert code == 0 and called[0] == ""  # no token, in the words of huggingface_hub
    for secret in (
        {"HF_SECRET": "another"},
        {},
        {"HF_SECRET": "encoder-map-hub", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"},
    ):
        code, called = node(command, **secret)
        assert code != 0 and called is None and "hub_token: " in node.told, secret
        assert "set HF_SECRET=none" in node.told


@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_login_to_a_private_registry_that_the_file_offers_is_a_command_that_ray_takes(name):
    """The commented lines under initialization_commands, with the comment sign taken away."""
    text = (CLUSTER / name).read_text()
    offered = re.findall(r"^ *# (- (?:aws ecr|gcloud auth) .*)$", text, re.MULTILINE)
    assert len(offered) == 1
    values = yaml.safe_load(
        text.replace("initialization_commands: []", "initialization_commands:").replace(f"# {offered[0]}", offered[0])
    )
    assert values["initialization_commands"][-1].startswith(
        ("aws ecr get-login-password", "gcloud auth configure-docker")
    )
    assert launcher_config(values)["initialization_commands"] == values["initialization_commands"]
    for command in values["initialization_commands"]:
        subprocess.run(["bash", "-n", "-c", command], check=True)
