"""The kinds of jobs, each with what it needs to begin and its steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from hookline.processors.job_list_steps import CancelRetries, Kept, Lists, Recover
from hookline.processors.job_steps import Log, Rendering, Replay, Steps, sieve_of
from hookline.processors.replay_room import Committed, Room
from hookline.processors.settling import Goals
from hookline.runtime.history_reach import Recorded
from hookline.runtime.log import TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.recovery_rows import States
from hookline.schemas.records import Job, JobKind, JobPosition, Subscription


class History(States, Lists, Protocol):
    """What jobs ask the history store."""


class Settles(Protocol):
    """Waits for what is on its way to a subscription (`hookline.processors.settling.Settling`)."""

    async def settled(
        self, subscription_id: str, positions: Sequence[JobPosition], lanes: dict[TopicPartition, int]
    ) -> None:
        """Return when fan-out and dispatchers are past it; NotYet. `lanes` keeps what is fixed of it."""
        ...

    async def recording(self, subscription_id: str) -> Recorded:
        """What says whether history has what is on record now; NotYet."""
        ...


class Begun(NamedTuple):
    """A job with where it begins and ends, and what says whether history has what was on record then."""

    job: Job
    recorded: Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWork:
    """Begins jobs and makes their steps. `settling` waits until what is on its way to a subscription is on record.

    `is_cancelled` says of a job's id whether the job was cancelled.
    """

    log: Log
    history: History
    is_cancelled: Callable[[str], bool]
    kept: Kept
    settling: Settles
    committed: Committed
    rendering: Rendering
    metrics: Metrics

    async def begun(self, job: Job, subscription: Subscription, goals: Goals) -> Begun:
        """The job with the stretches of the log that it is about, fixed once. NotYet. What it waits for is kept in `goals`."""
        if job.kind is not JobKind.REPLAY:
            return Begun(job, _asks_nothing)
        if not job.positions:
            job = await self._bounded(job, subscription, goals)
        if job.everything:
            return Begun(job, _asks_nothing)
        if goals.recorded is None:
            goals.recorded = await self.settling.recording(job.subscription_id)
        return Begun(job, goals.recorded)

    async def _bounded(self, job: Job, subscription: Subscription, goals: Goals) -> Job:
        topics = sieve_of(self.rendering.codec, subscription, job).topics(self.rendering.topics)
        if topics != goals.topics:  # also if its webhook wants other events by now
            goals.aim(topics, await self.log.bounds(topics, since_ms=job.since_ms, until_ms=job.until_ms))
        if not job.everything:
            await self.settling.settled(job.subscription_id, goals.positions, goals.lanes)
        return replace(job, positions=tuple(goals.positions))

    def steps(self, begun: Begun, subscription: Subscription, *, size: Callable[[], int]) -> Steps:
        """Its steps from where it is."""
        job = begun.job
        match job.kind:
            case JobKind.REPLAY:
                replaying = Replay(
                    log=self.log,
                    states=self.history,
                    recorded=begun.recorded,
                    is_cancelled=self.is_cancelled,
                    rendering=self.rendering,
                    subscription=subscription,
                    size=size,
                    on_read=self._note_read,
                )
                return replaying.steps(job)
            case JobKind.RECOVER:
                recovering = Recover(
                    lists=self.history,
                    kept=self.kept,
                    rendering=self.rendering,
                    subscription=subscription,
                    size=size,
                )
                return recovering.steps(job)
            case JobKind.CANCEL_RETRIES:
                return CancelRetries(lists=self.history, rendering=self.rendering, subscription=subscription).steps(job)

    def _note_read(self, looked_at: int, unreadable: int, lost: int) -> None:
        self.metrics.replay_events.inc(looked_at)
        self.metrics.replay_unreadable.inc(unreadable)
        self.metrics.replay_removed.inc(lost)

    def room(self, job: Job) -> Room | None:
        """The bound on what is on its way; None for records that no dispatcher reads."""
        return None if job.kind is JobKind.CANCEL_RETRIES else Room(self.committed, clock=self.rendering.clock)


async def _asks_nothing() -> None:
    """Of jobs that history leaves nothing out of."""
