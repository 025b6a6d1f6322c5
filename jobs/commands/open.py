"""`qre open`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.commands.arguments import given_path


def open_(
    place: Annotated[
        str,
        typer.Argument(
            callback=given_path,
            metavar="CONFIG|FOLDER",
            help="the sweep's YAML file: then the map in its store; or the folder of a finished map",
        ),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the address; default: one that is free")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open it in a browser, or only say where")] = (
        True
    ),
) -> None:
    """Show the page of a finished map in your browser. It is served on this machine alone (127.0.0.1), until Ctrl-C.

    Example: qre open results/mine
    """
    from jobs.asked.page_server import open_page

    open_page(place, port, browser)
