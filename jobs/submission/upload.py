"""What a submitted sweep takes along: its working directory, and whether all that the config names is in it.

A job runs on another machine, in a copy of the working directory: it sees nothing else of the submitter's, and what it
writes into the copy is lost.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from jobs.config import EndpointEntry, Entry, FileSentences, FolderEntry, ListEntry, MtebScores, SweepConfig, load_list
from jobs.planning.named_files import files_of, named
from jobs.submission.secrets import secret
from qre.encoders.contents import counts
from qre.encoders.folders import file_sizes
from qre.errors import UserError
from qre.paths import below, shortened
from qre.store.address import parse
from qre.tasks.task_spec import BuiltinTasks

# beside .git, .venv, venv and __pycache__, which Ray leaves out by itself
LEFT_OUT = ("/results/", "/store/", ".env", "*.egg-info/")
OURS = ("jobs", "qre")
# folders that packages leave beside themselves by mistake
ANYONES = {"test", "tests", "docs", "doc", "examples", "scripts", "benchmarks", "tools"}
BYTES_PER_FILE = 300  # of the archive, for the name and its entry


@dataclass(frozen=True)
class Upload:
    """A working directory to be uploaded.

    Attributes:
        folder: absolute.
        config: the config file, from the folder.
        excludes: patterns as in .gitignore of what stays here, beside what .gitignore and .rayignore name.
        notes: what a person should know.
        sizes: bytes of each file that goes, by its name from the folder.
        secrets: why each file stays here that would go otherwise.
        warnings: what may well break the job.
    """

    folder: str
    config: str
    excludes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def prepare(config: Path, settings: SweepConfig, folder: Path) -> Upload:
    """The upload of a sweep, checked; nothing is sent.

    Raises:
        UserError: a file that the config names would not be in it, or it is too large.
    """
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise UserError(f"--working-dir: no folder {folder}")
    excludes = (*LEFT_OUT, *(_outputs(settings, folder)))
    sizes = _sizes(folder, excludes)
    warnings = _shadows(folder, sizes)
    secrets = _secrets(folder, sizes)
    excludes += tuple(_exactly(name) for name in secrets)
    sizes = {name: size for name, size in sizes.items() if name not in secrets}
    _check_size(folder, sizes)
    config_name = os.path.relpath(os.path.abspath(config), folder)
    _check_there("config", config_name, folder, sizes, secrets)
    notes = []
    for place, name, elsewhere in _named(settings, folder):
        if elsewhere and os.path.isabs(os.path.expanduser(name)):
            notes.append(
                f"{place}: {name} is not uploaded; it must be there on every node, and where qre status and qre "
                f"report are run"
            )
        else:
            _check_there(place, name, folder, sizes, secrets)
    if secrets:
        named = "; ".join(f"{name} ({why})" for name, why in sorted(secrets.items())[:5])
        notes.append(
            f"not uploaded, since it may be a secret: {named}"
            + (f"; and {len(secrets) - 5} more, see --dry-run" if len(secrets) > 5 else "")
        )
    if variables := _variables(settings, folder):
        notes.append(f"no key goes along: set {', '.join(variables)} in the environment of the cluster's head")
    if outside := sorted(name for name in sizes if not (folder / name).resolve().is_relative_to(folder.resolve())):
        notes.append(
            f"uploaded through links that lead out of the working directory: "
            f"{', '.join(outside[:5])}{' and more' if outside[5:] else ''}"
        )
    return Upload(str(folder), Path(config_name).as_posix(), excludes, tuple(notes), sizes, secrets, warnings)


def _variables(settings: SweepConfig, folder: Path) -> list[str]:
    """Environment variables that the config's endpoints, and those of its lists, take their keys from."""
    entries: list[Entry] = []
    for entry in settings.encoders:
        if not isinstance(entry, ListEntry):
            entries.append(entry)
        elif settings.inputs is None:  # else it lies where only the head may look
            entries += load_list(below(settings.folder or str(folder), entry.path))
    found = {entry.api_key_env for entry in entries if isinstance(entry, EndpointEntry)}
    return sorted(name for name in found if name is not None)


