"""Where all that people read is written."""

from __future__ import annotations

import sys

from rich.console import Console

console = Console(width=None if sys.stdout.isatty() else 180)  # a log has no width of its own, and 80 would break every table
