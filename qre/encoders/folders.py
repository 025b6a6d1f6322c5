"""Encoders in folders on this machine: what they are, what their key holds, and that they may be loaded."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from qre.encoders import adapters
from qre.encoders.contents import counts
from qre.encoders.examine import (
    Found,
    Unfit,
    check_code,
    check_no_pointer,
    check_pickles,
    check_pooling,
    examine,
    examine_base,
    parsed,
)
from qre.encoders.remedies import REMEDY
from qre.encoders.spec import stated_prompts
from qre.encoders.weight_files import BrokenWeights, check_weight_files
from qre.errors import EncoderError, UserError, place_error


class FolderProblem(EncoderError):
    """Why the encoder in a folder cannot be taken.

    Attributes:
        reason: as of encoders of the hub.
    """

    def __init__(self, path: str, reason: str, detail: str):
        self.path, self.reason, self.detail = path, reason, detail
        remedy = REMEDY.get(reason)
        super().__init__(f"{path}: {reason} ({detail})" + (f"; {remedy}" if remedy else ""))

    def __reduce__(self):
        return type(self), (self.path, self.reason, self.detail)


@dataclass(frozen=True)
class LookedAt:
    """An encoder in a folder, once it is looked through.

    Attributes:
        path: the folder.
        revision: sha256 (hex) over the names and contents of all files that can change a number, and of an adapter over
            those of its base; but for pickles.
        pickles: (name, sha256) of the pickles that its weights are in.
        base: the folder of the base, of an adapter.
        prompts: by name, as its files state them.
        default_prompt: the prompt that plain `encode` applies; "" where none.
        shape: what the files tell of its layers and dimensions: see shape_of.
        plain: it is a plain checkpoint: see plain.py.
    """

    path: Path
    revision: str
    pickles: tuple[tuple[str, str], ...]
    base: Path | None
    prompts: dict[str, str]
    default_prompt: str
    shape: dict
    plain: bool


def look_at_folder(
    path: str | Path, native: bool = False, pooled: bool = False, pickled: bool = False, base: str | Path | None = None
) -> LookedAt:
    """Look through an encoder's folder, and read all of it.

    Args:
        native: take transformers' own class where the folder names code.
        pooled: a pooling is stated, as a plain checkpoint (without modules.json) needs it.
        pickled: its weights may be pickles.
        base: the folder of the base, of an adapter.

    Raises:
        UserError: no folder there.
        PlaceError: this machine does not let it be read.
        FolderProblem: no sentence encoder, no pooling, weights only as pickles, code of its own, a file that cannot be
            read, weights that are not whole; with the reason.
        EncoderError: prompts that are none.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    place = None
    try:
        files, found = _checked(path, pooled, pickled, native=native)
        check_weight_files(path)
        digest = _digest(path, {name: size for name, size in files.items() if counts(name, found.modules)})
        if found.adapter is None and base is not None:
            raise FolderProblem(str(path), "adapter", f"it has no {adapters.CONFIG}, so it has no base")
        if found.adapter is not None:
            place = base_of(path, found.adapter, base)
            digest.update(b"base\0" + _digest(place, check_base(place, native)).digest())
        pickles = tuple((name, sha256_of(path / name)) for name in found.pickles)
    except OSError as error:
        if (fault := place_error(error)) is not None:  # this machine's; the encoder may be read elsewhere, or tomorrow
            raise fault from None
        where = (
            f"{Path(error.filename).relative_to(path)}: "
            if error.filename and Path(error.filename).is_relative_to(path)
            else ""
        )
        raise FolderProblem(str(path), "unusable folder", f"{where}cannot be read: {error.strerror}") from None
    except BrokenWeights as error:
        raise FolderProblem(str(path), "broken weights", error.what) from None
    return LookedAt(
        path, digest.hexdigest(), pickles, place, *folder_prompts(path), shape=found.shape, plain=found.plain
    )


def folder_revision(path: str | Path, **options) -> str:
    """The `revision` of a folder that is looked through with these options: see look_at_folder."""
    return look_at_folder(path, **options).revision


def base_of(path: Path, adapter: adapters.Adapter, stated: str | Path | None) -> Path:
    """The folder of the base of an adapter, as a config states it or as its own file names it.

    Raises:
        UserError: what is stated is no folder.
        FolderProblem: what its file names is not on this machine.
    """
    place = Path(stated) if stated is not None else path / Path(adapter.base).expanduser()
    if not place.is_dir():
        if stated is not None:
            raise UserError(f"{place}: no such folder")
        raise FolderProblem(
            str(path), "base missing", f"{adapters.CONFIG}: an adapter of {adapter.base}, which is no folder here"
        )
    return place


