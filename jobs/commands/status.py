"""`qre status`."""

from __future__ import annotations

from jobs.commands.arguments import AsJson, ConfigFile


def status(config: ConfigFile, as_json: AsJson = False) -> None:
    """Show the progress of a sweep, from the store alone: during a run, after it, or after it died. Exit code 0, also
    if it is not done.

    Example: qre status jobs/demo.yaml
    """
    from jobs.config import load_config
    from jobs.show.sweep_status import print_standing, standing
    from qre.store import Store

    settings = load_config(config)
    print_standing(standing(settings, Store(settings.store, read_only=True), config), as_json)
