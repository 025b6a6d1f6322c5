"""A sweep as a job of a Ray cluster: submitted, followed, stopped.

The job is `qre sweep` on the cluster's head, in a copy of the working directory, with the Python of the cluster's
image. Nothing of the submitter's environment goes along, because all who see the dashboard can read what a job is
given: tokens of the hub and of buckets are the nodes' own.
"""

from __future__ import annotations

import math
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import ending
from jobs.config import SweepConfig, load_config
from jobs.config.reading import read_written
from jobs.submission.dashboard import CONNECT_SECONDS, connect, several_nodes
from jobs.submission.follow import LOST_SECONDS, PAUSE_SECONDS, LostJob, follow
from jobs.submission.upload import Upload, left_behind, prepare
from qre.errors import UserError
from qre.store import Store

if TYPE_CHECKING:
    from ray.dashboard.modules.job.pydantic_models import JobDetails
    from ray.job_submission import JobSubmissionClient

MARGIN_SECONDS = 20  # beyond the sweep's own grace period, before Ray kills a stopped job


def check_config(settings: SweepConfig) -> None:
    """What can be wrong with submitting a config on any cluster.

    Raises:
        UserError: naming the key and the fix.
    """
    if Store(settings.store).is_local and (
        "store" in settings.moved or not os.path.isabs(settings.store)
    ):  # refuses credentials in an address as well
        raise UserError(
            f"store: {settings.store} is written as a relative folder, and the job would lose it with its copy of the "
            f"working directory; "
            "name a bucket (s3:// or gs://), or an absolute folder that all nodes share"
        )
    if settings.on_end is not None and settings.on_end.url is not None:
        raise UserError(
            "on_end.url: the config is uploaded, and the address may hold a token: give url_env, a variable of the "
            "head's environment"
        )
    if settings.cluster.address not in (None, "auto"):
        raise UserError(
            f"cluster.address: {settings.cluster.address}: a submitted sweep runs on the cluster that it is submitted "
            f"to; leave it out"
        )


def check_store(settings: SweepConfig, client: JobSubmissionClient) -> None:
    """Refuse a folder of one machine as the store where there may be several.

    Raises:
        UserError: naming the fix.
    """
    if not Store(settings.store).is_local or settings.cluster.shared_store:
        return
    why = several_nodes(client)
    if why:
        raise UserError(
            f"store: {settings.store} is a folder, and {why}; name a bucket (s3:// or gs://), "
            "or say cluster.shared_store: true if every node sees the same folder there"
        )


def running(settings: SweepConfig, client: JobSubmissionClient) -> list[str]:
    """Submission ids of jobs of the same sweep that have not ended."""
    return [
        job.submission_id
        for job in client.list_jobs()
        if job.submission_id is not None
        and (job.metadata or {}).get("name") == settings.name
        and not job.status.is_terminal()
    ]


def submit(settings: SweepConfig, upload: Upload, client: JobSubmissionClient, options: Sequence[str]) -> str:
    """Upload, and start the job; returns its submission id, a fresh one each time.

    Args:
        options: of `qre sweep`.

    Raises:
        RuntimeError: the cluster refused it.
    """
    job = f"{settings.name}-{datetime.now(timezone.utc):%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
    command = ["python", "-m", "jobs.cli", "sweep", upload.config, "--no-export", *options]
    wait = (
        math.ceil(settings.cluster.grace_seconds + (settings.on_end.seconds if settings.on_end else 0)) + MARGIN_SECONDS
    )
    return client.submit_job(
        entrypoint=f"exec {shlex.join(command)}",  # no shell between Ray's SIGTERM and the sweep
        submission_id=job,
        entrypoint_num_cpus=0,  # a head runs drivers and may have no CPU for anything else
        runtime_env={
            "working_dir": upload.folder,
            "excludes": list(upload.excludes),
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(wait)},
        },
        metadata={"name": settings.name, "store": settings.store, "stop_seconds": str(wait)},
    )


def going_on(job: JobDetails, client: JobSubmissionClient) -> str:
    """The command that takes a sweep up again by another job, after the config and options of its first one."""
    _, _, words = (job.entrypoint or "").partition(" sweep ")
    options = [word for word in shlex.split(words) if word != "--no-export"]
    if "--owner" in options:  # `qre submit` adds it, and its value, by itself
        place = options.index("--owner")
        del options[place : place + 2]
    return f"go on:      qre submit {shlex.join(options) or 'CONFIG'} --address {client.get_address()}"


def how_to(job: str, client: JobSubmissionClient) -> str:
    """The commands on a job that runs, two lines."""
    rest = f"{job} --address {client.get_address()}"
    return f"follow it:  qre submit --follow {rest}\nstop it:    qre submit --stop {rest}"