def sha256_of(file: Path) -> str:
    """sha256 (hex) of the content of a file."""
    digest = hashlib.sha256()
    for block in _blocks(file):
        digest.update(block)
    return digest.hexdigest()


def folder_prompts(path: str | Path) -> tuple[dict[str, str], str]:
    """The prompts of a folder by name, and the one that plain `encode` would apply; {} and "" where its config names
    none."""
    path, name = Path(path), "config_sentence_transformers.json"
    file = path / name
    if not file.is_file():
        return {}, ""
    try:
        stated = parsed(name, file.stat().st_size, lambda _: file.read_bytes())
    except Unfit as problem:
        raise FolderProblem(str(path), problem.reason, problem.detail) from None
    if not isinstance(stated, dict):
        raise EncoderError(f"{file}: a config is a mapping, not {type(stated).__name__}")
    return stated_prompts(stated)


def folder_shape(path: str | Path) -> dict:
    """What the files of a folder that was looked through tell of its layers and dimensions: see shape_of."""
    try:
        return examine(file_sizes(Path(path)), lambda name: b"".join(_blocks(Path(path) / name))).shape
    except (Unfit, OSError):  # told by look_at_folder
        return {}


def is_plain(path: str | Path) -> bool:
    """Whether an encoder's folder is a plain checkpoint: see plain.py."""
    return not (Path(path) / "modules.json").is_file()


def check_folder(path: str | Path, pooled: bool = False, pickled: bool = False, **trust) -> Found:
    """Look through a folder, or a snapshot, before it is loaded: what was found when it was planned may have changed.

    Args:
        pooled, pickled: as of `look_at_folder`.
        trust: options of `check_code`.

    Raises:
        FolderProblem: as `look_at_folder`.
        OSError: a file cannot be read; whose fault that is, is for whoever loads it to say.
    """
    return _checked(Path(path), pooled, pickled, **trust)[1]


def check_base(path: str | Path, native: bool = False) -> dict[str, int]:
    """Look through the base of an adapter before it is loaded.

    Returns:
        name -> bytes of its files that count.

    Raises:
        FolderProblem: it is no checkpoint with weights that may be loaded, or names code of its own.
        BrokenWeights: they are not whole.
    """
    path = Path(path)
    try:
        files = adapters.of_base(file_sizes(path))
        found = examine_base(files, lambda name: b"".join(_blocks(path / name)))
        check_code(found.code, found.python, found.bodies, native=native)
    except Unfit as problem:
        raise FolderProblem(str(path), problem.reason, f"as the base of an adapter: {problem.detail}") from None
    check_weight_files(path, base=True)
    return {name: size for name, size in files.items() if counts(name)}


def _digest(path: Path, files: Mapping[str, int]):
    """sha256 over the names, sizes and contents of files in a folder."""
    digest = hashlib.sha256()
    for name in sorted(files, key=lambda name: Path(name)):
        digest.update(f"{name}\0{files[name]}\0".encode())
        for block in _blocks(path / name):
            digest.update(block)
    return digest


def _checked(path: Path, pooled: bool, pickled: bool, **trust) -> tuple[dict[str, int], Found]:
    try:
        files = file_sizes(path)
        found = examine(files, lambda name: b"".join(_blocks(path / name)))
        check_pickles(found.pickles, files, pickled)
        check_pooling(found.plain, pooled)
        check_code(found.code, found.python, found.bodies, **trust)
        for name, size in files.items():
            inside = counts(name, found.modules) and name.rpartition("/")[0] in {"", *found.modules}
            if size < 1024 and (inside or name in found.pickles):
                check_no_pointer(name, b"".join(_blocks(path / name)))
    except Unfit as problem:
        raise FolderProblem(str(path), problem.reason, problem.detail) from None
    return files, found


def file_sizes(path: Path) -> dict[str, int]:
    """Bytes of every file below a folder, by its name with "/"; links are followed, since loading follows them.

    Raises:
        Unfit: a file that counts is a link to nothing.
        OSError: a folder cannot be listed.
    """
    sizes = {}
    for name in _names(path, path, ()):
        try:
            told = (path / name).stat()
        except FileNotFoundError:
            if counts(name):
                raise Unfit("unusable folder", f"{name} is a link to nothing") from None
            continue
        if stat.S_ISREG(told.st_mode):
            sizes[name] = told.st_size
    return sizes


def _names(top: Path, folder: Path, above: tuple[str, ...]) -> Iterator[str]:
    """Names below a folder; a link back to a folder above is not followed again."""
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _names(top, Path(entry.path), (*above, real))
            else:
                yield Path(entry.path).relative_to(top).as_posix()


def _blocks(file: Path) -> Iterator[bytes]:
    """The content of a file; its errors name it, which those of reading do not by themselves."""
    try:
        with open(file, "rb") as stream:
            while block := stream.read(2**22):
                yield block
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
