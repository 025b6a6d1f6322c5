"""The process that reads a pickle of weights and writes them as safetensors. Run as a program of its own, apart from
everything: it has no network, no secret in its environment, starts no program, and is bounded in memory, time and what
it writes. Nothing of this project is imported here.

The pickle is read by `torch.load(weights_only=True)` and by nothing else: what asks for any other global is refused.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pickletools
import platform
import re
import resource
import signal
import struct
import sys
import zipfile
from typing import Any, BinaryIO, NoReturn

TORCH = (2, 6)  # from this version on, weights_only is what it says
# of prctl, unshare and seccomp, in Linux's headers
SET_PDEATHSIG, SET_DUMPABLE, SET_SECCOMP, SET_NO_NEW_PRIVS, FILTER = 1, 4, 22, 38, 2
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # to refuse is EPERM
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
# machine -> its number, and those of the calls that are refused: socket, socketpair, connect, bind, execve, execveat,
# ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, io_uring_setup (which makes sockets too)
CALLS = {
    "x86_64": (0xC000003E, (41, 53, 42, 49, 59, 322, 101, 310, 311, 438, 425)),
    "aarch64": (0xC00000B7, (198, 199, 203, 200, 221, 281, 117, 270, 271, 438, 425)),
}
OF_CONTENT = {errno.EINVAL, errno.EFBIG, errno.EOVERFLOW, errno.ESPIPE}  # what a file that is cut off brings about
NO_MEMORY = re.compile(r"allocate memory|bad_alloc|not enough memory|Cannot allocate", re.IGNORECASE)


class Refused(Exception):
    """Why a pickle is not converted."""


def seal() -> bool:
    """Take the network from this process: a network namespace of its own, and a filter that refuses sockets. Whether it
    has at least one of the two."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = _network()
    if hasattr(libc, "unshare") and libc.unshare(NEW_USER | NEW_NETWORK) != 0:
        libc.unshare(NEW_NETWORK)
    apart = before != "" and _network() not in ("", before)
    return _filtered(libc) or apart


def _network() -> str:
    try:
        return os.readlink("/proc/self/ns/net")
    except OSError:
        return ""


def _filtered(libc: ctypes.CDLL) -> bool:
    """Whether a filter of system calls is in force that lets no socket be made."""
    if not sys.platform.startswith("linux") or platform.machine() not in CALLS:
        return False
    machine, refused = CALLS[platform.machine()]

    def line(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
        return struct.pack("HBBI", code, true, false, value)

    # of another machine's calls, and of x32's, the numbers differ
    program = [line(LOAD, 4), line(EQUAL, machine, 1), line(RETURN, KILL), line(LOAD, 0)]
    program += [line(AT_LEAST, 0x40000000, 0, 1), line(RETURN, KILL)]
    for call in refused:
        program += [line(EQUAL, call, 0, 1), line(RETURN, REFUSE)]
    content = ctypes.create_string_buffer(b"".join([*program, line(RETURN, ALLOW)]))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]  # noqa: RUF012 (as ctypes reads it)

    told = Program(len(program) + 1, ctypes.addressof(content))
    libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(told), 0, 0) != 0:
        return False
    import socket

    try:
        socket.socket().close()
    except PermissionError:
        return True
    return False


def new_enough(version: str) -> bool:
    """Whether a torch of this version may read a pickle."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= TORCH


def tensors_of(held: object) -> dict:
    """The tensors of what a pickle held, by name, each in memory of its own as safetensors wants it: the same numbers.

    Raises:
        Refused: it is no dict of tensors, or of tensors that safetensors does not know.
    """
    import torch

    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        if not any(isinstance(value, torch.Tensor) for value in held.values()):
            held = held["state_dict"]
    if not isinstance(held, dict):
        raise Refused(f"holds {type(held).__name__}, not a dict of tensors")
    if not held:
        raise Refused("holds no tensor")
    found, whole = {}, (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
    for name, tensor in held.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise Refused(f"the name {name!r:.80} is none of a weight")
        if type(tensor) not in whole:
            raise Refused(f"{name!r:.80} is {type(tensor).__name__}, not a tensor")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu" or tensor.is_nested:
            raise Refused(f"{name!r:.80} is no plain tensor (sparse, quantised, or without numbers)")
        found[name] = tensor.detach()
    return found


def convert(pickle: BinaryIO, target: str, most: int) -> int:
    """Write the tensors of a pickle to a file; how many there are.

    Args:
        most: bytes that they may take.

    Raises:
        Refused: it is not read, or not written.
        OSError: the disk does not give or take it.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    torch.serialization.clear_safe_globals()
    try:
        held = torch.load(pickle, map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:
        raise _explained(error, pickle) from error
    tensors = tensors_of(held)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > most:
        raise Refused(f"its tensors would take {size:,} bytes, which is more than a pickle of its size holds")
    try:
        own: dict[str, Any] = {}
        for name, tensor in tensors.items():  # some share their memory, or are views: safetensors knows neither
            own[name] = tensor.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
        save_file(own, target, metadata={"format": "pt"})
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        if told := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(told[1]), os.strerror(int(told[1])), target) from error
        raise _explained(error, pickle) from error
    return len(own)


