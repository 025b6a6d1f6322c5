"""The model hub: which encoders there are, which commit each is, what it would cost to fetch, and why one cannot be had.

Nothing here downloads weights: see snapshots.py. Tokens come from the environment or the hub client's own login; they are never read, kept or
printed here.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from qre.encoders.spec import stated_prompts
from qre.errors import EncoderError, place_error

T = TypeVar("T")

READ_SUFFIXES = (".json", ".txt", ".model", ".jinja", ".safetensors")  # what loading reads; README and other formats change no number
OTHER_BACKENDS = ("onnx", "openvino")  # folders of weights that are never loaded
ALLOW = tuple(f"*{suffix}" for suffix in READ_SUFFIXES)  # patterns cover nested modules too
IGNORE = tuple(f"{place}{backend}/*" for place in ("", "*/") for backend in OTHER_BACKENDS)
COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"(?!.*(\.\.|--))[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
ATTEMPTS = 6  # of one request that the hub's load or the network failed
NEVER = -1.0  # in the place of a pause: asked again, the hub would answer the same
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds; doubled each time, with full jitter so that many nodes do not come back together
PARALLEL = 16  # requests at once while resolving

Reason = Literal[
    "gated", "missing", "revision missing", "disabled", "remote code", "pickle only", "not sentence-transformers", "bad name",
    "offline", "access refused", "rate limited", "hub error",
]  # fmt: skip
TRANSIENT: frozenset[str] = frozenset({"offline", "access refused", "rate limited", "hub error"})  # of this place or this hour, not of the encoder
WITHHELD = TRANSIENT | {"gated", "missing", "revision missing", "disabled"}  # the hub does not give us what it gave once: what it said then still holds
REMEDY: dict[str, str] = {
    "gated": "ask for access on its page on the hub, and log in with `hf auth login` or HF_TOKEN",
    "missing": "check the name; a private encoder needs HF_TOKEN or `hf auth login`",
    "revision missing": "check the revision: a branch, a tag or a 40-digit commit",
    "disabled": "the hub has switched it off; leave it out",
    "remote code": "give trust_remote_code: true with a 40-digit revision for this one encoder, after reading its code",
    "pickle only": "ask its authors for safetensors; pickles are never loaded",
    "not sentence-transformers": "it has no modules.json: save it once with SentenceTransformer.save() and name the folder",
    "bad name": "write it as owner/name",
    "offline": "run where the hub can be reached, or fetch it before",
    "access refused": "the hub, or a proxy before it, refuses this token: check HF_TOKEN, or log in again with `hf auth login`; then run the same command again",
    "rate limited": "run the same command again later; with HF_TOKEN the limit is higher",
    "hub error": "run the same command again later",
}


class HubProblem(EncoderError):
    """Why an encoder cannot be had from the hub.

    Attributes:
        reason: one of Reason.
        transient: whether another try may end otherwise.
        remedy: what a person can do.
    """

    def __init__(self, repository: str, reason: str, detail: str = ""):
        self.repository, self.reason, self.detail = repository, reason, detail
        super().__init__(f"{printable(repository)}: {reason}{f' ({detail})' if detail else ''}; {REMEDY[reason]}")

    @property
    def transient(self) -> bool:
        return self.reason in TRANSIENT

    @property
    def remedy(self) -> str:
        return REMEDY[self.reason]

    def __reduce__(self):
        return type(self), (self.repository, self.reason, self.detail)


@dataclass(frozen=True)
class HubModel:
    """One encoder at one commit.

    Attributes:
        repository: owner/name.
        revision: 40-digit commit.
        files: (name, bytes) of what would be fetched.
        prompts: of the repository, by name.
        default_prompt: the prompt that plain `encode` applies; "" where none.
        attributes: what the hub's metadata tells; null where it does not.
    """

    repository: str
    revision: str
    files: tuple[tuple[str, int], ...]
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str = ""
    attributes: dict = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)


class HubQuery(BaseModel):
    """Which encoders of the hub: as `HfApi.list_models` takes it.

    Attributes:
        parameters: least and most number of parameters, e.g. (None, 500_000_000).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: tuple[str, ...] = ("sentence-transformers",)
    author: str | None = None
    search: str | None = None
    parameters: tuple[int | None, int | None] = (None, None)
    sort: Literal["created_at", "downloads", "last_modified", "likes", "trending_score"] = "downloads"
    limit: int = Field(100, ge=1, le=10_000)


