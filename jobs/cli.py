"""The `qre` command, from its first moment: signals are taken before anything large is imported. What it does is in
commands/.

Exit codes: 0 all done; 1 some encoders failed, or the sweep could not end; 2 the config or the input is wrong; 128 +
    signal when stopped, also where
nobody reads the output any more (SIGPIPE). `qre submit` ends with the exit code of the sweep that it follows.
"""

from __future__ import annotations

from jobs import ending


def main() -> None:
    """Run the command; errors that a person is meant to read end in one line, without a traceback."""
    with ending.handled():
        from jobs.commands import run

        run()


def __getattr__(name: str):
    if name == "app":  # of typer, for those who call commands in their own process
        from jobs.commands import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    main()
