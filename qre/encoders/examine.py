"""Whether an encoder's files can be loaded safely and give what they say, before anything of it is loaded: from the
hub, a folder or a snapshot alike."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from qre.encoders.adapters import WEIGHTS, Adapter, find_adapter, of_base
from qre.encoders.contents import counts, is_code
from qre.encoders.kinds import Module, kind_problem, unknown_module
from qre.encoders.named_code import READ, VOCABULARY, Named, named_code, refusal
from qre.encoders.pickled import INDEX, READ_WEIGHTS, is_convertible, may_hold, needed_pickles
from qre.encoders.plain import BODY, plain_problem
from qre.encoders.shape import names_of, shape_of

MOST_BYTES = 2**24  # of a JSON file that is looked through; a config is a few kB
MOST_OTHERS = 100  # JSON files outside of modules that are looked through; no loader reads a config there


class Unfit(Exception):
    """Why an encoder is not taken, told without its name: the hub and the folder each put their own before it.

    Attributes:
        modules: what it is made of, as of shape_of, where its files tell; else "".
    """

    def __init__(self, reason: str, detail: str, modules: str = ""):
        self.reason, self.detail, self.modules = reason, detail, modules
        super().__init__(f"{reason} ({detail})")


@dataclass(frozen=True)
class Found:
    """What an encoder's files say.

    Attributes:
        modules: folders that hold modules, "" for the top.
        code: the code that its files name.
        python: its Python files.
        bodies: (model type, whether there is a tokenizer.json) of each transformer in it.
        documents: content of the JSON files that were looked through, by name.
        shape: see shape_of.
        plain: it has no modules.json, so that the pooling is for an entry to state.
        pickles: files that its weights are pickled in: see pickled.needed_pickles.
        adapter: it is a PEFT adapter, whose base holds the rest.
    """

    modules: tuple[str, ...]
    code: tuple[Named, ...]
    python: tuple[str, ...]
    bodies: tuple[tuple[str, bool], ...]
    documents: Mapping[str, object]
    shape: dict
    plain: bool = False
    pickles: tuple[str, ...] = ()
    adapter: Adapter | None = None


def examine(sizes: Mapping[str, int], read: Callable[[str], bytes], tags: Collection[str] = ()) -> Found:
    """What an encoder's files say, if it is a sentence encoder with weights; pickles are left to `check_pickles`, code
    to `check_code`, and the pooling of a plain checkpoint to `check_pooling`.

    Args:
        sizes: bytes of every file, by its name with "/".
        read: the content of a file.
        tags: of the hub, with its task.

    Raises:
        Unfit: with the reason, and the file and key that say so.
    """
    documents: dict[str, object] = {}

    def document(name: str, strict: bool = True) -> object:
        if name not in documents and name in sizes:
            documents[name] = parsed(name, sizes[name], read, strict)
        return documents.get(name)

    modules = None if "modules.json" not in sizes else _modules(document)
    try:
        return _examined(modules, document, documents, sizes, tags)
    except Unfit as problem:
        raise Unfit(problem.reason, problem.detail, names_of(modules or ())) from None


def _examined(
    stated: tuple[Module, ...] | None,
    document: Callable[..., object],
    documents: Mapping[str, object],
    sizes: Mapping[str, int],
    tags: Collection[str],
) -> Found:
    """As examine, of the modules that modules.json states; None where there is none.

    Args:
        document: the content of a JSON file (name, strict), which is then in `documents`.
    """
    plain, modules = stated is None, stated or ()
    folders = tuple(dict.fromkeys(module.path for module in modules))
    inside = [name for name in sorted(sizes) if _is_config(name) and (name.rpartition("/")[0] in {"", *folders})]
    outside = [name for name in sorted(sizes) if _is_config(name) and name not in inside and counts(name, folders)]
    for name in inside + [name for name in outside if sizes[name] <= MOST_BYTES][:MOST_OTHERS]:
        document(name, strict=name in inside and bool(READ.fullmatch(name.rpartition("/")[2])))
    adapter = _check_kind(modules, folders, documents, sizes, tags)
    if plain:
        modules, folders = (BODY,), (BODY.path,)
    pickles = needed_pickles(modules, sizes, document)
    _check_weights(modules, pickles, sizes, adapter)
    code = [named for name, value in documents.items() for named in named_code(name, value)]
    if "custom_code" in tags and not code:
        code = [Named("tags", "custom_code", "")]
    transformers = (module for module in modules if module.name == "Transformer")
    own = (module for module in transformers if adapter is None or module.path)
    bodies = tuple(_body(module, documents, sizes) for module in own)
    return Found(
        folders,
        tuple(code),
        tuple(name for name in sorted(sizes) if is_code(name)),
        bodies,
        documents,
        shape_of(modules, documents),
        plain,
        pickles,
        adapter,
    )


def examine_base(sizes: Mapping[str, int], read: Callable[[str], bytes]) -> Found:
    """What the files of an adapter's base say: see `examine`.

    Raises:
        Unfit: it is no checkpoint of transformers with weights that may be loaded.
    """
    found = examine(of_base(sizes), read)
    if found.adapter is not None:
        raise Unfit("adapter", f"it is itself an adapter, of {found.adapter.base}")
    if found.pickles:
        raise Unfit("adapter", f"{found.pickles[0]}: its weights are a pickle, which is not converted for an adapter")
    return found


def check_pickles(pickles: Collection[str], there: Collection[str], consent: bool) -> None:
    """Whether weights that are pickled may be taken, and can be.

    Args:
        pickles: as of `Found`.
        there: files that are there.
        consent: to convert them.

    Raises:
        Unfit: no consent; files of weights are missing; or only code of its own reads them.
    """
    if not pickles:
        return
    if not consent:
        raise Unfit(
            "pickle only", f"{next((name for name in pickles if name in there), min(pickles))}: weights as a pickle"
        )
    for name in pickles:
        if name.rpartition("/")[2] == INDEX:
            raise Unfit("broken weights", f"{name} is {'no index of weights' if name in there else 'missing'}")
        if not is_convertible(name):
            raise Unfit("pickle only", f"{name}: a pickle that no library reads, and that is not converted")
    if missing := [name for name in pickles if name not in there]:
        folder = missing[0].rpartition("/")[0]
        index = f"{folder}/{INDEX}" if folder else INDEX
        raise Unfit(
            "broken weights",
            f"{len(missing)} of the {len(pickles)} files of weights that {index} names are missing "
            f"({', '.join(missing[:3])})",
        )


def check_pooling(plain: bool, stated: bool) -> None:
    """Unfit where a plain checkpoint is asked for without a pooling (`stated`)."""
    if plain and not stated:
        raise Unfit("no pooling", "it has no modules.json, so how its tokens become one vector is not stated")


def check_code(
    code: Collection[Named],
    python: Collection[str],
    bodies: Collection[tuple[str, bool]],
    *,
    trusted: bool = False,
    native: bool = False,
    code_revision: Mapping[str, str] | None = None,
) -> None:
    """Whether an entry of a config lets an encoder run: all code that its files name is trusted and pinned, or not run.

    Raises:
        Unfit: it names code that may not run; or no such second repository as `code_revision` pins.
    """
    problems = [
        problem for named in code if (problem := refusal(named, python, trusted, native, code_revision)) is not None
    ]
    if problems:
        # what trust alone does not mend is told first
        reason, detail = min(problems, key=lambda problem: problem[0] == "remote code")
        types = [kind for kind, _ in bodies]
        if not native and types and all(named.has_native for named in code) and all(map(known_natively, types)):
            detail += f"; transformers has a class of its own for {types[0]}"
        raise Unfit(reason, detail)
    strange = set(code_revision or {}) - {named.repository for named in code}
    if strange:
        raise Unfit("wrong code_revision", f"no file of it names code of {min(strange)}")
    if native:
        for kind, has_tokenizer in bodies:
            if not known_natively(kind):
                raise Unfit("not native", f"model type {kind or 'none'}")
            if not has_tokenizer and any(".AutoTokenizer" in named.key for named in code):
                raise Unfit(
                    "not native",
                    "its tokenizer is code of its own, and there is no tokenizer.json to compare another with",
                )


def known_natively(model_type: str) -> bool:
    """Whether transformers has an encoder class of its own for a model type."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return model_type in MODEL_MAPPING_NAMES