def printable(name: str, longest: int = 120) -> str:
    """A name from a stranger on one short line."""
    line = "".join(c if c.isprintable() else "�" for c in name)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def search(query: HubQuery) -> Iterator[str]:
    """Names of the encoders that a query finds, in its order.

    Raises:
        HubProblem: the hub does not answer.
    """
    from huggingface_hub import HfApi

    least, most = query.parameters
    bounds = ",".join([*([f"min:{least}"] if least else []), *([f"max:{most}"] if most else [])])
    listed = retried("the hub", lambda: list(
        HfApi().list_models(
            filter=list(query.filter), author=query.author, search=query.search, num_parameters=bounds or None, sort=query.sort, limit=query.limit
        )
    ))  # fmt: skip
    yield from (model.id for model in listed)


def resolve_all(
    wanted: Iterable[tuple[str, str | None]], trusted: frozenset[str] = frozenset(), progress: Callable[[int], None] = lambda done: None
) -> list[HubModel | HubProblem]:
    """Commit, files and attributes of many encoders, or why each cannot be had; in the given order, many requests at once.

    Args:
        wanted: (owner/name, revision or None for the default branch).
        trusted: names whose own code may be run; for others it is a problem.
        progress: told how many are answered.
    """
    wanted = list(wanted)

    def one(place: tuple[str, str | None]) -> HubModel | HubProblem:
        try:
            return resolve(*place, trusted=place[0] in trusted)
        except HubProblem as problem:
            return problem

    answers = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        for answer in pool.map(one, wanted):
            answers.append(answer)
            progress(len(answers))
    return answers


def resolve(repository: str, revision: str | None = None, trusted: bool = False) -> HubModel:
    """Commit, files and attributes of an encoder.

    Raises:
        HubProblem: it cannot be had, or not safely.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import filter_repo_objects

    if not REPOSITORY.fullmatch(repository):
        raise HubProblem(repository, "bad name")
    info = retried(repository, lambda: HfApi().model_info(repository, revision=revision, files_metadata=True))
    if info.disabled:
        raise HubProblem(repository, "disabled")
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    _check_files(repository, info, sizes, trusted)
    if info.gated:  # its metadata is public; whether we have access, only asking tells
        retried(repository, lambda: HfApi().auth_check(repository))
    names = sorted(filter_repo_objects(sizes, allow_patterns=list(ALLOW), ignore_patterns=list(IGNORE)))
    files = ("config_sentence_transformers.json", "config.json")
    own, config = (_small_json(repository, info.sha, file) if file in sizes else {} for file in files)
    # by the names that a loaded encoder gives them, so that the map has one column for each
    shape = {"hidden_size": config.get("hidden_size"), "layers": config.get("num_hidden_layers"), "vocabulary": config.get("vocab_size")}
    kept = tuple((name, sizes[name]) for name in names)
    return HubModel(repository, info.sha, kept, *stated_prompts(own), {**card_attributes(info), **shape})


def retried(repository: str, request: Callable[[], T]) -> T:
    """The answer of a request; the hub's load and the network's faults are waited out, with growing, jittered pauses.

    Raises:
        HubProblem: what remains, by its reason.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return request()
        except Exception as error:
            problem, wait = _problem(repository, error)
            if problem is None:
                raise
            if problem.reason not in ("rate limited", "hub error") or wait == NEVER or attempt == ATTEMPTS:
                raise problem from error
        time.sleep(wait if wait is not None else random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)))
    raise AssertionError("the last attempt returns or raises")


