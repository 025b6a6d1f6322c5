"""MTEB results that were measured here: mteb/<org>__<model>/<revision>/<Task>.json in the store, exactly as MTEB writes
them, so that they can be published.

An encoder of a local folder has no id that others know. Its results stand under local/<name of the folder>, and its
revision is the first 40 digits of the sha256 of its content, since revisions of results have the form of a commit: a
folder whose content changes is another encoder.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from jobs.mteb.joined import Encoder
from qre.encoders.spec import EncoderSpec, FolderSpec
from qre.store import Folder, NewerSchema, Store
from qre.store.shelves import checked, stating
from qre.tasks.mteb import META, REPORT, TABLE, Rule, Scores, read_results
from qre.tasks.mteb.rules import ENGLISH

ROOT = "mteb"
FAILURES = "mteb_failures"
LOCAL = "local"


def local_encoders(specs: Iterable[EncoderSpec]) -> list[Encoder]:
    """The encoders of local folders with nothing that makes them another encoder than the folder's own."""
    whole = (spec for spec in specs if isinstance(spec, FolderSpec) and not spec.departures)
    return [Encoder(spec.name, f"{LOCAL}/{_safe(Path(spec.path).name)}", spec.revision[:40]) for spec in whole]


def _safe(name: str) -> str:
    """A name of at most 80 characters that may be a folder."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:80] or "encoder"


def place_of(encoder: Encoder) -> str:
    """<org>__<model>/<revision>, as MTEB has it."""
    return f"{encoder.id.replace('/', '__')}/{encoder.revision}"


def read_own(
    store: Store,
    encoders: Collection[Encoder],
    tasks: Collection[str] | None,
    rules: Mapping[str, Rule],
    languages: tuple[str, ...] = ENGLISH,
) -> Scores:
    """The results in the store of these encoders, in whatever revision; `file` is their name in the store.

    Of a bucket the files that are asked for are fetched first, many at once; so they are of a folder in which others
    have left something.
    """
    models = {encoder.id for encoder in encoders}
    wanted = {model.replace("/", "__").casefold() for model in models}
    names = [name for name in store.folder.names(ROOT) if name.split("/")[1].casefold() in wanted]
    names = [
        name
        for name in names
        if tasks is None or name.endswith(f"/{META}") or name.rsplit("/", 1)[1].removesuffix(".json") in tasks
    ]
    if not any(not name.endswith(f"/{META}") for name in names):
        return Scores(pd.DataFrame(columns=TABLE).astype({"score": float}), pd.DataFrame(columns=REPORT))
    strange = any(name.startswith(f"{ROOT}/") for name in (*store.folder.seen.strays, *store.folder.seen.unread))
    if isinstance(store.folder, Folder) and not strange:
        return _named(read_results(store.folder.path(ROOT), tasks, models, rules, languages=languages))
    with tempfile.TemporaryDirectory(prefix="qre-mteb-") as folder:
        copy = Folder(folder)
        for name, content in store.folder.read_many(names).items():
            copy.write(name, content)
        return _named(read_results(copy.path(ROOT), tasks, models, rules, languages=languages))


def _named(scores: Scores) -> Scores:
    table, report = (frame.assign(file=[f"{ROOT}/{file}" if file else "" for file in frame.file]) for frame in scores)
    return Scores(table, report)


def publish(store: Store, encoder: Encoder, folder: Path, task: str) -> bool:
    """Copy the result of a task, that jobs.mteb.run has left in a folder, to the store; False where there is none."""
    made, place = Folder(folder / "results"), place_of(encoder)
    try:
        content = made.read(f"{place}/{task}.json")
    except FileNotFoundError:
        return False
    if not store.folder.exists(f"{ROOT}/{place}/{META}"):
        store.folder.write(f"{ROOT}/{place}/{META}", made.read(f"{place}/{META}"))
    store.folder.write(f"{ROOT}/{place}/{task}.json", content)
    return True


def fetch_meta(store: Store, encoder: Encoder, folder: Path) -> None:
    """Put the encoder's model_meta.json of the store, if there is one, where jobs.mteb.run looks: it refuses to mix
    results of different prompts."""
    place = place_of(encoder)
    for content in store.folder.read_many([f"{ROOT}/{place}/{META}"]).values():
        Folder(folder / "results").write(f"{place}/{META}", content)


def record_failures(store: Store, encoder: Encoder, failures: Mapping[str, str]) -> None:
    """Write down why tasks of an encoder have no result, by task; with none, clear what an earlier run wrote."""
    name = f"{FAILURES}/{place_of(encoder)}.json"
    with contextlib.suppress(FileNotFoundError, ValueError):
        checked(name, json.loads(store.folder.read(name)))  # NewerSchema: what a newer version wrote stays
    if failures:
        store.folder.write(
            name, json.dumps(stating(FAILURES, {"encoder": encoder.name, "tasks": dict(failures)}), indent=1).encode()
        )
    else:
        store.folder.remove(name)


def known_failures(store: Store, encoders: Iterable[Encoder]) -> dict[tuple[str, str], str]:
    """(name of the encoder, task) -> why it has no result, as the last runs have told."""
    names = {f"{FAILURES}/{place_of(encoder)}.json": encoder.name for encoder in encoders}
    found: dict[tuple[str, str], str] = {}
    for name, content in store.folder.read_many(names).items():
        try:
            found |= {
                (names[name], str(task)): str(why) for task, why in checked(name, json.loads(content))["tasks"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, NewerSchema):  # none that we wrote, or that we know
            continue
    return found
