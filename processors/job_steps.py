"""What a job writes, step by step, and how far it is after each step. Whoever carries it out decides when the next may go.

A step's `after` counts only once the broker has all that the step writes: then a job that is begun again from it leaves no gap.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar

from hookline.core.ids import delivery_id
from hookline.core.jobs import next_run
from hookline.core.rendering import Renderer
from hookline.core.resending import Known, needs_sending, replayed
from hookline.core.sieve import Sieve
from hookline.processors.composer import Outgoing
from hookline.runtime.clock import Clock
from hookline.runtime.event_log import Picked, Stretch
from hookline.runtime.history_reach import Recorded
from hookline.runtime.log import KafkaRecord
from hookline.runtime.recovery_rows import States
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Event, Job, JobPosition, Subscription
from hookline.schemas.topics import Topics

T = TypeVar("T")
# How many records they were is only for operators: what was removed is of all accounts, and what can't be read of any type.
REMOVED = "Part of the log was removed before it was read."
UNREADABLE = "Records that name your account could not be read, and were passed over."


class Step(NamedTuple):
    """What to write next, all to one subscription, and how far the job is then."""

    writes: Sequence[Outgoing]
    after: Job


Steps = AsyncGenerator[Step, None]


class Reading(Protocol[T]):
    """A reading of the log (`hookline.runtime.event_log.LogReading`)."""

    @property
    def is_done(self) -> bool:
        """Whether every partition has been read to its end."""
        ...

    async def next(self) -> Sequence[Stretch[T]]:
        """What comes next; nothing if none came within a fifth of a second."""
        ...


class Log(Protocol):
    """The log of events (`hookline.runtime.event_log.EventLog`)."""

    async def bounds(self, topics: Sequence[str], *, since_ms: int, until_ms: int) -> Sequence[JobPosition]:
        """The stretch of each partition where records of this time lie; NotYet."""
        ...

    def reading(
        self, positions: Sequence[JobPosition], pick: Callable[[KafkaRecord], T | None]
    ) -> AbstractAsyncContextManager[Reading[T]]:
        """Read these stretches."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What deliveries are made with. `config_offset` says what the live view has applied now."""

    codec: Codec
    renderer: Renderer
    topics: Topics
    clock: Clock
    config_offset: Callable[[], int]
    body_bytes_max: int


