"""The model hub: which encoders there are, which commit each is, what it would cost to fetch, and why one cannot be
had.

Nothing here downloads weights: see snapshots.py. Tokens come from the environment or the hub client's own login; they
    are never read, kept or
printed here.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from qre.encoders.cards import card_attributes
from qre.encoders.contents import kept
from qre.encoders.examine import REMEDY as FILES_REMEDY
from qre.encoders.examine import Unfit, check_code, examine
from qre.encoders.named_code import Named
from qre.encoders.spec import stated_prompts
from qre.errors import EncoderError, chain, place_error

T = TypeVar("T")

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"(?!.*(\.\.|--))[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
REACH_SECONDS = 5.0  # for an answer, whatever it is
REACHING = 3  # attempts of a request that finds no hub at all
ATTEMPTS = 6  # of one request that the hub's load or the network failed
NEVER = -1.0  # in the place of a pause: asked again, the hub would answer the same
FIRST_WAIT, LONGEST_WAIT = (
    0.5,
    60.0,
)  # seconds; doubled each time, with full jitter so that many nodes do not come back together
PARALLEL = 16  # requests at once while resolving

Reason = Literal[
    "gated",
    "missing",
    "revision missing",
    "disabled",
    "bad name",
    "offline",
    "access refused",
    "unreachable",
    "rate limited",
    "hub error",
    "cross-encoder",
    "sparse encoder",
    "multi-vector encoder",
    "not a sentence encoder",
    "adapter",
    "remote code",
    "second repository",
    "unknown module",
    "not native",
    "wrong code_revision",
    "pickle only",
    "no weights",
    "not sentence-transformers",
    "git lfs",
    "broken config",
]
TRANSIENT: frozenset[str] = frozenset(
    {"offline", "access refused", "unreachable", "rate limited", "hub error"}
)  # of this place or this hour, not of the encoder
WITHHELD = TRANSIENT | {
    "gated",
    "missing",
    "revision missing",
    "disabled",
}  # the hub does not give us what it gave once: what it said then still holds
REMEDY: dict[str, str] = {
    "gated": "ask for access on its page on the hub, and log in with `hf auth login` or HF_TOKEN",
    "missing": "check the name; a private encoder needs HF_TOKEN or `hf auth login`",
    "revision missing": "check the revision: a branch, a tag or a 40-digit commit",
    "disabled": "the hub has switched it off; leave it out",
    **FILES_REMEDY,
    "bad name": "write it as owner/name",
    "offline": "fetch it on a machine with a network, `hf download ID`, into an HF_HOME that this machine shares",
    "access refused": "the hub, or a proxy before it, refuses this token: check HF_TOKEN, or log in again with `hf "
    "auth login`; then run the same command again",
    "unreachable": "check the network, the proxy (HTTPS_PROXY) and the address (HF_ENDPOINT), then run the same "
    "command again; HF_HUB_OFFLINE=1 uses what is in the cache",
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
        if reason == "unreachable":
            told = f"cannot reach the hub: {detail}; {REMEDY[reason]}"
        else:
            told = f"{printable(repository)}: {reason}{f' ({detail})' if detail else ''}; {REMEDY[reason]}"
        super().__init__(told)

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
        files: (name, bytes) of what would be fetched, code apart.
        prompts: of the repository, by name.
        default_prompt: the prompt that plain `encode` applies; "" where none.
        attributes: what the hub's metadata tells; null where it does not.
        code: the code that its files name.
        python: (name, bytes) of its Python files.
        bodies: (model type, whether there is a tokenizer.json) of each transformer in it.
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

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)

    def checked(
        self, *, trusted: bool = False, native: bool = False, code_revision: Mapping[str, str] | None = None
    ) -> tuple[tuple[str, int], ...]:
        """(name, bytes) of what an entry with these options fetches: Python files only where it trusts them.

        Raises:
            HubProblem: it names code that the entry does not let run.
        """
        try:
            check_code(
                self.code, dict(self.python), self.bodies, trusted=trusted, native=native, code_revision=code_revision
            )
        except Unfit as problem:
            raise HubProblem(self.repository, problem.reason, problem.detail) from None
        return tuple(sorted(self.files + self.python)) if trusted else self.files


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

    @field_validator("parameters")
    @classmethod
    def _some(cls, value: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
        least, most = value
        if least is not None and most is not None and least > most:
            raise ValueError(f"[{least}, {most}] holds nothing: give the least, then the most")
        return value


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

    retried("the hub", _reach)  # the client itself would try a listing for half a minute
    least, most = query.parameters
    bounds = ",".join([*([f"min:{least}"] if least else []), *([f"max:{most}"] if most else [])])
    listed = retried(
        "the hub",
        lambda: _understood(
            "the hub",
            lambda: [
                model.id
                for model in HfApi().list_models(
                    filter=list(query.filter),
                    author=query.author,
                    search=query.search,
                    num_parameters=bounds or None,
                    sort=query.sort,
                    limit=query.limit,
                )
            ],
        ),
    )
    yield from listed


def resolve_all(
    wanted: Iterable[tuple[str, str | None]], progress: Callable[[int], None] = lambda done: None
) -> list[HubModel | HubProblem]:
    """Commit, files and attributes of many encoders, or why each cannot be had; in the given order, many requests at
    once.

    Args:
        wanted: (owner/name, revision or None for the default branch).
        progress: told how many are answered.
    """
    wanted = list(wanted)
    unreachable: list[HubProblem] = []

    def one(place: tuple[str, str | None]) -> HubModel | HubProblem:
        if unreachable and REPOSITORY.fullmatch(place[0]):  # asked once, not for each
            return HubProblem(place[0], "unreachable", unreachable[0].detail)
        try:
            return resolve(*place)
        except HubProblem as problem:
            if problem.reason == "unreachable":
                unreachable.append(problem)
            return problem

    answers = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        for answer in pool.map(one, wanted):
            answers.append(answer)
            progress(len(answers))
    return answers


def resolve(repository: str, revision: str | None = None) -> HubModel:
    """Commit, files and attributes of an encoder; whether its code may run is for each entry to say:
    `HubModel.checked`.

    With an offline client it is the snapshot in this node's cache that is resolved.

    Raises:
        HubProblem: it cannot be had, or is no sentence encoder.
    """
    from huggingface_hub import HfApi, is_offline_mode

    from qre.encoders.cached import cached_model

    if not REPOSITORY.fullmatch(repository):
        raise HubProblem(repository, "bad name")
    if is_offline_mode():
        return cached_model(repository, revision)
    info = retried(
        repository,
        lambda: _understood(repository, lambda: HfApi().model_info(repository, revision=revision, files_metadata=True)),
    )
    commit = info.sha or ""
    if not COMMIT.fullmatch(commit):
        raise HubProblem(repository, "hub error", "its answer names no commit")
    if info.disabled:
        raise HubProblem(repository, "disabled")
    if info.gated:  # its metadata is public; whether we have access, only asking tells
        retried(repository, lambda: HfApi().auth_check(info.id))
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    tags = {*(info.tags or ()), *([info.pipeline_tag] if info.pipeline_tag else [])}
    return described(
        info.id, commit, sizes, lambda file: _content(info.id, commit, file, sizes[file]), card_attributes(info), tags
    )


def described(
    repository: str,
    revision: str,
    sizes: dict[str, int],
    read: Callable[[str], bytes],
    attributes: dict,
    tags: Iterable[str] = (),
) -> HubModel:
    """The model that files make, wherever they are read.

    Args:
        sizes: bytes of every file.
        read: the content of a file.

    Raises:
        HubProblem: no sentence encoder, or not safely loaded.
    """
    try:
        found = examine(sizes, read, frozenset(tags))
    except Unfit as problem:
        raise HubProblem(repository, problem.reason, problem.detail) from None
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
    )


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
            last = min(ATTEMPTS, REACHING) if problem.reason == "unreachable" else ATTEMPTS
            if problem.reason not in ("rate limited", "hub error", "unreachable") or wait == NEVER or attempt >= last:
                raise problem from error
        time.sleep(wait if wait is not None else random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)))
    raise AssertionError("the last attempt returns or raises")


def _problem(repository: str, error: Exception) -> tuple[HubProblem | None, float | None]:
    """What an error of the hub client means, and for how many seconds the hub asks us to wait; None where it is not the
    hub's."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):  # before its parent, RepositoryNotFoundError
        return HubProblem(repository, "gated"), None
    response = error.response if isinstance(error, errors.HfHubHTTPError) else None
    status = response.status_code if response is not None else None
    if isinstance(error, errors.RepositoryNotFoundError):  # the hub answers a token that has expired so too
        return HubProblem(repository, "access refused" if status == 401 and token_is_refused() else "missing"), None
    if isinstance(error, errors.RevisionNotFoundError):
        return HubProblem(repository, "revision missing"), None
    if isinstance(error, errors.DisabledRepoError):
        return HubProblem(repository, "disabled"), None
    if isinstance(error, errors.HFValidationError):
        return HubProblem(repository, "bad name"), None
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubProblem(repository, "offline"), None
    if response is not None and status is not None:
        if status == 429:
            asked = response.headers.get("Retry-After", "")
            return HubProblem(repository, "rate limited"), min(float(asked), LONGEST_WAIT) if asked.replace(
                ".", "", 1
            ).isdigit() else None
        if status in (401, 403, 407):
            return HubProblem(repository, "access refused", f"status {status}"), None
        # the hub says of what it does not have that it has it not: any other refusal is not its word
        return HubProblem(repository, "hub error", f"status {status}"), None if status >= 500 else NEVER
    if place_error(error) is not None:  # the disk of this machine, not the hub
        return None, None
    if why := _unreached(error):
        return HubProblem(repository, "unreachable", why), None
    if isinstance(error, (OSError, ConnectionError, TimeoutError)) or type(error).__module__.split(".")[0] in (
        "httpx2",
        "httpcore2",
    ):
        return HubProblem(repository, "hub error", type(error).__name__), None
    return None, None


