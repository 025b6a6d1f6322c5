"""Following a job: its log, each line once, over dropped connections, until it has ended or the cluster has gone."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.dashboard.modules.job.pydantic_models import JobDetails
    from ray.job_submission import JobSubmissionClient

PAUSE_SECONDS = 1.0
LOOK_SECONDS = 5.0  # without a line of the log, after which the job's state is asked for
ANSWER_SECONDS = 8.0  # for one answer
QUIET_SECONDS = 60.0  # without a line, after which the connection is made anew: a dead one says nothing either
GONE_SECONDS = 15.0  # in which nobody listens any more: the head is dead, or the way to it
SILENT_SECONDS = 15.0  # without an answer, after which people are told; a head that is busy answers late
LOST_SECONDS = 300.0  # without an answer, after which following ends


class LostJob(Exception):
    """The cluster does not answer any more, or does not know the job; the job may go on."""


def follow(client: JobSubmissionClient, job: str) -> JobDetails:
    """Print a job's log until it has ended; returns how it ended.

    Raises:
        LostJob: nobody listens for GONE_SECONDS, no answer for LOST_SECONDS, or the job is not known any more.
        KeyboardInterrupt: the job goes on.
    """
    return asyncio.run(_Follower(client, job).run())


class _Follower:
    """Attributes: shown: characters of the log; heard: the last answer; refused: since when nobody listens; told: that
    there is no answer."""

    def __init__(self, client: JobSubmissionClient, job: str):
        self._client, self._job = client, job
        self._shown, self._heard = 0, time.monotonic()
        self._refused: float | None = None
        self._told = False

    async def run(self) -> JobDetails:
        while True:
            log: Any = self._client.tail_job_logs(self._job)  # a generator, which Ray annotates as an iterator
            async with contextlib.aclosing(log):
                await self._print(log)
            info = await self._asked()
            if info is not None and info.status.is_terminal():
                with contextlib.suppress(OSError, RuntimeError):  # the node that has the log may be gone
                    print(self._client.get_job_logs(self._job)[self._shown :], end="", flush=True)
                return info
            await asyncio.sleep(PAUSE_SECONDS)

    async def _print(self, log: AsyncIterator[str]) -> None:
        """What one connection brings, until it ends, is quiet for too long, or the job or the cluster has ended."""
        position, since = 0, time.monotonic()  # each connection begins with the beginning of the log
        while True:
            piece = asyncio.ensure_future(_next(log))
            try:
                while not (await asyncio.wait({piece}, timeout=LOOK_SECONDS))[0]:
                    info = await self._asked()
                    if info is None or info.status.is_terminal() or time.monotonic() - since > QUIET_SECONDS:
                        return
            finally:
                if not piece.done():
                    piece.cancel()
                    await asyncio.wait({piece})
            if not (text := piece.result()):
                return
            self._answered()
            since = time.monotonic()
            print(text[max(0, self._shown - position) :], end="", flush=True)
            position += len(text)
            self._shown = max(self._shown, position)

    async def _asked(self) -> JobDetails | None:
        """The state of the job; None where there is no answer now."""
        from ray.dashboard.modules.job.pydantic_models import JobDetails
        from ray.exceptions import AuthenticationError

        try:
            answer = await asyncio.to_thread(
                self._client._do_request, "GET", f"/api/jobs/{self._job}", timeout=ANSWER_SECONDS
            )
            if answer.status_code == 404:
                raise LostJob(f"the cluster does not know the job any more: {answer.text[:100]}")
            if answer.status_code != 200:
                raise RuntimeError(f"status code {answer.status_code}")
            info = JobDetails(**answer.json())
        except (OSError, RuntimeError, ValueError, AuthenticationError) as error:
            self._missed(error)
            return None
        self._answered()
        return info

    def _answered(self) -> None:
        if self._told:
            print("the cluster answers again", file=sys.stderr, flush=True)
        self._heard, self._refused, self._told = time.monotonic(), None, False

    def _missed(self, error: Exception) -> None:
        now = time.monotonic()
        self._refused = (self._refused or now) if "refused" in str(error) else None
        if self._refused is not None and now - self._refused > GONE_SECONDS:
            raise LostJob(
                f"nobody answers at {self._client.get_address()} any more: the cluster's head has gone, or the way to "
                f"it"
            )
        if now - self._heard > LOST_SECONDS:
            raise LostJob(f"no answer of the cluster for {LOST_SECONDS:.0f} s: {str(error)[:200]}")
        if now - self._heard > SILENT_SECONDS and not self._told:
            self._told = True
            print(
                f"no answer of the cluster for {now - self._heard:.0f} s; trying for {LOST_SECONDS:.0f} s (Ctrl-C "
                f"leaves the job alone; "
                f"later: qre submit --follow {self._job} --address {self._client.get_address()}; or, where the head "
                f"has gone, qre submit CONFIG goes on)",
                file=sys.stderr,
                flush=True,
            )


async def _next(log: AsyncIterator[str]) -> str | None:
    """The next piece of a log; None where the log, or the connection, has ended."""
    import aiohttp

    try:
        return await anext(log)
    except (StopAsyncIteration, asyncio.TimeoutError, aiohttp.ClientError, OSError, RuntimeError):
        return None
