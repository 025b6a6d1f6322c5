"""What stands between a command and its cluster or bucket: a proxy in the environment, another version, a clock, a
certificate."""

import http.server
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cluster.local import LocalCluster
from tests.jobs.conftest import write_config
from tests.s3 import s3  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
FEW = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
NOWHERE = "http://user:never-in-a-message@127.0.0.1:1"
PROXY = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "grpc_proxy"), NOWHERE
) | {"NO_PROXY": "", "no_proxy": ""}
PRETEND = """
import json, sys
from ray._raylet import GcsClient
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
client = GcsClient(address=sys.argv[1])
key, space = b"CLUSTER_METADATA", b"cluster"
told = json.loads(client.internal_kv_get(key, namespace=space))
client.internal_kv_put(key, json.dumps({**told, **json.loads(sys.argv[2])}).encode(), overwrite=True, namespace=space)
"""


def qre(*words: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    ended = subprocess.run(
        [sys.executable, "-m", "jobs.cli", *map(str, words)],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert "Traceback" not in ended.stderr and "never-in-a-message" not in ended.stdout + ended.stderr
    return ended


@pytest.fixture(scope="module")
def head():
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with LocalCluster(
        nodes=0, head_cpus=1, dashboard=True, environment={"PYTHONPATH": str(ROOT), "PATH": path, **PROXY}
    ) as cluster:
        yield cluster


@pytest.mark.cluster
def test_a_proxy_does_not_stand_between_a_machine_and_itself(tmp_path, head):
    """Nodes, the way to the dashboard and the job itself, all with a proxy that leads nowhere."""
    write_config(tmp_path, [FEW], name="proxied").rename(tmp_path / "c.yaml")
    submitted = qre("submit", "c.yaml", "--address", head.dashboard, cwd=tmp_path, **PROXY)
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert "map of 12 encoders" in submitted.stdout


@pytest.mark.cluster
def test_a_proxy_is_not_in_the_way_of_a_local_ray_and_a_bucket(s3, tmp_path):  # noqa: F811
    swept = qre("sweep", write_config(tmp_path, [FEW], store=s3.location()), **PROXY)
    assert swept.returncode == 0, swept.stdout + swept.stderr


def test_a_proxy_that_answers_for_the_cluster_is_named(tmp_path, monkeypatch):
    """It is asked in the cluster's place, and has nothing to say of it."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass

    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server,
        socket.create_server(("0.0.0.0", 0)) as other,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = outer()
        path = write_config(tmp_path, [FEW], store="s3://bucket/prefix")
        refused = qre(
            "submit",
            path.name,
            "--address",
            f"http://{own}:{other.getsockname()[1]}",
            cwd=tmp_path,
            **{
                **PROXY,
                **dict.fromkeys(
                    ("HTTP_PROXY", "http_proxy"), f"http://user:never-in-a-message@127.0.0.1:{server.server_port}"
                ),
            },
        )
        server.shutdown()
    assert refused.returncode == 2
    assert (
        f"asked through the proxy 127.0.0.1:{server.server_port} of the environment: set NO_PROXY={own}"
        in refused.stderr
    )


def outer() -> str:
    """An address of this machine beside 127.0.0.1; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no other address")
        return asked.getsockname()[0]


@pytest.mark.cluster
@pytest.mark.parametrize("other", [{"ray_version": "2.40.0"}, {"python_version": "3.9.1"}], ids=["Ray", "Python"])
def test_another_version_of_the_cluster_is_told_in_one_line(tmp_path, head, other):
    """The last tests of this head: it says from here on that it is another."""
    environment = {**os.environ, "RAY_AUTH_MODE": "token"}
    given = {"ray_version": "2.60.0", "python_version": ".".join(map(str, sys.version_info[:3])), **other}
    subprocess.run(
        [sys.executable, "-c", PRETEND, head.address.replace("LOCALHOST", "127.0.0.1"), json.dumps(given)],
        env=environment,
        check=True,
    )
    swept = qre("sweep", write_config(tmp_path, [FEW], cluster={"address": head.address}))
    assert swept.returncode == 2, swept.stdout + swept.stderr
    (line,) = [line for line in swept.stderr.splitlines() if line.startswith("qre:")]
    assert (
        f"the cluster at {head.address} runs Ray {given['ray_version']} on Python {given['python_version']}, and this "
        f"process Ray 2.60" in line
    )
    assert "qre submit" in line


def test_a_clock_that_is_off_is_told_as_such(s3, tmp_path):  # noqa: F811
    s3.fail(".", 403, "RequestTimeTooSkewed")
    planned = qre("plan", write_config(tmp_path, [FEW], store=s3.location()))
    assert planned.returncode in (1, 2) and len(planned.stderr.splitlines()) == 1
    assert "clock" in planned.stderr and datetime.now(timezone.utc).strftime("%Y-%m-%d") in planned.stderr


def test_a_certificate_that_is_not_yet_valid_is_told_with_the_clock(tmp_path):
    """A real TLS server: its certificate begins tomorrow, as for a machine whose clock is a day behind."""
    address = "s3://maps/x?endpoint_override=127.0.0.1:{}&region=us-east-1&scheme=https"
    address += f"&tls_ca_file_path={tmp_path / 'cert.pem'}"
    made(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        planned = qre(
            "plan",
            write_config(tmp_path, [FEW], store=address.format(server.server_port)),
            AWS_ACCESS_KEY_ID="a",
            AWS_SECRET_ACCESS_KEY="b",
            AWS_EC2_METADATA_DISABLED="true",
        )
        server.shutdown()
    assert planned.returncode == 1, planned.stderr
    assert (
        "does not trust the server's certificate" in planned.stderr
        and "check the machine's clock (it says " in planned.stderr
    )


def made(folder: Path) -> None:
    """A key, and a certificate of 127.0.0.1 by itself, valid from tomorrow on."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    own = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), tomorrow, tomorrow + timedelta(days=9)
    )
    certificate = builder.add_extension(own, critical=False).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