def find(client: JobSubmissionClient, job: str) -> JobDetails:
    """What the cluster knows of a job.

    Raises:
        UserError: it knows no such job.
    """
    try:
        return client.get_job_info(job)
    except RuntimeError as error:
        raise UserError(f"{client.get_address()} knows no job {job!r} ({str(error)[:80]})") from None


def exit_code(info: JobDetails) -> int:
    """The exit code of a job's sweep, as if it had run here: its own, 128 + signal when stopped or killed, 1 where Ray
    could not run it."""
    if info.status == "STOPPED":
        return 128 + signal.SIGTERM
    if info.status == "SUCCEEDED":
        return 0
    code = info.driver_exit_code or 1
    return code if code > 0 else 128 - code


def stop(client: JobSubmissionClient, job: str) -> JobDetails:
    """Ask a job to stop, and wait until it has; encoders in flight have their grace period.

    Raises:
        UserError: no such job.
        LostJob: it did not stop in time.
    """
    info = find(client, job)
    seconds = float((info.metadata or {}).get("stop_seconds", LOST_SECONDS)) + CONNECT_SECONDS
    if not info.status.is_terminal():
        client.stop_job(job)
        print(f"stopping {job}: at most {seconds:.0f} s", file=sys.stderr)
    deadline = time.monotonic() + seconds
    while not info.status.is_terminal():
        if time.monotonic() > deadline:
            raise LostJob(f"job {job} has not stopped after {seconds:.0f} s")
        time.sleep(PAUSE_SECONDS)
        info = find(client, job)
    return info


def run(config: Path, address: str, working_dir: Path, wait: bool, options: Sequence[str] = ()) -> int:
    """Check, upload and start a sweep, and follow it; returns the exit code.

    Raises:
        UserError: before anything is uploaded.
    """
    settings = load_config(config)
    check_config(settings)
    if str(read_written(config).value["store"]).startswith("~"):
        raise UserError(f"store: ~ is {settings.store} here and another folder on the cluster; write the path out")
    upload = prepare(config, settings, working_dir)
    client = connect(address)
    check_store(settings, client)
    _tell(upload)
    try:
        if (others := running(settings, client)) and "--anyway" not in options:
            raise UserError(
                f"job {others[0]} of this sweep has not ended\n{how_to(others[0], client)}\nif it is dead or hangs, "
                f"say --anyway"
            )
        job = submit(settings, upload, client, options)
    except (RuntimeError, OSError) as error:
        print(f"qre: the cluster did not take the job: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    told = f"job {job} on {client.get_address()}\n{how_to(job, client)}"
    if wait:
        return _to_the_end(client, job, told)
    print(told)
    return 0


def _tell(upload: Upload) -> None:
    for kind, texts in (("note", upload.notes), ("warning", upload.warnings)):
        for text in texts:
            print(f"{kind}: {text}", file=sys.stderr)


def run_dry(config: Path, working_dir: Path) -> int:
    """Print what would be uploaded, and what stays here by which rule; asks no cluster and sends nothing."""
    settings = load_config(config)
    check_config(settings)
    upload = prepare(config, settings, working_dir)
    for name, size in sorted(upload.sizes.items()):
        print(f"{size:>12,}  {name}")
    print(f"{sum(upload.sizes.values()):>12,}  bytes in {len(upload.sizes)} files of {upload.folder}")
    for name, rule in left_behind(upload):
        print(f"  stays here  {name}  ({rule})")
    _tell(upload)
    print("nothing was sent (--dry-run)")
    return 0


def run_follow(address: str, job: str) -> int:
    """Follow a job that was submitted before; returns its exit code."""
    client = connect(address)
    return _to_the_end(client, job, f"job {job} on {client.get_address()}")


def run_stop(address: str, job: str) -> int:
    """Stop a job; returns 0 when it has ended."""
    try:
        info = stop(connect(address), job)
    except (LostJob, OSError, RuntimeError) as error:
        print(f"qre: {error}", file=sys.stderr)
        return 1
    kept = "; what is done is kept; submit it again to continue" if info.status == "STOPPED" else ""
    print(f"job {job}: {info.status.lower()}{kept}")
    return 0


def _to_the_end(client: JobSubmissionClient, job: str, told: str) -> int:
    again = going_on(find(client, job), client)
    try:
        print(told, flush=True)  # from here on people know of the job, and of what Ctrl-C does
        info = follow(client, job)
    except KeyboardInterrupt:
        ending.tell(f"\nthe job goes on\n{how_to(job, client)}")
        return 128 + (ending.asked() or signal.SIGINT)
    except LostJob as error:
        print(
            f"qre: {error}\n{how_to(job, client)}\n{again}  (where the job is lost; what is done is in the store, and "
            f"kept)",
            file=sys.stderr,
        )
        return 1
    if info.status == "FAILED" and info.driver_exit_code is None:  # Ray could not run it: the log has nothing of it
        print(f"qre: {info.message}", file=sys.stderr)
    return exit_code(info)
