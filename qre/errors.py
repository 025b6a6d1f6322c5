"""The errors that a person is meant to read: each names the place and the fix."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence


class UserError(Exception):
    """The config, the input or the command is wrong: exit code 2, no traceback."""


class PlaceError(Exception):
    """A fault of the place: this machine's disk, its rights, its token, its network. Never an encoder's: nothing is
    recorded against one, and what is done is kept. Exit code 1."""


class StoreRefused(UserError, PlaceError):
    """The bucket refuses these credentials, which it has never granted this. Never an encoder's fault."""


class StoreRefusedNow(StoreRefused):
    """The bucket refuses what it has granted to these credentials before: exit code 1 where a sweep has begun."""


class EncoderError(Exception):
    """An encoder's own fault (permanent): it is recorded for that encoder, and the sweep goes on."""


class DoubtfulError(EncoderError):
    """What a library has raised of an encoder: its own fault most often, and at times that of the installation. It is
    believed when it has come twice, on two nodes where there are two."""


class EmbeddingError(EncoderError):
    """An embedding that cannot become a density operator.

    Attributes:
        encoder: name of the encoder, "" where none was given.
        rows: the offending row numbers (0-based, at most ten); empty where the whole matrix is at fault.
    """

    def __init__(self, problem: str, encoder: str = "", rows: tuple[int, ...] = ()):
        self.problem, self.encoder, self.rows = problem, encoder, rows
        place = f"encoder {encoder!r}: " if encoder else ""
        where = f" (row {', '.join(map(str, rows))})" if rows else ""
        super().__init__(f"{place}{problem}{where}")

    def naming(self, sentences: Sequence[str]) -> EmbeddingError:
        """The same error with the sentence of its first row named, and what can be done; as it is where it has no rows,
        or they are not these sentences'."""
        if not self.rows or self.rows[0] >= len(sentences):
            return self
        more = f" and {len(self.rows) - 1} more" if len(self.rows) > 1 else ""
        named = (
            f"{self.problem}: sentence {self.rows[0]} ({sentences[self.rows[0]][:60]!r}){more}; leave it out, or "
            f"this encoder"
        )
        return type(self)(named, self.encoder)

    def __reduce__(self):  # Ray sends exceptions between processes; the default would lose the attributes
        return type(self), (self.problem, self.encoder, self.rows)


class ShapeError(EmbeddingError):
    """Not an (n, d) matrix of floats with n >= 2 and d >= 1."""


class NonFiniteError(EmbeddingError):
    """NaN or Inf in the embedding."""


class ZeroRowError(EmbeddingError):
    """A sentence whose vector is all zeros has no direction, so no quantum state."""


class ConstantEmbeddingError(EmbeddingError):
    """Every sentence has the same direction: the encoder tells no two sentences apart."""


