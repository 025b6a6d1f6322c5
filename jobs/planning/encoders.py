"""`qre encoders`: what there is to map. Searches the hub, lists the built-in catalogues, shows one encoder; writes lists that are pinned."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.mistakes import as_options
from qre.encoders.catalogue import CATALOGUES, catalogue
from qre.encoders.hub import HubModel, HubProblem, HubQuery, printable, resolve, resolve_all
from qre.encoders.hub import search as search_hub
from qre.encoders.folders import folder_prompts, folder_revision
from qre.encoders.transformer import load, model_attributes
from qre.errors import UserError
from qre.near_names import did_you_mean
from qre.paths import given_path

app = typer.Typer(help="What there is to map: the hub, local folders, built-in catalogues.", no_args_is_help=True)
console = Console(width=None if sys.stdout.isatty() else 180)


@app.command()
def search(
    words: Annotated[str | None, typer.Argument(help="in the name")] = None,
    author: Annotated[str | None, typer.Option(help="owner of the repositories")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="tags that all must have; may be given again")] = None,
    least: Annotated[int | None, typer.Option("--min-parameters")] = None,
    most: Annotated[int | None, typer.Option("--max-parameters")] = None,
    sort: Annotated[str, typer.Option(help="created_at, downloads, last_modified, likes or trending_score")] = "downloads",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 30,
    out: Annotated[Path | None, typer.Option(callback=given_path, help="write the encoders that can be had, pinned to their commits, as a list for a config")] = None,
) -> None:
    """Search the hub for sentence encoders, and say of each whether it can be had.

    Example: qre encoders search --author intfloat --max-parameters 200000000 --out e5.yaml
    """
    try:
        query = HubQuery(
            filter=tuple(tag or ["sentence-transformers"]), author=author, search=words, parameters=(least, most), sort=sort, limit=limit
        )
    except ValidationError as error:
        raise UserError(as_options(error, HubQuery).replace("--parameters", "--min-parameters and --max-parameters")) from None
    try:
        found = resolve_all((name, None) for name in search_hub(query))
    except HubProblem as problem:
        raise UserError(str(problem)) from None
    if not found:
        raise UserError("the hub has no encoder that all of these match; check --author and --tag, or search with fewer words")
    if all(isinstance(answer, HubProblem) and answer.reason == "unreachable" for answer in found):
        raise UserError(str(HubProblem("the hub", "unreachable", found[0].detail)))
    table = Table()
    for heading in ("encoder", "commit", "parameters", "MB", "downloads", "licence", "problem"):
        table.add_column(heading, justify="right" if heading in ("parameters", "MB", "downloads") else "left", overflow="fold")
    for answer in found:
        table.add_row(*_row(answer))
    console.print(table)
    good = [answer for answer in found if isinstance(answer, HubModel) and not _problem(answer)]
    console.print(f"{len(good)} of {len(found)} can be had", highlight=False)
    if out is not None:
        entries = [{"source": "hub", "id": model.repository, "revision": model.revision} for model in good]
        out.write_text(yaml.safe_dump(entries, sort_keys=False))
        console.print(f"{out}: name it in a config as {{source: list, path: {out}}}", markup=False, highlight=False)


@app.command("list")
def list_catalogue(name: Annotated[str | None, typer.Argument(help="a catalogue; without it, the catalogues")] = None) -> None:
    """List the built-in catalogues, or the encoders of one.

    Example: qre encoders list demo
    """
    if name is None:
        for one in CATALOGUES:
            print(f"{one}: {len(catalogue(one)[0])} encoders")
        return
    if name not in CATALOGUES:
        raise UserError(f"no catalogue {name!r}; there are {', '.join(CATALOGUES)}{did_you_mean(name, CATALOGUES)}")
    specs, notes = catalogue(name)
    for spec in specs:
        print(f"{spec.name}\t{spec.family}")
    for note in notes:
        print(f"note: {note}")


@app.command()
def show(encoder: Annotated[str, typer.Argument(help="a folder, a name of a catalogue, or owner/name on the hub")]) -> None:
    """Show all that is known of one encoder, as JSON.

    Example: qre encoders show sentence-transformers/all-MiniLM-L6-v2
    """
    encoder = given_path(encoder)
    known = next((spec for one in CATALOGUES for spec in catalogue(one)[0] if spec.name == encoder), None)
    if known is not None:
        told = known.model_dump(mode="json", exclude={"path"})
    elif Path(encoder).is_dir():
        told = _folder(Path(encoder))
    else:
        try:
            model = resolve(encoder)
        except HubProblem as problem:
            raise UserError(str(problem)) from None
        told = {"id": model.repository, "revision": model.revision, "bytes": model.bytes, "code": [str(named) for named in model.code],
                "prompts": model.prompts, "default_prompt": model.default_prompt, **model.attributes}  # fmt: skip
    print(json.dumps(told, indent=1))


def _folder(path: Path) -> dict:
    from qre.encoders.spec import FolderSpec

    revision, (prompts, default) = folder_revision(path), folder_prompts(path)
    spec = FolderSpec(name="shown", family="shown", path=str(path), revision=revision)
    return {"path": str(path), "revision": revision, "prompts": prompts, "default_prompt": default, **model_attributes(load(spec, str(path), "cpu")[0])}


def _row(answer: HubModel | HubProblem) -> list[str]:
    name = escape(printable(answer.repository))
    if isinstance(answer, HubProblem):
        return [name, "", "", "", "", "", escape(answer.reason)]
    known = answer.attributes
    count, downloads = known["parameters"], known["downloads"]
    return [
        name, answer.revision[:8], f"{count:,}" if count is not None else "", f"{answer.bytes / 1e6:.0f}",
        f"{downloads:,}" if downloads is not None else "", escape(known["licence"] or ""), _problem(answer),
    ]  # fmt: skip


def _problem(model: HubModel) -> str:
    """Why it cannot be had without a word of trust; "" where it can."""
    try:
        model.checked()
    except HubProblem as problem:
        return problem.reason
    return ""
