"""`qre map`: from models to a finished map in one command."""

from __future__ import annotations

from pathlib import Path

import typer

from jobs.asked.nearest import neighbours
from jobs.config import load_config
from jobs.start.new_config import Wanted, draft, text_of, write
from jobs.sweeping.one_sweep import Asked, sweep_to_the_end
from jobs.sweeping.telling import on_end
from jobs.terminal.console import note, say
from qre.atlas.finished import FinishedAtlas
from qre.errors import UserError
from qre.paths import ADDRESS

NEAREST = 5  # that are shown of each model


def map_models(out: Path, wanted: Wanted, force: bool) -> None:
    """Write a config beside the folder of the map, run it, and show where the models stand. The same again goes on.

    Raises:
        UserError: as `qre new`, and where the config is there already with other content.
    """
    if not any(one.strip(" ,") for one in wanted.encoders):
        raise UserError("map: name at least one MODEL")
    _check_out(out)
    config = out.with_name(f"{out.name}.yaml")
    made = draft(wanted)
    text = text_of(made, config, store="store", export=out.name)
    if config.exists() and config.read_text(encoding="utf-8") != text and not force:
        raise UserError(
            f"{config} is there with other content; go on with it by qre sweep {config}, name another --out, or give "
            f"--force to overwrite it"
        )
    write(config, text)
    for one in made.notes:
        note(one)
    say(f"{config}: {made.sentences.told}; {made.encoders.told}")
    settings = load_config(config)
    code = 0
    with on_end(settings.on_end, settings.name) as end:
        try:
            sweep_to_the_end(config, settings, Asked(take_over=force), end)
        except typer.Exit as ended:
            code = ended.exit_code
    if (out / "manifest.json").is_file():
        known = set(FinishedAtlas(str(out)).names)
        for name in (name for name in made.encoders.own if name in known):
            neighbours(name, str(out), NEAREST, False)
    if code:
        raise typer.Exit(code)


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
