"""From jobs and what was counted to the bodies of answers."""

import math
from typing import Any

from hookline.api.answers import timestamp
from hookline.api.recovery_bodies import JobShown, Progress, ReplayCounted
from hookline.api.requests import without_nulls
from hookline.api.responses import CatchUp, ReplayBody, ReplayCall
from hookline.core.jobs import Asked
from hookline.core.resending import Counted
from hookline.schemas.records import Job, JobKind

_SECOND_MS = 1_000


def job_shown(asked: Asked) -> JobShown:
    """One job, as far as it is now."""
    job = asked.job
    return JobShown(
        id=job.job_id,
        webhook_id=job.subscription_id,
        kind=job.kind.value,
        state=asked.shown,
        until=timestamp(job.until_ms),
        rate=asked.rate,
        created_at=timestamp(job.created_at_ms),
        progress=Progress(
            share=round(asked.share_done, 4),
            looked_at=_looked_at(job),
            sent=job.sent,
            left_out=job.left_out,
            lost=job.lost,
        ),
        **_of_its_kind(job),
        **_of_its_end(job),
    )


def counted(found: Counted, *, rate: int) -> ReplayCounted:
    """What was counted, and how long it takes to send it. The log is everybody's: of it only the account's own is told."""
    return ReplayCounted(
        looked_at=found.wanted + found.left_out,
        wanted=found.wanted,
        left_out=found.left_out,
        unreadable=found.unreadable,
        by_type=dict(found.by_type),
        is_whole=found.is_whole,
        takes_s=math.ceil(found.wanted / rate),
    )


def catch_up(subscription_id: str, *, since_ms: int, now_ms: int) -> CatchUp:
    """What to ask for, for a webhook that has missed everything since then. Whole seconds around all of it."""
    since_ms = since_ms // _SECOND_MS * _SECOND_MS
    until_ms = max(-(-now_ms // _SECOND_MS) * _SECOND_MS, since_ms + _SECOND_MS)
    since, until = timestamp(since_ms), timestamp(until_ms)
    path = f"/webhooks/{subscription_id}/replay"
    call = ReplayCall(method="POST", path=path, body=ReplayBody(since=since, until=until))
    return CatchUp(since=since, until=until, replay=call)


def _looked_at(job: Job) -> int:
    """Of a replay what was the webhook's: how many events the log has of others is theirs."""
    return job.sent + job.left_out if job.kind is JobKind.REPLAY else job.looked_at


def _of_its_kind(job: Job) -> dict[str, Any]:
    """What means something for a job of this kind."""
    since = {} if job.kind is JobKind.CANCEL_RETRIES else {"since": timestamp(job.since_ms)}
    if job.kind is not JobKind.REPLAY:
        return since
    return {**since, "everything": job.everything, **({"events": job.events} if job.events else {})}


def _of_its_end(job: Job) -> dict[str, Any]:
    finished_at = None if job.finished_at_ms is None else timestamp(job.finished_at_ms)
    return dict(without_nulls({"finished_at": finished_at, "detail": job.detail}))