class Replay:
    """The events of the log that a subscription wants and never got. `size` says how many deliveries go together now."""

    def __init__(
        self,
        *,
        log: Log,
        states: States,
        recorded: Recorded,
        is_cancelled: Callable[[str], bool],
        rendering: Rendering,
        subscription: Subscription,
        size: Callable[[], int],
        on_read: Callable[[int, int, int], None],
    ) -> None:
        self._log = log
        self._states = states
        self._recorded = recorded
        self._is_cancelled = is_cancelled
        self._rendering = rendering
        self._subscription = subscription
        self._size = size
        self._on_read = on_read

    async def steps(self, job: Job) -> Steps:
        """From where the job is. A step without writes may come at any time, so that whoever waits can look about. NotYet."""
        if not job.everything:
            await self._recorded()  # before a reading is opened in vain
        sieve = sieve_of(self._rendering.codec, self._subscription, job)
        async with self._log.reading(
            job.positions, lambda record: sieve.picked(record.timestamp_ms, record.value)
        ) as log:
            while not log.is_done:
                async for step in self._steps_of(job, await log.next()):
                    yield step
                    job = step.after

    async def _steps_of(self, job: Job, stretches: Sequence[Stretch[Event]]) -> Steps:
        if not stretches:
            yield Step((), job)
            return
        runs = await self._runs(job, stretches)
        self._note_read(stretches)
        for stretch in stretches:
            async for step in self._stretch_steps(job, stretch, runs):
                yield step
                job = step.after

    async def _runs(self, job: Job, stretches: Sequence[Stretch[Event]]) -> Mapping[str, int]:
        """The ids of deliveries that are to be sent, each with its run: the newest of all that history knows of it."""
        ids = [self._id(each.value) for stretch in stretches for each in stretch.picked]
        if not ids or job.everything:
            return dict.fromkeys(ids, job.run)
        of = self._subscription
        await self._recorded()
        found = await self._states.states(
            account_id=of.account_id, subscription_id=of.subscription_id, delivery_ids=ids
        )
        await self._recorded()  # what was emptied meanwhile answered that nothing was ever sent
        of_ids = ((each, found.get(each)) for each in ids)
        return {each: _run(job, known) for each, known in of_ids if self._is_needed(job, known)}

    def _is_needed(self, job: Job, known: Known | None) -> bool:
        """What this job has sent already, before it was killed, is left out whatever became of it since."""
        is_sent = known is not None and known.job_id == job.job_id
        return not is_sent and needs_sending(
            known, self._subscription, everything=False, is_cancelled=self._is_cancelled
        )

    async def _stretch_steps(self, job: Job, stretch: Stretch[Event], runs: Mapping[str, int]) -> Steps:
        """Progress within a stretch is the place behind the last event that was decided on."""
        job = _told(job, stretch)  # with the first step: what goes on within the stretch finds nothing of it any more
        before, writes, size = job, list[Outgoing](), self._size()
        for picked in stretch.picked:
            run = runs.get(self._id(picked.value))
            outgoing = None if run is None else self._outgoing(job, picked.value, run)
            if outgoing is not None:
                writes.append(outgoing)
            elif run is None:
                job = replace(job, left_out=job.left_out + 1)
            else:
                job = replace(job, lost=job.lost + 1)
            if len(writes) >= size:
                job = _behind(replace(job, sent=job.sent + len(writes)), before, stretch, picked)
                yield Step(writes, job)
                writes, size = [], self._size()
        job = replace(job, sent=job.sent + len(writes), looked_at=before.looked_at + stretch.looked_at)
        yield Step(writes, _at(job, stretch, stretch.position))

    def _note_read(self, stretches: Sequence[Stretch[Event]]) -> None:
        sums = (sum(each) for each in zip(*((of.looked_at, of.unreadable, of.lost) for of in stretches), strict=True))
        self._on_read(*sums)

    def _outgoing(self, job: Job, event: Event, run: int) -> Outgoing | None:
        """None if its body can't be made, or is over the limit."""
        made = self._rendering
        try:
            body = made.renderer.render(event)
        except ContractError:
            return None
        if len(body) > made.body_bytes_max:
            return None
        delivery = replayed(
            event,
            self._subscription,
            body=body,
            run=run,
            config_offset=made.config_offset(),
            now_ms=made.clock.now_ms(),
            job_id=job.job_id,
        )
        return Outgoing(made.topics.replays, delivery.subscription_id.encode(), made.codec.encode(delivery))

    def _id(self, event: Event) -> str:
        return delivery_id(event.account_id, event.event_id, self._subscription.subscription_id)


def sieve_of(codec: Codec, subscription: Subscription, job: Job) -> Sieve:
    """What picks the events that the job is about."""
    return Sieve(
        codec,
        account_id=subscription.account_id,
        subscribed=subscription.events,
        events=job.events,
        since_ms=job.since_ms,
        until_ms=job.until_ms,
    )


def _run(job: Job, known: Known | None) -> int:
    """The run of what history knows this of: the job's, unless a later one was asked for, maybe by a clock that is ahead of ours."""
    return job.run if known is None else next_run(job.run, last=known.run)


def _told(job: Job, stretch: Stretch[Event]) -> Job:
    """The job with what its customer is to know of the stretch, once."""
    known = job.detail or ""
    found = ((REMOVED, stretch.lost), (UNREADABLE, stretch.unreadable))
    news = [sentence for sentence, records in found if records and sentence not in known]
    return replace(job, detail=" ".join(filter(None, [known, *news])) or None)


def _behind(job: Job, before: Job, stretch: Stretch[Event], picked: Picked[Event]) -> Job:
    return _at(replace(job, looked_at=before.looked_at + picked.number), stretch, picked.offset + 1)


def _at(job: Job, stretch: Stretch[Event], position: int) -> Job:
    places = [
        replace(each, position=position) if (each.topic, each.partition) == stretch.partition else each
        for each in job.positions
    ]
    return replace(job, positions=tuple(places))
