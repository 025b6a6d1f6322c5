"""The code that an encoder's files name, and whose word it needs before it runs.

Every JSON file is looked through, whatever its name, for `auto_map` at any depth; and those that a loader reads also
for classes of modules, classes that a config imports by their path, kernels, and any `owner/name--file.Class`: in what
training left, such a text may name a data set. What is found is kept as it stands; whether it may run is decided for
each entry of a config, at planning and again before anything is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

OWN = "sentence_transformers."
ELSEWHERE = re.compile(r"[\w.-]+/[\w.-]+--[\w./-]+\.\w+")
IMPLEMENTATION = re.compile(r"_?(attn|experts)_implementation(_internal)?")
# for these transformers may have a class of its own
NATIVE_KEYS = re.compile(r"(AutoConfig|AutoModel\w*|AutoTokenizer)(\[\d+\])?")
READ = re.compile(  # by transformers or sentence-transformers
    r"(modules|config|config_sentence_transformers|special_tokens_map|chat_template|(router|adapter|generation|peft|quantize|sentence_\w+|\w*tokenizer"
    r"|\w*processor|\w*extractor|cnn|lstm|wordembedding|dense|pooling)_config)\.json"
)
# nothing in them is a config
VOCABULARY = re.compile(r"(tokenizer|vocab|added_tokens|merges|trainer_state|.*\.index)\.json")


@dataclass(frozen=True)
class Named:
    """One place that names code, or files of a second repository.

    Attributes:
        file: in the repository.
        key: the path of keys in it, as "auto_map.AutoModel".
        target: what stands there, as "modeling.Model" or "owner/name--modeling.Model".
    """

    file: str
    key: str
    target: str

    @property
    def repository(self) -> str | None:
        """The second repository that it lies in."""
        return self.target.split("--")[0] if "--" in self.target else None

    @property
    def own_file(self) -> str | None:
        """The Python file that it is in, in whichever repository; None where it is a class of an installed package, or
        no code."""
        parts = self.target.split("--")[-1].split(".")
        return (
            f"{parts[0]}.py"
            if len(parts) == 2 and all(parts) and not parts[0].startswith("/") and ".." not in parts[0]
            else None
        )

    @property
    def has_native(self) -> bool:
        """Whether it is an `auto_map` entry of a kind that transformers may replace with a class of its own."""
        return ".auto_map." in f".{self.key}" and bool(NATIVE_KEYS.fullmatch(self.key.rpartition(".")[2]))

    def __str__(self) -> str:
        return f"{self.file}: {self.key} is {self.target}"


def named_code(file: str, value: object) -> Iterator[Named]:
    """All that a JSON file names.

    Args:
        file: its name in the repository.
        value: its content.
    """
    name = file.rpartition("/")[2]
    settings = name.startswith("sentence_") and name.endswith("_config.json")
    for key, leaf in _leaves(value):
        parts = key.split(".")
        last = re.sub(r"\[\d+\]$", "", parts[-1])
        if settings and last in ("use_kernels", "allow_all_kernels") and leaf is True:
            yield Named(file, key, "kernels of the hub")
        if not isinstance(leaf, str) or not leaf:
            continue
        inside = {re.sub(r"\[\d+\]$", "", part) for part in parts}
        if (
            "auto_map" in inside
            or READ.fullmatch(name)
            and (
                ("custom_pipelines" in inside and last == "impl")
                or (any(IMPLEMENTATION.fullmatch(part) for part in inside) and "/" in leaf)
                or (settings and last == "tokenizer_name_or_path")
                or (last == "tokenizer_class" and "." in leaf and not leaf.startswith(OWN))
                or (last == "activation_function" and "." in leaf and not leaf.startswith("torch."))
                or (name == "modules.json" and last == "type" and not leaf.startswith(OWN))
                or (
                    "types" in inside
                    and "structure" in (value if isinstance(value, dict) else ())
                    and not leaf.startswith(OWN)
                )
                or ELSEWHERE.fullmatch(leaf)
            )
        ):
            yield Named(file, key, leaf)


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """(path of keys, value) of all that is neither a mapping nor a list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{key}[{index}]")
    else:
        yield key, value


def refusal(
    named: Named,
    python: Collection[str],
    trusted: bool = False,
    native: bool = False,
    code_revision: Mapping[str, str] | None = None,
) -> tuple[str, str] | None:
    """Why what a file names may not run for an entry: (reason, detail); None where it may, or is not run at all.

    Args:
        python: the Python files of the repository.
        trusted, native, code_revision: the entry's options.
    """
    if named.file == "tags":  # the hub's word alone, and no file names any
        return None if trusted or native else ("remote code", "the hub marks it so")
    if native and (named.has_native or "custom_pipelines" in named.key):
        return None
    if named.own_file is None:
        if trusted and named.target.startswith("transformers."):
            return None
        elsewhere = "/" in named.target or " " in named.target
        return (
            ("second repository", f"{named}, which no commit pins")
            if elsewhere
            else ("unknown module", f"{named}, a class of an installed package")
        )
    if native:
        return "not native", f"{named}, for which transformers has no class of its own"
    if named.repository is not None:
        pinned = trusted and named.repository in (code_revision or {})
        return None if pinned else ("second repository", f"{named}, which no commit pins")
    if not trusted:
        return "remote code", str(named)
    return None if named.own_file in python else ("unknown module", f"{named}, and there is no {named.own_file} in it")