def _is_config(name: str) -> bool:
    return name.endswith(".json") and not VOCABULARY.fullmatch(name.rpartition("/")[2])


def parsed(name: str, size: int, read: Callable[[str], bytes], strict: bool = True) -> object:
    """The content of a JSON file; None where it is none and need not be (`strict`)."""
    if size > MOST_BYTES:
        raise Unfit("broken config", f"{name}: {size:,} bytes are too many for a config")
    content = read(name)
    check_no_pointer(name, content)
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if strict:
            raise Unfit("broken config", f"{name}: not JSON: {error}") from None
        return None


def check_no_pointer(name: str, content: bytes) -> None:
    """Unfit where the content of a file is what Git LFS puts in its place."""
    if content.startswith(b"version https://git-lfs.github.com/spec/"):
        raise Unfit("git lfs", f"{name} is a pointer of Git LFS, not the file")


def _modules(document: Callable[[str], object]) -> tuple[Module, ...]:
    """The modules that modules.json names, and those inside of routers."""
    listed, found = document("modules.json"), []
    for index, one in enumerate(listed if isinstance(listed, list) else [listed]):
        if (
            not isinstance(one, dict)
            or not isinstance(one.get("type"), str)
            or not isinstance(one.get("path", ""), str)
        ):
            raise Unfit("broken config", f"modules.json: entry {index} is not a module with a type and a path")
        found += _with_inner(
            Module(one["type"], _folder(one.get("path", ""), "modules.json"), "modules.json"), document
        )
    return tuple(found)


