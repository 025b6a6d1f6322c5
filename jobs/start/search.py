"""`qre encoders`: what there is to map. Searches the hub, lists the built-in catalogues, shows one encoder; writes
lists that are pinned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.markup import escape
from rich.table import Table

from jobs.asked.opened import open_atlas, plain
from jobs.config import FolderEntry, HubEntry
from jobs.config.entries import PUBLIC_LIMIT
from jobs.planning.public import WITHOUT_REGISTRY, find
from jobs.start.encoders import POPULAR, popular
from jobs.terminal.console import console, hub_progress, note
from qre.encoders.catalogue import CATALOGUES, PUBLIC, catalogue, shapes
from qre.encoders.conversions import find_conversions, weights_of
from qre.encoders.described import described, loading_lines, published_model, row_of
from qre.encoders.folders import folder_prompts, is_plain
from qre.encoders.hub import HubModel, resolve, resolve_all, with_base, with_bases
from qre.encoders.hub_problems import HubProblem, printable
from qre.encoders.hub_query import HubQuery, listed
from qre.encoders.matrix_file import is_matrix, open_matrix
from qre.encoders.registry import available, text_encoders
from qre.encoders.spec import ClassicalSpec, EncoderSpec
from qre.encoders.transformer import load, model_attributes
from qre.errors import EncoderError, UserError
from qre.near_names import did_you_mean


def search(query: HubQuery, out: Path | None) -> None:
    """Search the hub, show of each encoder found whether it is available, and write those that are as a list."""
    try:
        found = resolve_all((name, None) for name in listed(query))
    except HubProblem as problem:
        raise UserError(str(problem)) from None
    if not found:
        raise UserError(
            "the hub has no encoder that all of these match; check --author and --tag, or search with fewer words"
        )
    entries = [
        HubEntry(source="hub", id=one.repository, revision=one.revision if isinstance(one, HubModel) else None)
        for one in found
    ]
    _show(entries, found, out)


def search_public(limit: int | None, out: Path | None) -> None:
    """The same of the catalogue public, with the prompts and poolings that MTEB's registry states.

    Args:
        limit: None for the catalogue's own.
    """
    try:
        public = find(limit or PUBLIC_LIMIT, hub_progress)
    except HubProblem as problem:
        raise UserError(str(problem)) from None
    _show(public.entries, [public.answers[str(one.id), one.revision] for one in public.entries], out)
    for one in filter(None, [*public.notes, public.told]):
        note(one)


def _show(entries: Sequence[HubEntry], found: Sequence[HubModel | HubProblem], out: Path | None) -> None:
    """A row for each encoder that was asked for, and why others cannot be had; those that can go into a list."""
    first = found[0] if found else None
    if isinstance(first, HubProblem) and all(
        isinstance(answer, HubProblem) and answer.reason == "unreachable" for answer in found
    ):
        raise UserError(str(HubProblem("the hub", "unreachable", first.detail)))
    table = Table()
    for heading in ("encoder", "commit", "parameters", "MB", "downloads", "licence", "problem"):
        table.add_column(
            heading, justify="right" if heading in ("parameters", "MB", "downloads") else "left", overflow="fold"
        )
    whole = with_bases(found)
    problems = [_problem(answer, entry.pooling is not None) for answer, entry in zip(whole, entries, strict=True)]
    for answer, problem in zip(found, problems, strict=True):
        table.add_row(*_row(answer, problem))
    console.print(table)
    good = [entry for entry, problem in zip(entries, problems, strict=True) if not problem]
    why = ", ".join(f"{count} {problem}" for problem, count in Counter(filter(None, problems)).most_common())
    console.print(
        f"{len(good)} of {len(found)} are available{f'; {why}' if why else ''}", highlight=False, markup=False
    )
    if out is not None:
        told = [{"source": "hub", **entry.model_dump(mode="json", exclude_defaults=True)} for entry in good]
        out.write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=10_000), encoding="utf-8")
        console.print(f"{out}: name it in a config as {{source: list, path: {out}}}", markup=False, highlight=False)


def list_catalogue(name: str | None) -> None:
    """The built-in catalogues and lists, or the encoders of one."""
    if name is None:
        for one in CATALOGUES:
            print(f"{one}: {len(catalogue(one)[0])} encoders")
        print(f"{POPULAR}: {len(popular())} encoders of the hub, well known and small")
        print(f"{PUBLIC}: of the hub, by downloads, with the open text encoders of MTEB's registry")
        return
    if name == PUBLIC:
        return _list_public()
    if name == POPULAR:
        for entry in popular():
            print(entry["id"])
        return
    if name not in (known := (*CATALOGUES, POPULAR, PUBLIC)):
        raise UserError(f"no catalogue {name!r}; there are {', '.join(known)}{did_you_mean(name, known)}")
    specs, notes = catalogue(name)
    for spec in specs:
        print(f"{spec.name}\t{spec.family}")
    for one in notes:
        print(f"note: {one}")


def _list_public() -> None:
    """Names with their downloads as the hub lists them, and the others of the registry; no encoder is asked about."""
    notes = [WITHOUT_REGISTRY] if not available() else []
    try:
        downloads = listed(HubQuery(limit=PUBLIC_LIMIT))
    except HubProblem as problem:
        downloads = {}
        notes.append(f"MTEB's registry alone: {problem}")
    for name in dict.fromkeys([*downloads, *text_encoders().revisions]):
        print(f"{printable(name)}\t{downloads.get(name, '')}")
    for one in notes:
        print(f"note: {one}")


def show(encoder: str, atlas: str | None = None) -> None:
    """All that is known of one encoder, as JSON.

    Args:
        atlas: of an encoder of a finished map: where the map is.
    """
    if atlas is not None:
        row = plain(open_atlas(atlas).encoder(encoder))
        print(json.dumps({"what": described(row), **row, "python": loading_lines(row)}, indent=1))
        return
    known = next((spec for one in CATALOGUES for spec in catalogue(one)[0] if spec.name == encoder), None)
    if known is not None:
        about = {**shapes([known])[0], **row_of(known)}
        about = {"model_type": "bert", "model_pooling": "mean", **about} if about["source"] == "folder" else about
        about["dimension"] = _dimension(known, about)
        told = {
            "what": described(about),
            **known.model_dump(mode="json", exclude={"path"}),
            "python": loading_lines(about),
        }
    elif Path(encoder).is_dir():
        try:
            told = _folder(Path(encoder))
        except EncoderError as error:
            raise UserError(str(error)) from None
    elif is_matrix(encoder):
        file = open_matrix(encoder)
        told = {"path": encoder, "sentences": file.shape[0], "dimension": file.shape[1], "dtype": str(file.dtype)}
    else:
        try:
            model = with_base(resolve(encoder))
        except HubProblem as problem:
            raise UserError(str(problem)) from None
        told = {
            "id": model.repository,
            "revision": model.revision,
            "bytes": model.bytes,
            "code": [str(named) for named in model.code],
            "prompts": model.prompts,
            "default_prompt": model.default_prompt,
            **model.attributes,
            "plain": model.plain,
            "base": None if model.base is None else "@".join(model.base[:2]),
            **_pickled(model),
            "python": loading_lines(
                {
                    **model.attributes,
                    "source": "hub",
                    "model": model.repository,
                    "commit": model.revision,
                    "pickles": len(model.pickles) or None,
                }
            ),
        }
    print(json.dumps(told, indent=1))


def _pickled(model: HubModel) -> dict:
    """Of an encoder whose weights are pickles: which, and what can be done; {} of any other."""
    if not model.pickles:
        return {}
    (looked,) = find_conversions([model])
    try:
        weights_of(model, accept=False, pickled=False, looked=looked)
    except HubProblem as problem:
        return {"pickles": [name for name, *_ in model.pickles], "problem": str(problem)}
    return {}


def _dimension(spec: EncoderSpec, about: dict) -> int | None:
    """Of an encoder of a catalogue, after its truncation; None where its files do not tell."""
    cuts = [int(one.partition(":")[2]) for one in spec.transforms if one.startswith("truncate:")]
    known = spec.rank if isinstance(spec, ClassicalSpec) else about.get("embedding_dimension")
    return min([known, *cuts]) if known is not None else None


def _folder(path: Path) -> dict:
    plain, (prompts, default) = is_plain(path), folder_prompts(path)
    pooling = "mean" if plain else None  # to be loaded at all; nothing that is shown depends on it
    spec = FolderEntry(source="folder", path=str(path), pooling=pooling).spec_in()
    base = None if spec.base_path is None else Path(spec.base_path)
    known = model_attributes(load(spec, str(path), "cpu", base=base)[0], plain)
    return {
        "path": str(path),
        "revision": spec.revision,
        "prompts": prompts,
        "default_prompt": default,
        **known,
        "model": published_model(spec),
        "plain": plain,
        "base": spec.base_path,
        "python": loading_lines({**(known if plain else {}), "source": "folder", "model": str(path)}),
    }


def _row(answer: HubModel | HubProblem, problem: str) -> list[str]:
    name = escape(printable(answer.repository))
    if isinstance(answer, HubProblem):
        return [name, "", "", "", "", "", escape(problem)]
    known = answer.attributes
    count, downloads = known["parameters"], known["downloads"]
    return [
        name,
        answer.revision[:8],
        f"{count:,}" if count is not None else "",
        f"{answer.bytes / 1e6:.0f}",
        f"{downloads:,}" if downloads is not None else "",
        escape(known["licence"] or ""),
        problem,
    ]


def _problem(answer: HubModel | HubProblem, pooled: bool = False) -> str:
    """Why it cannot be had, with its base, without a word of trust; "" where it can."""
    if isinstance(answer, HubProblem):
        return answer.reason
    try:
        answer.checked(pooled=pooled)
    except HubProblem as problem:
        return problem.reason
    return ""
