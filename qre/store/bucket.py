"""Reads and writes below a prefix of a bucket, s3:// or gs://, and what to do when the server does not answer."""

from __future__ import annotations

import errno
import io
import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from qre.errors import PlaceError, StoreRefused, StoreRefusedNow, UserError
from qre.store.address import Address, connect
from qre.store.files import Files, Item, Result, parts

SINGLE = 10 * 2**20  # bytes; pyarrow sends less than this as one PUT, and more in parts of this size
LONGEST_PAUSE = 8.0
CODE = re.compile(
    r"AWS Error (?P<aws>\w+)(?: \(HTTP status (?P<status>\d+)\))? during|google::cloud::Status\((?P<google>\w+)"
)
NO_BUCKET = {"NO_SUCH_BUCKET"}
ABSENT = {"NO_SUCH_KEY", "RESOURCE_NOT_FOUND", "NOT_FOUND"}
REFUSED = {
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_CLIENT_TOKEN_ID",
    "MISSING_AUTHENTICATION_TOKEN",
    "UNRECOGNIZED_CLIENT",
    "INCOMPLETE_SIGNATURE",
    "OPT_IN_REQUIRED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "INVALID_ARGUMENT",
}
CLOCK = {"REQUEST_TIME_TOO_SKEWED", "REQUEST_EXPIRED"}
UNNAMED = re.compile(r"Unable to parse ExceptionName: (\S+) Message: ")  # a code that the client does not know
UNTRUSTED = re.compile(r"curlCode: (35|51|58|60|77|83|90|91)\b|certificate", re.IGNORECASE)
log = logging.getLogger(__name__)


