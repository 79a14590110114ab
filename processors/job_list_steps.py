"""Steps of the jobs that go through lists of the history store: deliveries that failed, and those that are tried no more."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from hookline.core.cancelling import CalledOff, surely_called_off
from hookline.core.jobs import next_run
from hookline.core.matching import wants
from hookline.core.outcomes import cancelled
from hookline.core.resending import resent
from hookline.processors.composer import Outgoing
from hookline.processors.job_steps import Rendering, Step, Steps
from hookline.runtime.history_questions import Cursor, DeliveryRow
from hookline.runtime.kept import KeptDelivery
from hookline.runtime.recovery_rows import FailedPage, PendingRow
from hookline.schemas.records import Job, Place, Subscription

# Bodies that are read side by side, of at most 1 MiB each.
_AT_ONCE = 20
_PENDING_AT_ONCE = 500


class Lists(Protocol):
    """Lists of the history store (`hookline.runtime.history_recovery.HistoryRecovery`)."""

    async def failed(
        self, *, account_id: str, subscription_id: str, since_ms: int, until_ms: int, after: Cursor | None
    ) -> FailedPage:
        """Deliveries that failed for good, the oldest first; NotYet."""
        ...

    async def pending(
        self, *, account_id: str, subscription_id: str, until_ms: int, before: Cursor | None, limit: int
    ) -> Sequence[PendingRow]:
        """Deliveries that are still to be tried, the newest first; NotYet."""
        ...


class Kept(Protocol):
    """Deliveries that Kafka still has (`hookline.runtime.kept.KeptDeliveries`)."""

    async def delivery(self, place: Place, *, account_id: str, delivery_id: str) -> KeptDelivery | None:
        """The delivery at this place; None if it is not there any more. NotYet."""
        ...


class Recover:
    """Deliveries that failed for good, once more. `size` says how many go together now."""

    def __init__(
        self, *, lists: Lists, kept: Kept, rendering: Rendering, subscription: Subscription, size: Callable[[], int]
    ) -> None:
        self._lists = lists
        self._kept = kept
        self._rendering = rendering
        self._subscription = subscription
        self._size = size

    async def steps(self, job: Job) -> Steps:
        """From where the job is."""
        of, after = self._subscription, _cursor(job.cursor)
        while True:
            page = await self._lists.failed(
                account_id=of.account_id,
                subscription_id=of.subscription_id,
                since_ms=job.since_ms,
                until_ms=job.until_ms,
                after=after,
            )
            looked_at = job.looked_at + page.walked
            rows = list(page.rows)
            while rows:
                size = min(self._size(), _AT_ONCE)
                step = await self._step(job, rows[:size])
                yield step
                job, rows = step.after, rows[size:]
            job = replace(job, looked_at=looked_at)
            if page.last is None:
                yield Step((), job)
                return
            after = page.last
            job = replace(job, cursor=_written(after))
            yield Step((), job)

    async def _step(self, job: Job, rows: Sequence[DeliveryRow]) -> Step:
        wanted = [each for each in rows if self._is_wanted(job, each)]
        found = await asyncio.gather(*(self._outgoing(job, each) for each in wanted))
        writes = [each for each in found if each is not None]
        after = replace(
            job,
            cursor=_written(rows[-1].cursor),
            sent=job.sent + len(writes),
            left_out=job.left_out + len(rows) - len(wanted),
            lost=job.lost + len(wanted) - len(writes),
        )
        return Step(writes, after)

    def _is_wanted(self, job: Job, row: DeliveryRow) -> bool:
        """A test was for its moment. What this job has sent already, before it was killed, has failed again since."""
        is_asked_for = not job.events or wants(job.events, row.event_type)
        return is_asked_for and not row.is_test and row.job_id != job.job_id

    async def _outgoing(self, job: Job, row: DeliveryRow) -> Outgoing | None:
        kept = await self._kept.delivery(row.origin, account_id=job.account_id, delivery_id=row.delivery_id)
        if kept is None:
            return None
        made = self._rendering
        delivery = resent(
            kept.delivery,
            run=next_run(job.run, last=row.run),  # which may bear a time that our clock has not reached yet
            config_offset=made.config_offset(),
            now_ms=made.clock.now_ms(),
            job_id=job.job_id,
        )
        return Outgoing(made.topics.replays, delivery.subscription_id.encode(), made.codec.encode(delivery))


class CancelRetries:
    """Puts on record at once what dispatchers will do when a retry is due: it is cancelled."""

    def __init__(self, *, lists: Lists, rendering: Rendering, subscription: Subscription) -> None:
        self._lists = lists
        self._rendering = rendering
        self._subscription = subscription

    async def steps(self, job: Job) -> Steps:
        """From where the job is. What may be newer than the cancelling where clocks differ is left to the dispatchers."""
        of = self._subscription
        while True:
            rows = await self._lists.pending(
                account_id=of.account_id,
                subscription_id=of.subscription_id,
                until_ms=of.cancelled_before_ms,
                before=_cursor(job.cursor),
                limit=_PENDING_AT_ONCE,
            )
            if not rows:
                return
            ended = [each for each in rows if surely_called_off(of, run_began_ms=each.run_began_ms)]
            writes = [self._outgoing(each) for each in ended]
            job = replace(
                job,
                cursor=_written(rows[-1].delivery.cursor),
                looked_at=job.looked_at + len(rows),
                sent=job.sent + len(writes),
                left_out=job.left_out + len(rows) - len(writes),
            )
            yield Step(writes, job)

    def _outgoing(self, row: PendingRow) -> Outgoing:
        of, made = self._subscription, self._rendering
        record = cancelled(  # as the dispatcher writes it when it meets the delivery
            row.delivery,
            CalledOff.RETRIES,
            account_id=of.account_id,
            attempt=row.next_attempt,
            origin=row.delivery.origin,
            at_ms=of.cancelled_before_ms,
        )
        return Outgoing(made.topics.attempts, of.subscription_id.encode(), made.codec.encode(record))


def _written(cursor: Cursor) -> str:
    at_ms, delivery_id = cursor
    return f"{at_ms}:{delivery_id}"


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    at_ms, _, delivery_id = text.partition(":")
    return int(at_ms), delivery_id
