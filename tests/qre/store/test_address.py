"""Addresses of stores: what is understood, what is refused, and what pyarrow is asked for."""

import os
import subprocess
import sys

import pytest

from qre.errors import UserError
from qre.store import Store
from qre.store.address import STALL_SECONDS, connect, parse


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """Nothing in the environment tells of another place."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ("s3://maps/a/b", "s3://maps/a/b"),
        ("s3://maps/", "s3://maps"),
        (
            "s3://maps/a?scheme=http&region=eu-central-1&endpoint_override=h:9000",
            "s3://maps/a?endpoint_override=h:9000&region=eu-central-1&scheme=http",
        ),
        ("s3://maps/a?endpoint_override=http://h:9000/", "s3://maps/a?endpoint_override=h:9000&scheme=http"),
        ("s3://maps/a?endpoint_override=https%3A%2F%2Fh", "s3://maps/a?endpoint_override=h&scheme=https"),
        ("s3://maps/a?tls_ca_file_path=/etc/ca.pem", "s3://maps/a?tls_ca_file_path=/etc/ca.pem"),
        ("gs://maps/a?project_id=p", "gs://maps/a?project_id=p"),
        ("gs://anonymous@maps/a?scheme=http", "gs://anonymous@maps/a?scheme=http"),
    ],
)
def test_an_address_is_one_line_that_opens_the_same_store(given, location):
    store = Store(given)
    assert store.location == location
    assert not store.is_local
    assert Store(store.location).folder.address == store.folder.address


@pytest.mark.parametrize("given", ["store", "/tmp/a b", "s3", "gs/maps", "a:b"])
def test_a_folder_is_a_folder(given):
    store = Store(given)
    assert store.is_local
    assert store.location == os.path.abspath(given)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (
            "ftp://maps/a",
            "begins with ftp:// is not understood; give a folder, s3://bucket/prefix or gs://bucket/prefix",
        ),
        ("S3://maps/a", "begins with S3:// is not understood"),
        ("s3:/maps/a", "begins with s3:/ is not understood"),
        ("s3:///a", "'' is not the name of a bucket; write s3://bucket/prefix"),
        ("gs://", "'' is not the name of a bucket; write gs://bucket/prefix"),
        ("s3://maps:9000/a", "'maps:9000' is not the name of a bucket"),
        ("s3://Maps/a", "'Maps' is not the name of a bucket"),
        ("s3://maps/../a", "prefix '../a'"),
        ("s3://maps/a//b", "prefix 'a//b'"),
        ("s3://maps/a b", "prefix 'a b'"),
        ("s3://maps/a#b", "prefix 'a'"),
        (
            "s3://maps/a?regoin=eu",
            "unknown option 'regoin' in the address; known: endpoint_override, region, scheme, tls_ca_file_path",
        ),
        ("gs://maps/a?region=eu", "unknown option 'region'"),
        ("s3://maps/a?scheme=ftp", "it is http or https"),
    ],
)
def test_what_is_not_understood_is_told_with_the_mend(location, message):
    with pytest.raises(UserError) as error:
        Store(location)
    assert str(error.value).startswith("store: ")
    assert message in str(error.value)


SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    "location",
    [
        f"s3://AKIA:{SECRET}@maps/a",
        f"s3://{SECRET}@maps/a",
        f"s3://maps/a?secret_key={SECRET}",
        f"s3://maps/a?access_key={SECRET}",
        f"s3://maps/a?session_token={SECRET}",
        f"gs://maps/a?access_token={SECRET}",
        f"gs://anonymous:{SECRET}@maps/a",
        f"s3://maps/a?endpoint_override=http://me:{SECRET}@h:9000",
        f"s3://maps/a?AWS_SECRET_ACCESS_KEY={SECRET}",
    ],
)
def test_credentials_are_refused_and_not_repeated(location):
    with pytest.raises(UserError, match="no credentials in the address.*environment.*role.*secret") as error:
        Store(location)
    assert SECRET not in str(error.value)


def test_the_endpoint_of_the_environment_travels_with_the_address(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://other:1")
    assert Store("s3://maps/a").location == "s3://maps/a?endpoint_override=other:1&scheme=https"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://minio:9000")
    store = Store("s3://maps/a")
    assert store.location == "s3://maps/a?endpoint_override=minio:9000&scheme=http"
    assert Store("s3://maps/a?endpoint_override=mine").location == "s3://maps/a?endpoint_override=mine"
    assert Store("gs://maps/a").location == "gs://maps/a"
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert Store(store.location).folder.address == store.folder.address
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://me:{SECRET}@minio:9000")
    with pytest.raises(UserError, match="AWS_ENDPOINT_URL") as error:
        Store("s3://maps/a")
    assert SECRET not in str(error.value)


def asked(address: str, **options) -> dict:
    """The arguments that pyarrow's file system was made with."""
    return connect(parse(address), **options).__reduce__()[1][0]


def test_what_pyarrow_is_asked_for_on_s3(monkeypatch):
    made = asked("s3://maps/a?endpoint_override=h:9000&scheme=http&region=eu-north-1", delayed=True)
    wanted = {
        "endpoint_override": "h:9000",
        "scheme": "http",
        "region": "eu-north-1",
        "allow_delayed_open": True,
        "background_writes": True,
    }
    assert wanted.items() <= made.items()
    assert made["connect_timeout"] > 0
    assert made["request_timeout"] == STALL_SECONDS
    assert not made["allow_bucket_creation"]
    assert made["access_key"] is made["secret_key"] is None
    assert asked("s3://maps/a?endpoint_override=h:9000")["region"] == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert asked("s3://maps/a?endpoint_override=h:9000")["region"] == "eu-west-3"


def test_what_pyarrow_is_asked_for_on_gs():
    made = asked("gs://maps/a?endpoint_override=h:9000&scheme=http&project_id=p")
    wanted = {"endpoint_override": "h:9000", "scheme": "http", "project_id": "p", "anonymous": False}
    assert wanted.items() <= made.items()
    assert made["retry_time_limit"].total_seconds() == STALL_SECONDS
    assert asked("gs://anonymous@maps/a")["anonymous"]


def test_a_local_store_starts_no_s3(tmp_path):
    """initialize_s3 refuses to run twice: it tells whether anything has begun before."""
    code = (
        "import sys; from qre.store import Store; store = Store(sys.argv[1]); store.folder.write('a/b', b'1'); "
        "store.embeddings.keys()\n"
        "store.features.keys('m'); from pyarrow import fs; fs.initialize_s3(); print('not before')"
    )
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert (told.stdout, told.stderr) == ("not before\n", "")