MENDS = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room, or ask for a larger quota",
    errno.EROFS: "it is mounted read-only; name a place that can be written",
    errno.EACCES: "give this user the right, or name a place of its own",
    errno.EPERM: "give this user the right, or name a place of its own",
    errno.ESTALE: "the file system has gone away behind the mount; mount it again",
    errno.EIO: "the disk or the network behind it fails; look at the machine's log",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "the machine has no open files left; close other programs",
    errno.ENOMEM: "free memory on this machine",
    errno.ENOLCK: "this file system gives no locks; name a local folder",
    errno.ENOTCONN: "the mount is not connected; mount it again",
    errno.EHOSTDOWN: "the server behind the mount is down",
    errno.EAGAIN: "the machine has no processes or threads left (ulimit -u)",
}
WHOLE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN}
# what a file's content or a config's words can bring about
OF_CONTENT = {errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
# in the words of torch, CUDA and the loader of shared libraries, whose exceptions have no type of their own
MACHINE_SIGNS = re.compile(
    r"CUDA error|CUDA driver|NVIDIA driver|No CUDA GPUs are "
    r"available|NCCL|CUBLAS_STATUS|CUSOLVER|cuDNN|CUDNN_STATUS|HIP error|no kernel image"
    r"|not compiled with CUDA|out of memory|not enough memory|can't allocate memory|Cannot allocate memory|can't "
    r"start new thread|bad_alloc"
    r"|cannot open shared object|shared object file|undefined symbol|DLL load failed|version `(GLIBC|CXX)|cannot "
    r"allocate|failed to map segment",
    re.IGNORECASE,
)
# as libraries written in Rust (safetensors, tokenizers, hf_xet) put an errno into words
_RUST_ERROR = re.compile(r"\(os error (\d+)\)")


def place_error(error: BaseException, what: str = "") -> PlaceError | None:
    """The fault of the place behind an exception, however libraries have wrapped it; None where there is none.

    Args:
        error: with its causes. An EncoderError is what we have judged already, so it is none.
        what: that cannot be used, e.g. "the hub's cache /shared/hub"; default: the file that the error names, or the
            disk that it is on.
    """
    if isinstance(error, PlaceError):
        return error
    if isinstance(error, (EncoderError, UserError)):
        return None
    for one in chain(error):
        number = one.errno if isinstance(one, OSError) else None
        if number is None and (told := _RUST_ERROR.search(str(one))):
            number = int(told[1])
        if number in MENDS:
            place = what or _place(one, number) or f"{type(one).__name__}: {one}"
            return PlaceError(f"{place}: {os.strerror(number)}; {MENDS[number]}")
    return None


def machine_error(error: BaseException) -> bool:
    """Whether an exception is of the machine by its type, its errno or its words, so that the same encoder may do well
    on another one.

    That is every OSError with a number but those that a file's content can bring about; no memory, threads or time; a
    broken GPU, or a driver that does not go with its libraries; a shared library that does not load. A device-side
    assert is not: it is the GPU's way to say that an encoder indexes beyond its tables.
    """
    if isinstance(error, (EncoderError, UserError)):
        return False
    if place_error(error) is not None:
        return True
    if any("device-side assert" in str(one) for one in chain(error)):
        return False
    if _absent(error):
        return True
    for one in chain(error):
        if isinstance(one, (MemoryError, TimeoutError)) or (
            isinstance(one, OSError) and one.errno and one.errno not in {*OF_CONTENT, errno.ENOENT}
        ):
            return True
        if isinstance(one, (RuntimeError, ImportError, OSError, AssertionError)) and MACHINE_SIGNS.search(str(one)):
            return True
    return False


def _absent(error: BaseException) -> bool:
    """A path that is not there; only in what was raised on purpose, since libraries look for many files that need not
    be there."""
    return any(isinstance(one, FileNotFoundError) and one.errno == errno.ENOENT for one in chain(error, meant=True))


def _place(error: BaseException, number: int) -> str:
    """The file that an error names; where the whole disk is at fault, its mount point, which is the same for all
    files."""
    if not isinstance(error, OSError) or not error.filename:
        return ""
    file = os.path.abspath(os.fsdecode(error.filename)) if not isinstance(error.filename, int) else ""
    if number not in WHOLE_DISK:
        return file
    while file != os.path.dirname(file) and not os.path.ismount(file):
        file = os.path.dirname(file)
    return file


def chain(error: BaseException, meant: bool = False) -> Iterator[BaseException]:
    """An exception and what it was raised from; or, where only that counts, what it was `meant` to be raised from. One
    may be its own cause."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if meant or one.__suppress_context__ else one.__context__)


# of this system or Windows, and not what follows the host of an address, nor org/model
_FOLDERS = re.compile(r"""(?<![\w:/\\.])(?:~[\w.-]*|[A-Za-z]:)?[\\/](?:[^\s'"`:;,()<>|\\/]+[\\/])+""")


def without_folders(message: str) -> str:
    """A message as it may be passed on with a map: of each absolute path in it the last part alone."""
    return _FOLDERS.sub("", message)
