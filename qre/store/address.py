"""The address of a store in a bucket, s3://bucket/prefix or gs://bucket/prefix: read, checked, and connected to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from qre.errors import UserError
from qre.store.files import PART

OPTIONS = {
    "s3": ("endpoint_override", "region", "scheme", "tls_ca_file_path"),
    "gs": ("endpoint_override", "project_id", "scheme"),
}
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
CREDENTIAL = re.compile(r"key|secret|token|password|credential|user", re.IGNORECASE)
CONNECT_SECONDS = 5.0
STALL_SECONDS = 20.0  # a request that moves no byte for so long has failed
CLIENT_ATTEMPTS = 2  # inside the client, so that one bad part does not send a whole upload again


@dataclass(frozen=True)
class Address:
    """Where a store lies in a bucket.

    Attributes:
        scheme: s3 or gs.
        prefix: of every object of the store, without slashes at its ends; "" for the whole bucket.
        options: (name, value) pairs as pyarrow takes them; never a credential.
        anonymous: no credentials are looked for (gs://anonymous@bucket/...).
    """

    scheme: str
    bucket: str
    prefix: str = ""
    options: tuple[tuple[str, str], ...] = ()
    anonymous: bool = False

    @property
    def location(self) -> str:
        """The address as one line that another process, on another node, opens the same store by."""
        query = urlencode(self.options, safe="/:")
        user = "anonymous@" if self.anonymous else ""
        return (
            f"{self.scheme}://{user}{self.bucket}"
            + (f"/{self.prefix}" if self.prefix else "")
            + (f"?{query}" if query else "")
        )

    def __str__(self) -> str:
        """As people read it: where, and at which server."""
        options = dict(self.options)
        at = (
            f" at {options.get('scheme', 'https')}://{options['endpoint_override']}"
            if "endpoint_override" in options
            else ""
        )
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "") + at


def parse(location: str) -> Address | None:
    """The address that a location gives; None where it is a local folder.

    Raises:
        UserError: another scheme, no bucket, an unknown option, or credentials.
    """
    start = re.match(r"(?:s3|gs):/{1,2}|[A-Za-z][A-Za-z0-9+.-]*://", location)
    if start is None:
        return None
    if start[0] not in ("s3://", "gs://"):
        raise UserError(
            f"store: an address that begins with {start[0]} is not understood; give a folder, s3://bucket/prefix or "
            f"gs://bucket/prefix"
        )
    url = urlsplit(location)
    query = parse_qsl(url.query, keep_blank_values=True)
    user, at, bucket = url.netloc.rpartition("@")
    anonymous = url.scheme == "gs" and user == "anonymous"
    if (at and not anonymous) or any(CREDENTIAL.search(name) or "@" in value for name, value in query):
        raise UserError(
            "store: no credentials in the address, since it is shown and passed on; give them by the environment of "
            "every node"
            " (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS), a role of the machine, "
            "or a mounted secret"
        )
    if not BUCKET.fullmatch(bucket):
        raise UserError(f"store: {bucket!r} is not the name of a bucket; write {url.scheme}://bucket/prefix")
    prefix = url.path.strip("/")
    if url.fragment or (prefix and not all(PART.fullmatch(part) for part in prefix.split("/"))):
        raise UserError(
            f"store: the prefix {prefix!r} has a part that is empty, hidden, or not of A-Z a-z 0-9 . _ = + -; choose "
            f"another"
        )
    for name, _ in query:
        if name not in OPTIONS[url.scheme]:
            raise UserError(f"store: unknown option {name!r} in the address; known: {', '.join(OPTIONS[url.scheme])}")
    return Address(url.scheme, bucket, prefix, _completed(url.scheme, dict(query)), anonymous)


def _completed(scheme: str, options: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The options with the endpoint of the environment (pyarrow does not look there), its http:// told apart;
    sorted."""
    if scheme == "s3" and "endpoint_override" not in options:
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            options["endpoint_override"] = endpoint
    if "://" in options.get("endpoint_override", ""):
        options["scheme"], _, options["endpoint_override"] = options["endpoint_override"].rstrip("/").partition("://")
    if "@" in options.get("endpoint_override", ""):
        raise UserError(
            "store: no credentials in the endpoint of the environment (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL)"
        )
    if options.get("scheme", "https") not in ("http", "https"):
        raise UserError(f"store: scheme {options['scheme']!r} in the address; it is http or https")
    return tuple(sorted(options.items()))


def connect(address: Address, delayed: bool = False):
    """A pyarrow file system for the address. Makes no request, but one where an S3 bucket's region is to be looked up.

    Args:
        delayed: a file is opened for writing without a request (S3 only): small ones are then one PUT.
    """
    from pyarrow import fs

    options = dict(address.options)
    if address.scheme == "gs":
        return fs.GcsFileSystem(
            anonymous=address.anonymous, retry_time_limit=timedelta(seconds=STALL_SECONDS), **options
        )
    if "region" not in options:
        options["region"] = _region(address.bucket, "endpoint_override" in options)
    return fs.S3FileSystem(
        **options,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=STALL_SECONDS,
        allow_delayed_open=delayed,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=CLIENT_ATTEMPTS),
        background_writes=True,  # without it pyarrow completes an upload although a part of it failed
    )


def _region(bucket: str, elsewhere: bool) -> str:
    """The region of a bucket: its own at AWS, and what the environment says at another endpoint, where it seldom
    matters."""
    if elsewhere:
        return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    from pyarrow import fs

    return fs.resolve_s3_region(bucket)