def left_behind(upload: Upload) -> Iterator[tuple[str, str]]:
    """(name, rule) of what stays here; of a folder of which nothing goes only the folder."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import _get_excludes

    root = Path(upload.folder)
    rules = {
        "Ray takes none": _get_excludes(root, get_runtime_env_default_excludes()),
        "results, stores and builds": _get_excludes(
            root, [*LEFT_OUT, *upload.excludes[: len(upload.excludes) - len(upload.secrets)]]
        ),
    }
    parents = {parent.as_posix() for name in upload.sizes for parent in Path(name).parents}
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        gone = [
            name
            for name in folders
            if (here / name).as_posix() not in parents and not (Path(folder) / name).is_symlink()
        ]
        for name in sorted([*gone, *files]):
            path = here / name
            if (text := path.as_posix()) in upload.sizes:
                continue
            inside = Path(folder) / name / "x" if name in gone else Path(folder) / name
            secrets = upload.secrets.get(text) or next(
                (why for one, why in upload.secrets.items() if name in gone and one.startswith(f"{text}/")), None
            )
            rule = next(
                (rule for rule, holds in rules.items() if holds(inside) or holds(Path(folder) / name)),
                ".gitignore or .rayignore",
            )
            yield text + ("/" if name in gone else ""), f"may be a secret: {secrets}" if secrets else rule
        folders[:] = sorted(set(folders) - set(gone))


def _secrets(folder: Path, sizes: dict[str, int]) -> dict[str, str]:
    """Why, by name, of the files that are kept here as secrets."""
    encoders = [name.rpartition("/")[0] for name in sizes if name.endswith("/modules.json")]
    weights = {name.rpartition("/")[0] for name in sizes if name.endswith(".safetensors")}
    encoders += sorted(place for place in weights if place and f"{place}/config.json" in sizes)  # plain checkpoints

    def needed(name: str) -> bool:
        inside = next((name[len(encoder) + 1 :] for encoder in encoders if name.startswith(f"{encoder}/")), None)
        return inside is not None and counts(inside)  # else the encoder would be another one there

    found = {}
    for name in sizes:
        try:
            if why := secret(folder / name, name, needed(name)):
                found[name] = why
        except OSError as error:
            raise UserError(
                f"--working-dir: {name} cannot be read: {error.strerror}; name it in a .rayignore if the job does not "
                f"need it"
            ) from None
    return found


def _exactly(name: str) -> str:
    """A pattern of .gitignore for one file."""
    # an escaped space at the end would be taken off
    return "/" + re.sub(r"([\\*?\[\]!#])", r"\\\1", name).replace(" ", "[ ]")


def _shadows(folder: Path, sizes: dict[str, int]) -> tuple[str, ...]:
    """What Python would import in the place of its own library, to be warned of: a job has its working directory first.

    The project's own checkout may bring its own copy, which is then what runs.

    Raises:
        UserError: it would be imported instead of the project, or of a package.
    """
    tops = {name.partition("/")[0] for name in sizes if "/" in name}
    modules = {
        name.partition(".")[0]: name
        for name in sizes
        if "/" not in name and name.endswith((".py", ".pyc", ".so", ".pyd"))
    }
    packages = {
        top: f"{top}/"
        for top in tops
        if top in OURS or any(f"{top}/__init__{end}" in sizes for end in (".py", ".pyc", ".so"))
    }
    ours = {f"{one}/__init__.py" for one in OURS} | {"jobs/cli.py", "qre/density.py", "pyproject.toml"} <= sizes.keys()
    inside = folder.resolve()
    places = [place for place in sys.path if place and not Path(place).resolve().is_relative_to(inside)]
    places += [
        place
        for place in sys.path
        if place and Path(place).name in ("site-packages", "dist-packages") and place not in places
    ]
    warnings = []
    for name, told in sorted({**packages, **modules}.items()):
        if name in ANYONES or (name in OURS and ours):
            continue
        spec = PathFinder.find_spec(name, places)
        said = (
            f"--working-dir: {told} would be imported instead of {name}, which the job may need, since a job has its "
            f"working directory first; "
            "rename it, name it in a .rayignore, or name another --working-dir"
        )
        if name in sys.stdlib_module_names:
            warnings.append(said)
        elif name in OURS or (spec is not None and spec.loader is not None):
            raise UserError(said)
    return tuple(warnings)


def _outputs(settings: SweepConfig, folder: Path) -> list[str]:
    """Patterns for what sweeps on this machine have made in the folder."""
    inside = []
    for output in filter(None, (settings.store if "://" not in settings.store else None, settings.export)):
        name = os.path.relpath(folder / output, folder)
        if name != os.curdir and not name.startswith(os.pardir):
            inside.append(f"/{Path(name).as_posix()}/")
    return inside


def _sizes(folder: Path, excludes: tuple[str, ...]) -> dict[str, int]:
    """Bytes of each file that is uploaded, by its name from the folder. Ray's own walk, so that nobody's rules differ
    from Ray's."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    sizes = {}

    def see(path: Path) -> None:
        if path.is_file():
            sizes[path.relative_to(folder).as_posix()] = path.stat().st_size

    try:
        ignored = _get_excludes(folder, [*get_runtime_env_default_excludes(), *excludes])
        _dir_travel(folder, [ignored], see, include_gitignore=True, logger=logging.getLogger("jobs.submission.upload"))
    except OSError as error:
        raise UserError(f"--working-dir: {folder} cannot be read: {error}") from None
    return sizes


