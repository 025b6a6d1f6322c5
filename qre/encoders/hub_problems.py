"""Why the hub does not give an encoder: asked again where that can help, and said with what to do about it."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from qre.encoders.remedies import REMEDY as FILES_REMEDY
from qre.errors import EncoderError, chain, place_error

T = TypeVar("T")


REACH_SECONDS = 5.0  # for an answer, whatever it is


REACHING = 3  # attempts of a request that finds no hub at all


ATTEMPTS = 6  # of one request that the hub's load or the network failed


NEVER = -1.0  # in the place of a pause: asked again, the hub would answer the same


# seconds; doubled each time, with full jitter so that many nodes do not come back together
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0


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
    "base missing",
    "remote code",
    "second repository",
    "unknown module",
    "not native",
    "wrong code_revision",
    "pickle only",
    "unsafe pickle",
    "no weights",
    "broken weights",
    "not sentence-transformers",
    "no pooling",
    "encoder-decoder",
    "git lfs",
    "broken config",
]


# of this place or this hour, not of the encoder
TRANSIENT: frozenset[str] = frozenset({"offline", "access refused", "unreachable", "rate limited", "hub error"})


# the hub does not give us what it gave once: what it said then still holds
WITHHELD = TRANSIENT | {"gated", "missing", "revision missing", "disabled"}


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
        modules: what it is made of, such as "Transformer+Pooling", where its files were seen; else "".
    """

    def __init__(self, repository: str, reason: str, detail: str = "", remedy: str = "", modules: str = ""):
        self.repository, self.reason, self.detail, self.modules = repository, reason, detail, modules
        self.remedy = remedy or REMEDY[reason]
        if reason == "unreachable":
            told = f"cannot reach the hub: {detail}; {REMEDY[reason]}"
        else:
            told = f"{printable(repository)}: {reason}{f' ({detail})' if detail else ''}; {self.remedy}"
        super().__init__(told)

    @property
    def transient(self) -> bool:
        return self.reason in TRANSIENT

    def __reduce__(self):
        return type(self), (self.repository, self.reason, self.detail, self.remedy, self.modules)


def printable(name: str, longest: int = 120) -> str:
    """A name from a stranger on one short line."""
    line = "".join(c if c.isprintable() else "�" for c in name)
    return line if len(line) <= longest else line[: longest - 1] + "…"


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


def reach() -> None:
    """One request that the hub answers with anything at all."""
    from huggingface_hub import constants, get_session, is_offline_mode

    if not is_offline_mode():
        get_session().head(constants.ENDPOINT, timeout=REACH_SECONDS)


def unreached() -> str:
    """Why the hub does not answer at all; "" where it does. Takes a few seconds at most."""
    try:
        reach()
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
