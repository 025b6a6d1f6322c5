"""What libraries say while they load an encoder: kept without being printed, and judged by whether it can change a
number.

A warning fails the encoder where its words say that something else was taken than what the files say, unless it is
known to be harmless. Others are
shown: a library says much that changes nothing.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LIBRARIES = (
    "transformers",
    "sentence_transformers",
    "huggingface_hub",
    "torch",
    "tokenizers",
    "safetensors",
    "accelerate",
    "peft",
    "transformers_modules",
)
LONGEST = 300  # characters of a warning that is kept
# what is told elsewhere: weights (qre/encoders/weights.py), the prompt (in the record), what belongs to the place and
# not to the encoder
UNTOLD = re.compile(
    r"LOAD REPORT|Default prompt name is set to|Error while fetching|cache non-existence|unauthenticated requests", re.I
)
OTHER_THAN_STATED = re.compile(
    r"ignor|fall(ing|s)? ?back|fell back|instead|convert|unrecogni[sz]ed|unknown|unexpected|unsupported"
    r"|not (be )?(support|trusted|found|recogni[sz]ed|the same|initiali[sz]ed|used)"
    r"|newly initiali[sz]|random|mismatch|incorrect|wrong|degrad|silently|missing|could "
    r"not|couldn't|cannot|can't|unable|fail"
    r"|creating a new|to instantiate a model of type|default(ing)? to|overrid|overwrit|skip|truncat|different|differ "
    r"|not match|untrained",
    re.I,
)
HARMLESS = re.compile(
    r"\A(?!.*(ignor|silently|random|newly)).*(deprecated|will be removed)|was created with Sentence Transformers "
    r"version|have been renamed|has been renamed"
    r"|(flash.?att|xformers|triton|apex|fused|kernel|sdpa|nested.?tensor).*(install|available|falling back|not "
    r"support|instead)|enable_nested_tensor"
    r"|option adds dropout after all but last recurrent layer|is not writable|image.?processor|slower than "
    r"with|prefix-space"
    r"|fast tokenizer, using the `__call__` method is faster|A new version of the following files was downloaded",
    re.I | re.S,
)
HARMLESS_CATEGORIES = (
    DeprecationWarning,
    PendingDeprecationWarning,
    FutureWarning,
    ResourceWarning,
    ImportWarning,
    BytesWarning,
)


@dataclass
class Heard:
    """What was said.

    Attributes:
        shown: changes no number, as far as is known; distinct, in order.
        harmful: may have changed one.
    """

    shown: list[str] = field(default_factory=list)
    harmful: list[str] = field(default_factory=list)

    def add(self, text: str, harmless: bool = False, places: tuple[str, ...] = ()) -> None:
        """Judge one warning; `places` are paths of this machine, which are left out."""
        if UNTOLD.search(text):
            return
        plain = _plain(text, places)
        harmless = harmless or bool(HARMLESS.search(plain)) or not OTHER_THAN_STATED.search(plain)
        kept = self.shown if harmless else self.harmful
        if plain not in kept:
            kept.append(plain)


@contextmanager
def listening(*places: str) -> Iterator[Heard]:
    """Keep the warnings of Python and of the libraries' loggers; nothing of them is printed, and no progress bar.
    What was said stands in it at the end.

    Args:
        places: paths of this machine to leave out of what is kept.
    """
    from transformers.utils import logging as library

    library.disable_progress_bar()  # "Loading weights", of one encoder among many; how far it is, is told elsewhere
    library.warning_once.cache_clear()  # a process that loads one encoder after another would hear of the first only
    heard, handler = Heard(), _Kept()
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [(logger.handlers[:], logger.level, logger.propagate, logger.disabled) for logger in loggers]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            for logger in loggers:
                logger.handlers, logger.propagate, logger.disabled = [handler], False, False
                logger.setLevel(logging.WARNING)
            yield heard
        finally:
            for logger, (handlers, level, propagate, disabled) in zip(loggers, before, strict=True):
                logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
                logger.setLevel(level)
            for text in handler.texts:
                heard.add(text, places=places)
            for warning in caught:
                heard.add(str(warning.message), issubclass(warning.category, HARMLESS_CATEGORIES), places)


class _Kept(logging.Handler):
    """Keeps what this thread says: another may be fetching the next encoder, whose troubles are not of this one."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.texts.append(record.getMessage())


def _plain(text: str, places: tuple[str, ...]) -> str:
    """One line without control sequences and without paths of this machine."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = text.replace(place, "the encoder's folder")
    text = re.sub(r"(?<![\w:/])(~|[A-Za-z]:)?([/\\][\w.@+-]+){2,}", lambda path: re.split(r"[/\\]", path[0])[-1], text)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
