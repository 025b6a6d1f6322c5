"""The model hub: which encoders there are, which commit each is, what it would cost to fetch, and why one cannot be
had.

Nothing here downloads weights: see snapshots.py. Tokens come from the environment or the hub client's own login; they
are never read, kept or printed here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from qre.encoders.cards import card_attributes
from qre.encoders.contents import kept
from qre.encoders.examine import Unfit, check_code, check_pickles, check_pooling, examine, examine_base
from qre.encoders.hub_problems import HubProblem, T, printable, retried
from qre.encoders.named_code import Named
from qre.encoders.spec import stated_prompts

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"(?!.*(\.\.|--))[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
PARALLEL = 16  # requests at once while resolving
UNLISTED = 2**26  # bytes of a file that the hub itself gives no sha256 of: it lets such files have 10 MB

W = TypeVar("W")


@dataclass(frozen=True)
class HubModel:
    """One encoder at one commit.

    Attributes:
        repository: owner/name.
        revision: 40-digit commit.
        files: (name, bytes) of what would be fetched, code apart.
        prompts: of the repository, by name.
        default_prompt: the prompt that plain `encode` applies; "" where none.
        attributes: what the hub's metadata tells; null where it does not.
        code: the code that its files name.
        python: (name, bytes) of its Python files.
        bodies: (model type, whether there is a tokenizer.json) of each transformer in it.
        plain: it has no modules.json, so that the pooling is for an entry to state.
        pickles: (name, bytes, sha256) of the pickles that its weights are in; of one that is missing no sha256.
        adapter: (owner/name, revision) of the base of a PEFT adapter, as its file names it; "" for the default branch.
        base: (owner/name, commit, files) of that base: see `onto`.
    """

    repository: str
    revision: str
    files: tuple[tuple[str, int], ...]
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str = ""
    attributes: dict = field(default_factory=dict)
    code: tuple[Named, ...] = ()
    python: tuple[tuple[str, int], ...] = ()
    bodies: tuple[tuple[str, bool], ...] = ()
    plain: bool = False
    pickles: tuple[tuple[str, int, str], ...] = ()
    adapter: tuple[str, str] | None = None
    base: tuple[str, str, tuple[tuple[str, int], ...]] | None = None

    @property
    def place(self) -> tuple[str, str]:
        """owner/name and commit."""
        return self.repository, self.revision

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files + (self.base[2] if self.base else ()))

    def onto(self, base: HubModel, native: bool = False) -> HubModel:
        """This adapter with its base, which was resolved as such.

        Raises:
            HubProblem: the base names code of its own.
        """
        try:
            base.checked(pooled=True, native=native)
        except HubProblem as problem:
            raise of_its_base(self, problem) from None
        told = {name: base.attributes.get(name) for name in ("hidden_size", "layers", "vocabulary", "model_type")}
        own, beside = self.attributes.get("parameters"), base.attributes.get("parameters")
        told["parameters"] = (own or 0) + beside if beside is not None else None
        told["embedding_dimension"] = self.attributes.get("embedding_dimension") or told["hidden_size"]
        told["base_model"] = base.repository
        return replace(self, attributes={**self.attributes, **told}, base=(base.repository, base.revision, base.files))

    def checked(
        self,
        *,
        pickled: bool = False,
        pooled: bool = False,
        trusted: bool = False,
        native: bool = False,
        code_revision: Mapping[str, str] | None = None,
    ) -> tuple[tuple[str, int], ...]:
        """(name, bytes) of what an entry with these options fetches: Python files only where it trusts them.

        Raises:
            HubProblem: its weights are pickles and the entry does not consent (`pickled`); it names code that the entry
                does not let run, or is a plain checkpoint and the entry states no pooling (`pooled`).
        """
        pickles = {name: size for name, size, sha256 in self.pickles if sha256}
        try:
            check_pickles([name for name, *_ in self.pickles], pickles, pickled)
            check_pooling(self.plain, pooled)
            check_code(
                self.code, dict(self.python), self.bodies, trusted=trusted, native=native, code_revision=code_revision
            )
        except Unfit as problem:
            raise HubProblem(self.repository, problem.reason, problem.detail) from None
        python = self.python if trusted else ()
        return tuple(sorted((*self.files, *python, *pickles.items()))) if python or pickles else self.files


def of_its_base(model: HubModel, problem: HubProblem) -> HubProblem:
    """What keeps the base of an adapter from being had, told of the adapter."""
    detail = f"of its base {printable(problem.repository)}"
    return HubProblem(model.repository, problem.reason, f"{detail}: {problem.detail}" if problem.detail else detail)


def resolve_all(
    wanted: Iterable[tuple[str, str | None]], progress: Callable[[int], None] = lambda done: None, as_base: bool = False
) -> list[HubModel | HubProblem]:
    """Commit, files and attributes of many encoders, or why each cannot be had; in the given order, many requests at
    once.

    Args:
        wanted: (owner/name, revision or None for the default branch).
        progress: told how many are answered.
        as_base: they are wanted as bases of adapters.
    """
    return each_answer(list(wanted), lambda place: place[0], lambda place: resolve(*place, as_base), progress)


def each_answer(
    wanted: Sequence[W],
    name_of: Callable[[W], str],
    ask: Callable[[W], T],
    progress: Callable[[int], None] = lambda done: None,
) -> list[T | HubProblem]:
    """What `ask` answers of each of `wanted`, or why it does not; many at once, in the given order. A hub that cannot
    be reached is asked once, not for each."""
    unreachable: list[HubProblem] = []

    def one(place: W) -> T | HubProblem:
        if unreachable and REPOSITORY.fullmatch(name_of(place)):
            return HubProblem(name_of(place), "unreachable", unreachable[0].detail)
        try:
            return ask(place)
        except HubProblem as problem:
            if problem.reason == "unreachable":
                unreachable.append(problem)
            return problem

    answers = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        for answer in pool.map(one, list(wanted)):
            answers.append(answer)
            progress(len(answers))
    return answers


def resolve(repository: str, revision: str | None = None, as_base: bool = False) -> HubModel:
    """Commit, files and attributes of an encoder; whether its code may run is for each entry to say:
    `HubModel.checked`.

    With an offline client it is the snapshot in this node's cache that is resolved.

    Args:
        as_base: it is wanted as the base of an adapter: a checkpoint of transformers, whatever stands around it.

    Raises:
        HubProblem: it cannot be had, or is no sentence encoder.
    """
    from huggingface_hub import HfApi, is_offline_mode

    from qre.encoders.cached import cached_model

    if not REPOSITORY.fullmatch(repository):
        raise HubProblem(repository, "bad name")
    if is_offline_mode():
        return cached_model(repository, revision, as_base)
    info = info_of(repository, revision)
    commit = info.sha or ""
    if not COMMIT.fullmatch(commit):
        raise HubProblem(repository, "hub error", "its answer names no commit")
    if info.disabled:
        raise HubProblem(repository, "disabled")
    if info.gated:  # its metadata is public; whether we have access, only asking tells
        retried(repository, lambda: HfApi().auth_check(info.id))
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    tags = {*(info.tags or ()), *([info.pipeline_tag] if info.pipeline_tag else [])}
    large = {sibling.rfilename: sibling.lfs.sha256 for sibling in info.siblings or () if sibling.lfs is not None}

    def read(file: str) -> bytes:
        return _content(info.id, commit, file, sizes[file])

    def sha256(file: str) -> str:
        if file not in large and sizes[file] > UNLISTED:
            raise HubProblem(info.id, "hub error", f"its answer gives no sha256 of {file}")
        return large[file] if file in large else hashlib.sha256(read(file)).hexdigest()

    return described(info.id, commit, sizes, read, card_attributes(info), tags, sha256, as_base)


def info_of(repository: str, revision: str | None):
    """What the hub tells of a repository at a revision, with its files (a ModelInfo); HubProblem where it does not."""
    from huggingface_hub import HfApi

    return answered(repository, lambda: HfApi().model_info(repository, revision=revision, files_metadata=True))


def with_base(model: HubModel, native: bool = False) -> HubModel:
    """An adapter with its base, which is asked for now; any other as it is.

    Raises:
        HubProblem: the base cannot be had.
    """
    if model.adapter is None:
        return model
    try:
        base = resolve(model.adapter[0], model.adapter[1] or None, as_base=True)
    except HubProblem as problem:
        raise of_its_base(model, problem) from None
    return model.onto(base, native)


def with_bases(answers: Sequence[HubModel | HubProblem]) -> list[HubModel | HubProblem]:
    """Answers of the hub as they are, but each adapter with its base, or why that cannot be had; in order, many at
    once."""
    asked = [one for one in answers if isinstance(one, HubModel) and one.adapter is not None]
    whole = iter(each_answer(asked, lambda one: one.repository, with_base))
    return [next(whole) if isinstance(one, HubModel) and one.adapter is not None else one for one in answers]


def described(
    repository: str,
    revision: str,
    sizes: dict[str, int],
    read: Callable[[str], bytes],
    attributes: dict,
    tags: Iterable[str],
    sha256: Callable[[str], str],
    as_base: bool = False,
) -> HubModel:
    """The model that files make, wherever they are read.

    Args:
        sizes: bytes of every file.
        read: the content of a file.
        sha256: of the content of a file; asked of pickles only.

    Raises:
        HubProblem: no sentence encoder, or not safely loaded.
    """
    try:
        found = examine_base(sizes, read) if as_base else examine(sizes, read, frozenset(tags))
    except Unfit as problem:
        raise HubProblem(repository, problem.reason, problem.detail, modules=problem.modules) from None
    own = told if isinstance(told := found.documents.get("config_sentence_transformers.json"), dict) else {}
    files, python = kept(sizes, found.modules), tuple((name, sizes[name]) for name in found.python)
    return HubModel(
        repository,
        revision,
        files,
        *stated_prompts(own),
        {**attributes, **found.shape},
        found.code,
        python,
        found.bodies,
        found.plain,
        tuple((name, sizes[name], sha256(name)) if name in sizes else (name, 0, "") for name in found.pickles),
        None if found.adapter is None else (found.adapter.base, found.adapter.revision),
    )


def answered(repository: str, request: Callable[[], T]) -> T:
    """The answer of a request, as of `retried`; one that is no answer of a hub (a page of a proxy, say) is a
    HubProblem."""
    from huggingface_hub.errors import HFValidationError

    def understood() -> T:
        try:
            return request()
        except HFValidationError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HubProblem(repository, "hub error", f"what answered is not the hub: {type(error).__name__}") from None

    return retried(repository, understood)


def _content(repository: str, revision: str, file: str, size: int) -> bytes:
    """A small file of a repository, of as many bytes as the hub lists."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    def read() -> bytes:
        response = get_session().get(
            hf_hub_url(repository, file, revision=revision),
            headers=build_hf_headers(),
            follow_redirects=True,
            timeout=30,
        )
        hf_raise_for_status(response)
        if size and len(response.content) != size:
            raise HubProblem(
                repository, "hub error", f"{file} came with {len(response.content)} bytes of {size}: a proxy's page?"
            )
        return response.content

    return retried(repository, read)
