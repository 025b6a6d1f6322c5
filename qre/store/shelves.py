"""The shelves of the store, in one place: which names are artefacts of each, and which schema of them this version
writes and reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from qre.schemas import ATLAS, UNSTATED, check

KEY, DIGEST, NAME, TIME = "[0-9a-f]{64}", "[0-9a-f]{32}", r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,199}", r"\d{8}T\d{6}Z"
TEMPORARY = re.compile(rf"\.{DIGEST}\.tmp")  # what a file is called until it is whole


@dataclass(frozen=True)
class Shelf:
    """One kind of artefact.

    Attributes:
        shape: of what follows the shelf's own name and a slash; whatever is called otherwise is not this program's.
        folders: shape of the folders in it, "" where there are none.
        schema: that this version writes.
        oldest: that this version reads; what is older counts as damaged, and so is made again.
        stated: its files have stated their schema from the beginning. Others may say nothing, which means 1.
    """

    shape: str
    folders: str = ""
    schema: int = 1
    oldest: int = 1
    stated: bool = False


SHELVES = {
    "sentences": Shelf(rf"{KEY}\.parquet"),
    "embeddings": Shelf(r"([0-9a-f]{2})/\1[0-9a-f]{62}\.safetensors", "[0-9a-f]{2}", stated=True),
    "chunks": Shelf(rf"{KEY}/\d{{5,}}\.safetensors", KEY, stated=True),
    "vectors": Shelf(rf"{KEY}/\d{{5,}}\.safetensors", KEY, stated=True),
    "masks": Shelf(rf"{KEY}\.safetensors", stated=True),
    "fits": Shelf(r"([0-9a-f]{2})/\1[0-9a-f]{62}\.safetensors", "[0-9a-f]{2}", stated=True),
    "pairs": Shelf(rf"{KEY}\.safetensors", stated=True),
    "features": Shelf(rf"{NAME}/{DIGEST}\.parquet", NAME),
    "scores": Shelf(rf"{KEY}/{KEY}\.json", KEY),
    "items": Shelf(rf"{KEY}/{KEY}\.safetensors", KEY, stated=True),
    "speeds": Shelf(rf"{KEY}\.json"),
    "notices": Shelf(rf"{KEY}\.json"),
    "probes": Shelf(rf"{KEY}\.json", stated=True),
    "failures": Shelf(rf"{KEY}\.json"),
    "progress": Shelf(rf"{NAME}\.json"),
    "running": Shelf(rf"{NAME}\.json", stated=True),
    "owners": Shelf(rf"{NAME}\.json"),
    "hub": Shelf(rf"{DIGEST}/(?:[0-9a-f]{{40}}|ref-{DIGEST})\.json|queries/{KEY}\.json", f"{DIGEST}|queries"),
    "atlases": Shelf(rf"{NAME}/{NAME}", NAME, schema=ATLAS),
    "spending": Shelf(rf"{NAME}/{NAME}\.json", NAME, stated=True),
    "runs": Shelf(rf"{NAME}/{TIME}\.json", NAME),
    "mteb": Shelf(
        rf"{NAME}/{NAME}/{NAME}\.json", f"{NAME}(?:/{NAME})?"
    ),  # as MTEB writes them: they state what MTEB states
    "mteb_failures": Shelf(rf"{NAME}/{NAME}\.json", NAME),
    "quarantine": Shelf(NAME),
}


def is_artefact(name: str) -> bool:
    """Whether a name has the exact shape of its shelf's names. Of what lies on no shelf of ours, any name inside the
    store."""
    shelf, _, rest = name.partition("/")
    return re.fullmatch(SHELVES[shelf].shape if shelf in SHELVES else rf"{NAME}(?:/{NAME})*", rest) is not None


def may_hold(folder: str) -> bool:
    """Whether artefacts may lie in a folder, by its name."""
    shelf, _, rest = folder.partition("/")
    return (
        not rest
        or re.fullmatch(SHELVES[shelf].folders if shelf in SHELVES else rf"{NAME}(?:/{NAME})*", rest) is not None
    )


def check_schema(name: str, stated: object = UNSTATED) -> None:
    """Whether this version may read an artefact, by the schema that it states; raises as qre.schemas.check."""
    shelf = SHELVES[name.partition("/")[0]]
    check(name, stated, shelf.schema, shelf.oldest, shelf.stated)


def stating(shelf: str, record: Mapping) -> dict:
    """A record with the schema that this version writes."""
    return {**record, "schema": SHELVES[shelf].schema}


def checked(name: str, record: object) -> dict:
    """A record without its schema, which is one that this version reads.

    Raises:
        NewerSchema, ValueError: as check_schema; ValueError also where it is no record at all.
    """
    if not isinstance(record, dict):
        raise ValueError("it is no record")
    check_schema(name, record.get("schema", UNSTATED))
    return {field: value for field, value in record.items() if field != "schema"}