def _with_inner(module: Module, document: Callable[[str], object], depth: int = 0) -> list[Module]:
    """A module, and where it is a router those that it sends to."""
    found = [module]
    if module.name in ("Router", "Asym") and depth < 8:
        prefix = f"{module.path}/" if module.path else ""
        files = (prefix + name for name in ("router_config.json", "config.json"))
        file, told = next(((file, told) for file in files if isinstance(told := document(file), dict)), ("", {}))
        types = told.get("types")
        for inner, kind in (types if isinstance(types, dict) else {}).items():
            found += _with_inner(Module(str(kind), _folder(f"{prefix}{inner}", file), file), document, depth + 1)
    return found


def _folder(path: str, file: str) -> str:
    folder = posixpath.normpath(path.replace("\\", "/")) if path else ""
    if folder.startswith(("/", "..")):
        raise Unfit("broken config", f"{file}: the path {path} leads out of the encoder")
    return "" if folder == "." else folder


def _check_kind(
    modules: tuple[Module, ...],
    folders: tuple[str, ...],
    documents: Mapping[str, object],
    sizes: Mapping[str, int],
    tags: Collection[str],
) -> Adapter | None:
    """The adapter that it is, if it is one; Unfit where it is no sentence encoder."""
    if (problem := kind_problem(modules, documents, sizes, tags)) is not None:
        raise Unfit(*problem)
    # beside whole weights too: the base that it names is loaded in their place
    adapter, why = find_adapter(folders, documents, sizes)
    if why:
        raise Unfit("adapter", why)
    plain = "modules.json" not in sizes and adapter is None
    if plain and (lack := plain_problem(sizes, documents, known_natively)) is not None:
        raise Unfit(*lack)
    if (problem := unknown_module(modules)) is not None:
        raise Unfit(*problem)
    return adapter


def _check_weights(
    modules: tuple[Module, ...], pickles: Collection[str], sizes: Mapping[str, int], adapter: Adapter | None
) -> None:
    pickled = {name.rpartition("/")[0] for name in pickles}
    for module in modules:
        prefix = f"{module.path}/" if module.path else ""
        own = [name.removeprefix(prefix) for name in sizes if name.startswith(prefix)]
        if adapter is not None and not module.path and module.name == "Transformer":
            if WEIGHTS not in own:
                raise Unfit("no weights", f"{prefix}{WEIGHTS} is missing")
        elif (
            module.shipped
            and module.name in READ_WEIGHTS
            and module.path not in pickled
            and not any(may_hold(module.name, name) for name in own)
        ):
            raise Unfit("no weights", f"{prefix}model.safetensors is missing")


def _body(module: Module, documents: Mapping[str, object], sizes: Mapping[str, int]) -> tuple[str, bool]:
    prefix = f"{module.path}/" if module.path else ""
    config = documents.get(f"{prefix}config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    return str(kind or ""), f"{prefix}tokenizer.json" in sizes
