"""The atlas page: one HTML file that holds a finished map, and needs nothing else."""

from qre.page.document import page_bytes
from qre.page.gather import page_of

__all__ = ["page_bytes", "page_of"]