def _reach() -> None:
    """One request that the hub answers with anything at all."""
    from huggingface_hub import constants, get_session, is_offline_mode

    if not is_offline_mode():
        get_session().head(constants.ENDPOINT, timeout=REACH_SECONDS)


def unreached() -> str:
    """Why the hub does not answer at all; "" where it does. Takes a few seconds at most."""
    try:
        _reach()
    except Exception as error:  # of whichever library lies below
        from huggingface_hub import constants

        if type(error).__name__ in ("UnsupportedProtocol", "InvalidURL", "LocalProtocolError"):
            return f"HF_ENDPOINT is {printable(constants.ENDPOINT)!r}, which is no address; it begins with https://"
        return _unreached(error) or f"{type(error).__name__}: {printable(str(error), 200)}"
    return ""


def _unreached(error: BaseException) -> str:
    """Why no connection to the hub was made: its host, and what is to be looked at; "" for another error."""
    from huggingface_hub import constants

    host = urlsplit(constants.ENDPOINT).hostname or constants.ENDPOINT
    names = {type(one).__name__ for one in chain(error)}
    text = " ".join(str(one) for one in chain(error))
    if "ProxyError" in names:
        return f"the proxy before {host} does not answer"
    if not names & {"ConnectError", "ConnectTimeout", "gaierror", "ConnectionRefusedError"}:
        return ""
    if re.search("CERTIFICATE_VERIFY_FAILED|SSL", text):
        return f"{host} shows a certificate that is not trusted here"
    refuses = "refuses the connection" if "refused" in text else "is not found"
    return f"{host} {'does not answer' if 'ConnectTimeout' in names else refuses} (no network?)"


def token_is_refused() -> bool:
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


def _understood(repository: str, request: Callable[[], T]) -> T:
    """The answer of a request; one that is no answer of a hub (a page of a proxy, say) is a HubProblem."""
    from huggingface_hub.errors import HFValidationError

    try:
        return request()
    except HFValidationError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HubProblem(repository, "hub error", f"what answered is not the hub: {type(error).__name__}") from None


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
