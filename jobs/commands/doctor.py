"""`qre doctor`."""

from __future__ import annotations

from jobs.commands.arguments import AsJson, OptionalConfig


def doctor(config: OptionalConfig = None, as_json: AsJson = False) -> None:
    """Check whether this machine has everything that a sweep needs, and say how to fix what is missing. Exit code 1 if
    a problem is found.

    With CONFIG, its store and its cluster are checked too, and the hub has to be reachable if it needs it.

    Example: qre doctor mine.yaml
    """
    from jobs.config import load_config
    from jobs.start.checks import doctor as looked

    looked(load_config(config) if config is not None else None, as_json)