def _check_size(folder: Path, sizes: dict[str, int]) -> None:
    from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE

    total = sum(sizes.values()) + BYTES_PER_FILE * len(sizes)
    if total >= DASHBOARD_CLIENT_MAX_SIZE:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        raise UserError(
            f"--working-dir: {folder} is {total / 2**20:.0f} MiB to upload, and Ray takes "
            f"{DASHBOARD_CLIENT_MAX_SIZE / 2**20:.0f} MiB; the largest files are "
            + ", ".join(f"{name} ({sizes[name] / 2**20:.0f} MiB)" for name in largest)
            + "; name what the job does not need in a .rayignore, and put weights on the hub or where every node has "
            "them"
        )


def _named(settings: SweepConfig, folder: Path) -> Iterator[tuple[str, str, bool]]:
    """(place in the config, path, whether it may lie elsewhere on every node) of each file and folder that a config
    names, those of its lists included.

    What is written as an absolute path stays so; others are told from the working directory. What lies below `inputs:`
    is the cluster's business, unless that is a folder of the working directory.
    """

    def here(path: str, start: str = settings.folder) -> str:
        """A path that starts at the config's folder, from the working directory."""
        return path if os.path.isabs(path) else os.path.relpath(below(start or str(folder), path), folder)

    def of_entry(place: str, entry: Entry, start: str) -> Iterator[tuple[str, str, bool]]:
        if isinstance(entry, FolderEntry):
            yield from ((f"{place}.{key}", here(path, start), True) for key, path in entry.folders().items())
        yield from ((key, here(path, start), False) for key, path in files_of(place, entry))

    if settings.inputs is not None:
        yield from _named_in(settings, settings.inputs, folder)
        return
    if isinstance(settings.sentences, FileSentences):
        yield "sentences.path", here(settings.sentences.path), False
    for number, entry in enumerate(settings.encoders):
        yield from of_entry(f"encoders[{number}]", entry, settings.folder)
        if isinstance(entry, ListEntry):
            file = below(settings.folder or str(folder), entry.path)
            for row, one in enumerate(load_list(file)):
                yield from of_entry(f"{file}: encoders[{row}]", one, os.path.dirname(file))
    for number, task in enumerate(settings.tasks):
        if isinstance(task, MtebScores):
            yield from ((f"tasks[{number}].results[{row}]", here(path), True) for row, path in enumerate(task.results))
        elif not isinstance(task, BuiltinTasks):
            yield from ((f"tasks[{number}].{field}", here(path), False) for field, path in task.files().items())


def _named_in(settings: SweepConfig, inputs: str, folder: Path) -> Iterator[tuple[str, str, bool]]:
    """As _named, where the config says where its inputs lie."""
    try:
        remote = parse(inputs) is not None
    except UserError as error:
        raise UserError(str(error).replace("store: ", "inputs: ", 1)) from None
    inside = os.path.relpath(os.path.join(folder, inputs), folder) if not remote else ""
    elsewhere = inside.split(os.sep)[0] == os.pardir
    if not remote and elsewhere:
        yield "inputs", inputs, True
    for place, path in named(settings):
        if os.path.isabs(path):
            yield place, path, True
        elif not remote and not elsewhere:
            yield place, os.path.join(inside, path), False
    yield from (
        (f"encoders[{number}].path", entry.path, True)
        for number, entry in enumerate(settings.encoders)
        if isinstance(entry, FolderEntry)
    )


def _check_there(place: str, name: str, folder: Path, sizes: dict[str, int], secrets: dict[str, str]) -> None:
    """UserError unless a file, or all of an encoder's folder, is in the upload."""
    relative = Path(os.path.normpath(os.path.expanduser(name)))
    if relative.is_absolute() or os.pardir in relative.parts:
        raise UserError(
            f"{place}: {shortened(name)} is not in what is uploaded, the working directory {folder}; put it there, "
            "or name another --working-dir"
        )
    if not (folder / relative).exists():
        raise UserError(f"{place}: there is no {name} in the working directory {folder}")
    missing = next((file for file in _needed(folder, relative) if file not in sizes), None)
    if missing in secrets:
        raise UserError(
            f"{place}: {missing} is not uploaded, since it may be a secret ({secrets[missing]}); rename it, or take "
            f"the secret out of it"
        )
    if missing is not None:
        raise UserError(
            f"{place}: {missing} would not be uploaded: a .gitignore or .rayignore names it, or one of "
            f"{' '.join(LEFT_OUT)}, "
            "or it is in a folder of results; put it elsewhere in the working directory"
        )


def _needed(folder: Path, relative: Path) -> Iterator[str]:
    """The file itself; of an encoder's folder, what its revision is made of: a copy that lacks one of these is another
    encoder."""
    if (folder / relative).is_file():
        yield relative.as_posix()
        return
    for name in sorted(file_sizes(folder / relative)):
        if counts(name):
            yield (relative / name).as_posix()