class Bucket(Files):
    """Objects below a prefix of a bucket. An upload is seen when it is complete, so a file is there as a whole or not
    at all.

    Faults that may pass by themselves (no connection, no answer, 5xx, "slow down") are tried again; what is absent or
    refused is told at once. Every method may raise:

        UserError: there is no such bucket; StoreRefused: it refuses these credentials.
        PlaceError: this machine's clock is off, or it does not trust the server's certificate.
        TimeoutError: no answer for about RETRY_SECONDS.

    Threads may share one; a fork may not, since the client does not survive it: open another from the address.
    """

    RETRY_SECONDS = 60.0

    def __init__(self, address: Address):
        super().__init__()
        self.address = address
        self._found = False  # the bucket is known to exist
        self._granted: set[bool] = set()  # what it has done for these credentials: writes (True), reads
        self._told = float("-inf")  # when people last heard that the server does not answer

    def exists(self, name: str) -> bool:
        key = self._key(name)
        found = self._tried("look for", name, lambda: self._client.get_file_info(key).is_file)
        if not found:
            self._require_bucket()
        return found

    def read(self, name: str) -> bytes:
        key = self._key(name)
        return self._tried("read", name, lambda: self._get(key))

    def open(self, name: str) -> BucketFile:
        key = self._key(name)
        file, size = self._tried("read", name, lambda: _opened(self._client, key))
        return BucketFile(file, size, lambda act: self._tried("read", name, act))

    def write(self, name: str, content: bytes) -> None:
        key = self._key(name)
        self._tried("write", name, lambda: _undisturbed(lambda: self._put(key, content)))
        self._found = True

    def _write_once(self, name: str, content: bytes) -> None:
        key = self._key(name)
        self._tried("write", name, lambda: _undisturbed(lambda: self._put(key, content)), patience=0.0)

    def names(self, prefix: str) -> Iterator[str]:
        return iter(self.sizes(prefix))

    def sizes(self, prefix: str) -> dict[str, int]:
        """As Files.sizes, in the order of a walk; one request for each 1,000 objects."""
        found = dict(self._named(self._listed(self._key(prefix), prefix)))
        return {name: found[name] for name in sorted(found, key=_walk_order) if self._is_ours(name)}

    def look_at_root(self) -> None:
        infos = self._listed(self._root, "", recursive=False)
        self._note_roots((info.base_name, not info.is_file) for info in infos)

    def _named(self, infos: list) -> Iterator[tuple[str, int]]:
        """(name, bytes) of the objects in a listing."""
        start = len(self._root) + 1
        return ((info.path[start:], info.size) for info in infos if info.is_file)

    def _listed(self, key: str, name: str, recursive: bool = True) -> list:
        from pyarrow import fs

        selector = fs.FileSelector(key, recursive=recursive, allow_not_found=True)
        infos = self._tried("list", name, lambda: self._client.get_file_info(selector))
        if infos:
            self._found = True
        else:
            self._require_bucket()
        return infos

    def remove(self, name: str) -> None:
        self._removed(name, self._client.delete_file)

    def remove_folder(self, prefix: str) -> None:
        ours = self.sizes(prefix)
        if not any(stray.startswith(f"{prefix}/") for stray in self.seen.strays):
            self._removed(prefix, lambda key: self._client.delete_dir_contents(key, missing_dir_ok=True))
            return
        for name in ours:
            self.remove(name)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item], width: int = 1) -> list[Result]:
        items = list(items)
        if min(width, len(items)) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(width, len(items))) as pool:
            return list(pool.map(function, items))

    def everything(self) -> dict[str, int]:
        """Bytes of all objects below the prefix, whoever made them and however they are called, by the name that
        follows it; sorted."""
        return dict(sorted(self._named(self._listed(self._root, ""))))

    def _move(self, name: str, target: str) -> None:
        old, new = self._key(name), self._key(target)
        try:
            self._tried("move", name, lambda: self._client.copy_file(old, new))
        except FileNotFoundError:  # another process did it first
            return
        self.remove(name)

    def _removed(self, name: str, act: Callable[[str], None]) -> None:
        key = self._key(name)
        try:
            self._tried("remove", name, lambda: act(key))
        except FileNotFoundError:
            pass

    def _get(self, key: str) -> bytes:
        if self.address.scheme == "gs":  # a random-access file would begin a second download there
            with self._client.open_input_stream(key) as file:
                return file.read()
        with self._client.open_input_file(key) as file:
            return file.read()

    def _put(self, key: str, content: bytes) -> None:
        # A large upload must be begun by opening: where that fails later, pyarrow leaves an empty object on closing.
        client = self._small_client if len(content) < SINGLE else self._client
        try:
            with client.open_output_stream(key) as file:
                file.write(content)  # all at once: closing completes what was written so far, whatever happened
        except FileNotFoundError:
            self._require_bucket()
            raise OSError("the server has forgotten the upload") from None

    @cached_property
    def _client(self):
        return self._tried("reach", "", lambda: connect(self.address))

    @cached_property
    def _small_client(self):
        return (
            self._tried("reach", "", lambda: connect(self.address, delayed=True))
            if self.address.scheme == "s3"
            else self._client
        )

    @property
    def _root(self) -> str:
        return f"{self.address.bucket}/{self.address.prefix}".rstrip("/")

    def _key(self, name: str) -> str:
        return "/".join((self._root, *parts(name)))

    def _require_bucket(self) -> None:
        """UserError where the bucket does not exist: for pyarrow it is merely empty. Asked once, and only when
        something is absent."""
        if self._found:
            return
        from pyarrow import fs

        try:
            found = self._tried(
                "look for", "", lambda: self._client.get_file_info(self.address.bucket).type != fs.FileType.NotFound
            )
        except UserError:  # who may use a prefix may not look at the bucket
            found = True
        if not found:
            raise self._no_bucket()
        self._found = True

    def _no_bucket(self) -> UserError:
        return UserError(
            f"store: there is no bucket {self.address.bucket!r} (asked by {self.address}); make it, or fix the address"
        )

    def _tried(self, doing: str, name: str, act: Callable[[], Result], patience: float | None = None) -> Result:
        """The result of act(), repeated with growing, jittered pauses while the fault may pass by itself; for
        `patience` seconds."""
        what = f"{doing} {name or 'the bucket'} in {self.address}"
        writes = doing in ("write", "move", "remove")
        patience = self.RETRY_SECONDS if patience is None else patience
        end = time.monotonic() + patience
        attempt = 0
        while True:
            try:
                result = act()
                if doing != "reach":
                    self._granted.add(writes)
                return result
            except FileNotFoundError:
                verdict = "absent"
            except TimeoutError:  # of connecting, where it was tried for long enough
                raise
            except OSError as error:
                verdict, reason = self._judged(error) if doing != "reach" else _verdict(error)
            if verdict == "absent":
                if name:
                    self._require_bucket()
                raise FileNotFoundError(errno.ENOENT, f"not in {self.address}", name)
            if verdict == "no bucket":
                raise self._no_bucket()
            if verdict == "refused" and writes in self._granted:
                raise StoreRefusedNow(
                    f"store: cannot {what}: {reason}; the bucket refuses our credentials now: renew them, or give "
                    f"them the rights (list, read, write, delete)"
                )
            if verdict == "refused":
                raise StoreRefused(
                    f"store: cannot {what}: {reason}; check the credentials, what they may do (list, read, write, "
                    f"delete) and the region"
                    + ("" if ":" in reason else f"; and this machine's clock ({_now()})")  # the server has not said why
                )
            if verdict == "clock":
                raise PlaceError(
                    f"store: cannot {what}: {reason}; the clock of this machine is off ({_now()}): set it, by NTP"
                )
            if verdict == "untrusted":
                raise PlaceError(
                    f"store: cannot {what}: this machine does not trust the server's certificate ({reason}); check "
                    f"the machine's clock ({_now()}), a proxy "
                    "that stands between (NO_PROXY), and the certificates (tls_ca_file_path in the address)"
                )
            pause = random.uniform(0.5, 1) * min(0.25 * 2**attempt, LONGEST_PAUSE)
            if time.monotonic() + pause > end:
                raise TimeoutError(errno.ETIMEDOUT, f"store: cannot {what}: tried for {patience:.0f} s: {reason}")
            self._tell(what, reason)
            time.sleep(pause)
            attempt += 1

    def _judged(self, error: OSError) -> tuple[str, str]:
        """As _verdict. The answer to HEAD has no words: where a bucket that has served refuses so, a listing is asked
        for the reason."""
        verdict, reason = _verdict(error)
        if verdict != "refused" or not self._granted or reason.count(":"):
            return verdict, reason
        from pyarrow import fs

        try:
            self._client.get_file_info(fs.FileSelector(self._key("progress"), allow_not_found=True))
        except OSError as other:
            return _verdict(other) if _verdict(other)[0] != "absent" else (verdict, reason)
        return verdict, reason

    def _tell(self, what: str, reason: str) -> None:
        """Say that one is waiting, at most once in a while."""
        if time.monotonic() - self._told > self.RETRY_SECONDS / 2:
            self._told = time.monotonic()
            log.warning("store: cannot %s: %s; trying again for %.0f s", what, reason, self.RETRY_SECONDS)


