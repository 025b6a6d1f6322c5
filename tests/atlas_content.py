"""What an atlas holds, to be compared with another's: all but what tells when it was made and how fast."""

from pathlib import Path

from qre.page.document import without_run


def content_of(folder: Path) -> dict[str, bytes]:
    """File -> bytes, without the manifest, and the page without its block of the run."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    return timeless(files)


def timeless(files: dict[str, bytes]) -> dict[str, bytes]:
    """The page of these files without its block of the run; the others as they are."""
    return {name: without_run(content) if name == "atlas.html" else content for name, content in files.items()}
