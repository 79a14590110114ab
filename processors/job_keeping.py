"""Jobs that are long over leave `webhooks.jobs`, and so do wishes of jobs that are gone."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from hookline.core.jobs import Asked
from hookline.runtime.clock import Clock
from hookline.runtime.log import Writer, persisted
from hookline.schemas.records import JobWish, wish_key

_KEPT_MS = 30 * 86_400_000  # as long as the history store keeps what a job sent
_EVERY_S = 600.0
_FIRST_S = 5.0


class Listed(Protocol):
    """The live view, as far as jobs are kept."""

    def jobs(self) -> Sequence[Asked]: ...

    def job(self, job_id: str) -> Asked | None: ...

    def wishes(self) -> Iterable[JobWish]: ...

    def cannot_read(self, record_id: str) -> bool: ...


def outdated(view: Listed, *, now_ms: int) -> Iterator[bytes]:
    """The keys of what is to go; nothing of a job whose last record is a newer release's, and can't be read."""
    for job, wish in view.jobs():
        is_long_over = job.finished_at_ms is not None and job.finished_at_ms < now_ms - _KEPT_MS
        if is_long_over and not view.cannot_read(job.job_id):
            yield job.job_id.encode()
            if wish is not None:
                yield wish_key(job.job_id)
    # A wish follows its job in the one partition that both lie in: without a job, the job has gone.
    for each in view.wishes():
        if view.job(each.job_id) is None and not view.cannot_read(each.job_id):
            yield wish_key(each.job_id)


async def keep_jobs(
    view: Listed, writer: Writer, topic: str, *, is_member: Callable[[], bool], clock: Clock, every_s: float = _EVERY_S
) -> None:
    """Remove them, until cancelled; only who has the jobs does."""
    await asyncio.sleep(min(_FIRST_S, every_s))
    while True:
        for key in list(outdated(view, now_ms=clock.now_ms())):
            if is_member():
                await persisted(writer, topic, key=key, value=None)
        await asyncio.sleep(every_s)