def _explained(error: Exception, pickle: BinaryIO) -> Exception:
    """Why a pickle is not read, with the global that it asks for."""
    if isinstance(error, OSError) and error.errno and error.errno not in OF_CONTENT:
        return error
    text = str(error)
    if isinstance(error, MemoryError) or NO_MEMORY.search(text):
        return Refused("asks for more memory than a pickle of its size needs")
    asked = re.search(r"GLOBAL (\S+)", text)
    named = [asked[1]] if asked else strange_globals(pickle)
    if named:
        return Refused(f"asks for {', '.join(named[:3])}")
    told = re.sub(r"\s+", " ", text.rpartition("WeightsUnpickler error:")[2] or text).strip()
    return Refused(f"not read by torch.load(weights_only=True): {type(error).__name__}: {told:.200}")


def strange_globals(pickle: BinaryIO) -> list[str]:
    """What a pickle would import, and torch does not let it: found by reading its opcodes, none of which is run."""
    found: dict[str, None] = {}
    known: dict = {}
    try:
        from torch._weights_only_unpickler import _get_allowed_globals

        known = _get_allowed_globals()
        if zipfile.is_zipfile(pickle):
            with zipfile.ZipFile(pickle) as archive:
                name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                with archive.open(name) as stream:
                    _look(stream, found)
        else:
            pickle.seek(0)
            for _ in range(8):  # torch's older format is several in a row
                _look(pickle, found)
    except Exception:  # of whatever is no pickle
        pass
    return [name for name in found if name not in known]


def _look(stream, found: dict[str, None]) -> None:
    texts: list[str] = []
    for code, argument, _ in pickletools.genops(stream):
        if code.name in ("GLOBAL", "INST"):
            found[str(argument).replace(" ", ".")] = None
        elif code.name == "STACK_GLOBAL" and len(texts) > 1:
            found[".".join(texts[-2:])] = None
        elif isinstance(argument, str):
            texts.append(argument)


def _memory() -> int:
    """Bytes of address space that this process has taken."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _bound(job: dict) -> None:
    """What this process may take from now on, beside the libraries that it has imported."""
    for kind, value in (
        (resource.RLIMIT_AS, _memory() + job["memory"]),
        (resource.RLIMIT_FSIZE, job["output"] + 2**24),
        (resource.RLIMIT_CPU, job["seconds"] + int(sum(os.times()[:2]))),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def main() -> NoReturn:
    """Do the job on stdin (JSON), and tell how it went on stdout: {"tensors": N}, or why not."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer

    def end(**told: object) -> NoReturn:
        os.write(answer, json.dumps(told).encode())
        os._exit(0)

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not sys.platform.startswith("linux"):
        end(place="this system has no way to take the network from a process")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(SET_DUMPABLE, 0, 0, 0, 0)
    job = json.load(sys.stdin)
    if not seal():
        end(place="this machine lets no process give up its network: neither unshare nor seccomp is allowed")
    sys.path[:] = job["path"]
    try:
        import torch
    except ImportError as error:
        end(place=f"torch cannot be imported: {error}")
    if not new_enough(torch.__version__):
        end(place=f"torch {torch.__version__} is too old: update it to {'.'.join(map(str, TORCH))} or newer")
    torch.set_num_threads(1)
    try:
        import safetensors.torch  # noqa: F401 (before the bounds)

        _bound(job)
        with os.fdopen(job["pickle"], "rb") as pickle:  # opened for us: here we may read less than who began this
            end(tensors=convert(pickle, job["target"], job["output"]))
    except Refused as why:
        end(refused=str(why))
    except OSError as error:
        end(errno=error.errno, file=str(error.filename or job["target"]))
    except MemoryError:
        end(refused="asks for more memory than a pickle of its size needs")


if __name__ == "__main__":
    main()
