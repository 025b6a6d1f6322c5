"""The key of an endpoint, and words of others without it."""

from __future__ import annotations

import base64
from urllib.parse import quote

LEAST = 8  # letters and digits of a key in a row that nobody is shown


class ApiKey:
    """A key that shows itself nowhere but in the header of a request."""

    __slots__ = ("_pieces", "_value")

    def __init__(self, value: str):
        self._value = value
        bare = [_bare(one) for one in _spellings(value)]
        self._pieces = {one[i : i + LEAST] for one in bare for i in range(len(one) - LEAST + 1)}

    def reveal(self) -> str:
        return self._value

    def masked(self, text: str) -> str:
        """A text with *** in place of the key and of every long part of it, as it is, in base64, percent-encoded or in
        hex, whatever is put between its letters."""
        text = text.replace(self._value, "***")
        places = [i for i, letter in enumerate(text) if letter.isalnum() and letter.isascii()]
        bare = _bare(text)
        hidden: set[int] = set()
        for i in range(len(bare) - LEAST + 1):
            if bare[i : i + LEAST] in self._pieces:
                hidden.update(range(places[i], places[i + LEAST - 1] + 1))
        return "".join(
            "" if i in hidden and i - 1 in hidden else "***" if i in hidden else letter for i, letter in enumerate(text)
        )

    def __repr__(self) -> str:
        return "ApiKey(hidden)"


def _spellings(key: str) -> list[str]:
    plain = key.encode()
    found = [key, quote(key, safe=""), "".join(f"%{byte:02x}" for byte in plain), plain.hex()]
    for before in range(3):  # what stands before the key shifts its base64: without the letters that the two share
        packed = base64.b64encode(b"\0" * before + plain)[(before * 8 + 5) // 6 :].rstrip(b"=").decode()
        found += [packed, packed.replace("+", "-").replace("/", "_")]
    return found


def _bare(text: str) -> str:
    """Its letters and digits, each one letter still."""
    return "".join(letter for letter in text if letter.isalnum() and letter.isascii()).lower()
