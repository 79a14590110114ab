"""Jobs that are long over leave `webhooks.jobs`, so do those beyond the newest of their subscription or account, and wishes without a job."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from hookline.core.jobs import Asked
from hookline.runtime.clock import Clock
from hookline.runtime.log import Writer, persisted
from hookline.schemas.records import JobWish, wish_key

_KEPT_MS = 30 * 86_400_000  # as long as the history store keeps what a job sent
# How many that are over stay, whatever their age: every process has them in memory.
_KEPT_OF_SUBSCRIPTION = 50
_KEPT_OF_ACCOUNT = 1_000  # with those of subscriptions that are gone, of which it may make ever more
_EVERY_S = 600.0
_FIRST_S = 5.0


class Listed(Protocol):
    """The live view, as far as jobs are kept."""

    def jobs(self) -> Sequence[Asked]: ...

    def job(self, job_id: str) -> Asked | None: ...

    def wishes(self) -> Iterable[JobWish]: ...

    def cannot_read(self, record_id: str) -> bool: ...


def outdated(view: Listed, *, now_ms: int, sent_for_ms: int) -> Iterator[bytes]:
    """The keys of what is to go; nothing of a job whose last record is a newer release's, and can't be read.

    `sent_for_ms`: for how long after a job's end something that it sent may still be tried.
    """
    newer = Counter[str]()  # by subscription, and by account
    for each in reversed(view.jobs()):
        if not each.is_over or view.cannot_read(each.job.job_id):
            continue
        of, account = each.job.subscription_id, each.job.account_id
        are_many = newer[of] >= _KEPT_OF_SUBSCRIPTION or newer[account] >= _KEPT_OF_ACCOUNT
        if _is_old(each, now_ms=now_ms, kept_ms=_KEPT_MS) or (
            are_many and not _holds_back(each, now_ms=now_ms, sent_for_ms=sent_for_ms)
        ):
            yield from _keys(each)
        newer.update((of, account))
    # A wish follows its job in the one partition that both lie in: without a job, the job has gone.
    for wish in view.wishes():
        if view.job(wish.job_id) is None and not view.cannot_read(wish.job_id):
            yield wish_key(wish.job_id)


def _holds_back(asked: Asked, *, now_ms: int, sent_for_ms: int) -> bool:
    """Whether dispatchers may still meet what it sent, and must find that it is cancelled."""
    return asked.is_cancelled and asked.job.sent > 0 and not _is_old(asked, now_ms=now_ms, kept_ms=sent_for_ms)


def _is_old(asked: Asked, *, now_ms: int, kept_ms: int) -> bool:
    finished_at_ms = asked.job.finished_at_ms
    return finished_at_ms is not None and finished_at_ms < now_ms - kept_ms


def _keys(asked: Asked) -> Iterator[bytes]:
    yield asked.job.job_id.encode()
    if asked.wish is not None:
        yield wish_key(asked.job.job_id)


async def keep_jobs(
    view: Listed,
    writer: Writer,
    topic: str,
    *,
    is_member: Callable[[], bool],
    clock: Clock,
    sent_for_ms: int,
    every_s: float = _EVERY_S,
) -> None:
    """Remove them, until cancelled; only who has the jobs does."""
    await asyncio.sleep(min(_FIRST_S, every_s))
    while True:
        for key in list(outdated(view, now_ms=clock.now_ms(), sent_for_ms=sent_for_ms)):
            if is_member():
                await persisted(writer, topic, key=key, value=None)
        await asyncio.sleep(every_s)
