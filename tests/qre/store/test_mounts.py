"""Mounts that are no whole file systems: directories that cannot be synced, files that cannot be renamed. The calls are
answered as such mounts answer them, by a library before the C library's own, since no FUSE is to be had everywhere."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
static int asked(const char *name) { const char *number = getenv(name); return number ? atoi(number) : 0; }
int fsync(int descriptor) {
    struct stat about;
    if (asked("FSYNC_FOLDER") && !fstat(descriptor, &about) && S_ISDIR(about.st_mode)) { errno = asked("FSYNC_FOLDER"); return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}
int rename(const char *old, const char *new) {
    if (asked("RENAME")) { errno = asked("RENAME"); return -1; }
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(old, new);
}
static int opened(const char *call, const char *path, int flags, mode_t mode) {
    struct stat about;
    if (asked("OPEN_FOLDER") && !stat(path, &about) && S_ISDIR(about.st_mode) && !(flags & O_DIRECTORY)) { errno = asked("OPEN_FOLDER"); return -1; }
    return ((int (*)(const char *, int, mode_t))dlsym(RTLD_NEXT, call))(path, flags, mode);
}
#define OPEN(name) int name(const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more); return opened(#name, path, flags, mode); }
OPEN(open)
OPEN(open64)
"""
WRITER = """
import sys
from qre.errors import PlaceError
from qre.store import Store
store = Store(sys.argv[1])
try:
    store.owners.write("t", {"file": "mine.yaml"})
    print("read", store.owners.read("t"))
except PlaceError as error:
    print("place", error)
except OSError as error:
    print("error", error)
"""


@pytest.fixture(scope="module")
def answering(tmp_path_factory):
    """Runs the writer with the calls that are named answered by an errno."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler here")
    folder = tmp_path_factory.mktemp("library")
    (folder / "mount.c").write_text(LIBRARY)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "mount.so", folder / "mount.c", "-ldl"], check=True)

    def run(store: Path, **calls: int) -> str:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LD_PRELOAD": str(folder / "mount.so"),
            **{name: str(number) for name, number in calls.items()},
        }
        result = subprocess.run(
            [sys.executable, "-c", WRITER, str(store)], capture_output=True, text=True, env=environment, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return run


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS, errno.EACCES])
def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, answering, number):
    assert answering(tmp_path, FSYNC_FOLDER=number) == "read {'file': 'mine.yaml'}"
    assert answering(tmp_path, OPEN_FOLDER=number) == "read {'file': 'mine.yaml'}"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.ESTALE])
def test_a_folder_whose_syncing_fails_is_one(tmp_path, answering, number):
    assert answering(tmp_path, FSYNC_FOLDER=number) == f"error [Errno {number}] {os.strerror(number)}"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.ENOTSUP, errno.EXDEV])
def test_a_mount_without_rename_says_what_to_use(tmp_path, answering, number):
    told = answering(tmp_path, RENAME=number)
    assert (
        told.startswith("place ")
        and "this mount cannot rename files" in told
        and "use a bucket address (s3://, gs://)" in told
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["owners"]  # nothing half is left


def test_a_rename_that_fails_otherwise_is_told_as_it_is(tmp_path, answering):
    assert answering(tmp_path, RENAME=errno.ENOSPC).startswith("error [Errno 28] No space left on device")