class BucketFile(io.RawIOBase):
    """An object to read parts of: each read is one request for its range."""

    def __init__(self, file, size: int, tried: Callable[[Callable[[], bytes]], bytes]):
        self._file, self._size, self._tried, self._at = file, size, tried, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        content = self._tried(lambda: self._file.read_at(wanted, self._at)) if wanted else b""
        self._at += len(content)
        return content

    def close(self) -> None:
        self._file.close()
        super().close()


def _opened(client, key: str):
    file = client.open_input_file(key)
    return file, file.size()


def _undisturbed(act: Callable[[], Result]) -> Result:
    """act() in a thread of its own: Ctrl-C is raised in the main one, and pyarrow would complete the upload that it
    leaves half way."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


def _verdict(error: OSError) -> tuple[str, str]:
    """What an error of pyarrow means (absent, no bucket, refused or passing), and its reason in words."""
    text = str(error)
    match = CODE.search(text)
    code = (match["aws"] or match["google"]) if match else ""
    status = int(match["status"] or 0) if match else 0
    reason = (
        re.split(r"during \w+ operation: |with a last message of ", text)[-1]
        .split(" (Request ID")[0]
        .split(" error_info=")[0]
    )
    said = [
        code.lower().replace("_", " "),
        f"HTTP status {status}" if status else "",
        reason.removesuffix("No response body."),
    ]
    reason = UNNAMED.sub(r"\1: ", ": ".join(filter(None, said))).removeprefix("unknown: ")
    if code in CLOCK:
        return "clock", reason
    if not status and UNTRUSTED.search(text):
        return "untrusted", reason
    if code in ABSENT or status == 404 or "No such directory" in text:
        return "absent", reason
    if code in NO_BUCKET or re.search(r"Bucket '.*' not found", text):
        return "no bucket", reason
    if code in REFUSED or isinstance(error, PermissionError) or (300 <= status < 500 and status not in (408, 409, 429)):
        return "refused", reason
    return "passing", reason


def _now() -> str:
    return time.strftime("it says %Y-%m-%d %H:%M UTC", time.gmtime())


def _walk_order(name: str) -> list[tuple[bool, str]]:
    *folders, file = name.split("/")
    return [(True, folder) for folder in folders] + [(False, file)]
