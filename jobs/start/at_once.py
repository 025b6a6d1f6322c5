"""`qre map`: from models to a finished map in one command."""

from __future__ import annotations

from pathlib import Path

import typer

from jobs.asked.nearest import neighbours
from jobs.config import load_config
from jobs.planning.resolved import Resolved
from jobs.records.exports import check_export
from jobs.start.encoders import ChosenEncoders
from jobs.start.new_config import Wanted, draft, name_of, text_of, write
from jobs.sweeping.one_sweep import Asked, sweep_to_the_end
from jobs.sweeping.telling import on_end
from jobs.terminal.console import note, say
from qre.atlas.finished import FinishedAtlas
from qre.encoders.hub_problems import printable
from qre.errors import PlaceError, UserError
from qre.paths import ADDRESS
from qre.store import Store

NEAREST = 5  # that are shown of each model


def map_models(out: Path, wanted: Wanted, force: bool) -> None:
    """Write a config beside the folder of the map, run it, and show where the models stand.

    Raises:
        UserError: as `qre new`, and where the config is there already with other content.
    """
    if not any(one.strip(" ,") for one in wanted.encoders):
        raise UserError("map: name at least one MODEL")
    _check_out(out)
    config = out.with_name(f"{out.name}.yaml")
    made = draft(wanted)
    text = text_of(made, config, store="store", export=out.name)
    is_new = not config.exists()
    if not is_new and config.read_text(encoding="utf-8") != text and not force:
        raise UserError(
            f"{config} is there with other content; run qre sweep {config} to continue it, name another --out, or "
            f"give --force to overwrite it"
        )
    check_export(out, Store(config.with_name("store"), read_only=True), name_of(config), "--out")
    write(config, text)
    for one in made.notes:
        note(one)
    say(f"{config}: {made.told}")
    settings = load_config(config)
    code, begun = 0, False

    def look(resolved: Resolved) -> None:
        nonlocal begun
        check_models(made.encoders, resolved)
        begun = True

    with on_end(settings.on_end, settings.name) as end:
        try:
            sweep_to_the_end(config, settings, Asked(take_over=force, look=look), end)
        except typer.Exit as ended:
            code = ended.exit_code
        except (UserError, ModelsMissing):  # nothing is done yet: the same --out is free for the right words
            if is_new and not begun:
                config.unlink(missing_ok=True)
            raise
    if (out / "manifest.json").is_file():
        known = set(FinishedAtlas(str(out)).names)
        for name in (name for name in made.encoders.own if name in known):
            neighbours(name, str(out), NEAREST, False)
    if code:
        raise typer.Exit(code)


class ModelsMissing(PlaceError):
    """The hub does not answer, and none of the models is known without it."""


def check_models(encoders: ChosenEncoders, resolved: Resolved) -> None:
    """Say which of the models that a person named are not available, and why.

    Raises:
        UserError, ModelsMissing: none of them is, and nothing else was asked for; the second where the hub may give
            them another time.
    """
    problems = {one.encoder: one for one in (*resolved.unresolved, *resolved.unasked)}
    missing = [problems[name] for name in map(printable, encoders.own) if name in problems]
    told = [one.message if one.encoder in one.message else f"{one.encoder}: {one.message}" for one in missing]
    if not missing:
        return
    if encoders.only_own and len(missing) == len(encoders.own):
        which = "the model is" if len(missing) == 1 else "none of the models is"
        kind = ModelsMissing if any(one.kind == "transient" for one in missing) else UserError
        raise kind(f"map: {which} not available: {'; '.join(dict.fromkeys(told))}")
    for words in told:
        note(f"not available, and left out: {words}")


def _check_out(out: Path) -> None:
    """UserError where no folder can be made there, with a config beside it."""
    if ADDRESS.match(str(out)):
        raise UserError(
            f"--out {out}: the map goes into a folder of this machine; for a bucket, write a config with qre new and "
            f"set store: in it"
        )
    if out.name in ("", ".."):
        raise UserError(f"--out {str(out)!r}: name a folder of its own for the map, e.g. --out results/mine")
    if found := next((one for one in (out, *out.parents) if one.exists() and not one.is_dir()), None):
        raise UserError(f"--out {out}: {found} is a file; name a folder")