def _problem(repository: str, error: Exception) -> tuple[HubProblem | None, float | None]:
    """What an error of the hub client means, and for how many seconds the hub asks us to wait; None where it is not the hub's."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):  # before its parent, RepositoryNotFoundError
        return HubProblem(repository, "gated"), None
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) and error.response is not None else None
    if isinstance(error, errors.RepositoryNotFoundError):  # the hub answers a token that has expired so too
        return HubProblem(repository, "access refused" if status == 401 and _token_is_refused() else "missing"), None
    if isinstance(error, errors.RevisionNotFoundError):
        return HubProblem(repository, "revision missing"), None
    if isinstance(error, errors.DisabledRepoError):
        return HubProblem(repository, "disabled"), None
    if isinstance(error, errors.HFValidationError):
        return HubProblem(repository, "bad name"), None
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubProblem(repository, "offline"), None
    if status is not None:
        if status == 429:
            asked = error.response.headers.get("Retry-After", "")
            return HubProblem(repository, "rate limited"), min(float(asked), LONGEST_WAIT) if asked.replace(".", "", 1).isdigit() else None
        if status in (401, 403, 407):
            return HubProblem(repository, "access refused", f"status {status}"), None
        # the hub says of what it does not have that it has it not: any other refusal is not its word
        return HubProblem(repository, "hub error", f"status {status}"), None if status >= 500 else NEVER
    if place_error(error) is not None:  # the disk of this machine, not the hub
        return None, None
    if isinstance(error, (OSError, ConnectionError, TimeoutError)) or type(error).__module__.split(".")[0] in ("httpx2", "httpcore2"):
        return HubProblem(repository, "hub error", type(error).__name__), None
    return None, None


def _token_is_refused() -> bool:
    """Whether the hub does not take the token of this process at all; asked once a token."""
    from huggingface_hub import get_token

    token = get_token()
    return token is not None and _refuses(token)


@cache
def _refuses(token: str) -> bool:
    from huggingface_hub import HfApi

    try:
        HfApi().whoami(token=token)
    except Exception:  # refused; or no answer now, and then nothing is said of the encoder either
        return True
    return False


def _check_files(repository: str, info, sizes: dict[str, int], trusted: bool) -> None:
    """Refuse what would not load safely, as far as the list of files tells."""
    config = info.config or {}
    if not trusted and ("auto_map" in config or "custom_code" in (info.tags or ())):
        raise HubProblem(repository, "remote code")
    if "modules.json" not in sizes:
        raise HubProblem(repository, "not sentence-transformers")
    folders = {name.rpartition("/")[0] for name in sizes if name.endswith(".safetensors")}
    for name in sizes:
        folder, _, file = name.rpartition("/")
        if file in ("pytorch_model.bin", "model.bin") and folder not in folders and folder.split("/")[0] not in OTHER_BACKENDS:
            raise HubProblem(repository, "pickle only", name)


def _small_json(repository: str, revision: str, file: str) -> dict:
    """A small JSON file of a repository, {} where it is not one."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    def read() -> dict:
        response = get_session().get(hf_hub_url(repository, file, revision=revision), headers=build_hf_headers(), follow_redirects=True, timeout=30)
        hf_raise_for_status(response)
        return response.json()

    try:
        value = retried(repository, read)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def card_attributes(info) -> dict:
    """What the hub's metadata tells of an encoder: plain values, null where it is not told, never a guess."""
    card = info.card_data.to_dict() if info.card_data else {}
    config, tags = info.config or {}, info.tags or []
    bases = card.get("base_model") or [tag.split(":")[-1] for tag in tags if tag.startswith("base_model:") and tag.count(":") == 1]
    return {
        "architecture": next(iter(config.get("architectures") or ()), None),
        "model_type": config.get("model_type"),
        "parameters": info.safetensors.total if info.safetensors else None,
        "base_model": bases[0] if isinstance(bases, list) and bases else bases if isinstance(bases, str) else None,
        "training_sets": _listed(card.get("datasets")),
        "languages": _listed(card.get("language")),
        "licence": card.get("license") if isinstance(card.get("license"), str) else None,
        "library": info.library_name,
        "downloads": info.downloads,
        "likes": info.likes,
        "created": info.created_at.date().isoformat() if info.created_at else None,
    }


def _listed(value) -> list[str] | None:
    if value is None:
        return None
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
