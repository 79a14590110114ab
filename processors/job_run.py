"""One job carried out, until it is over or has to wait: step by step, at its rate, and never far ahead of the dispatchers."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from hookline.core.jobs import summed
from hookline.core.metering import Meter, batch_size
from hookline.processors.composer import Outgoing
from hookline.processors.job_steps import Step, Steps
from hookline.processors.job_view import Following, is_held, is_nobodys, is_shut_out, is_unasked
from hookline.processors.job_work import Begun
from hookline.processors.replay_room import Room
from hookline.processors.settling import Goals
from hookline.runtime.clock import Clock
from hookline.runtime.log import Writer, Written, persisted
from hookline.runtime.metrics import Metrics
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet, TooLarge
from hookline.schemas.records import Job, JobKind, JobState, Subscription, Wanted
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.replay")
_LOOK_EVERY_S = 0.1  # how soon a wish is heeded while something is waited for
_SAVE_EVERY_S = 1.0  # so a kill repeats what was sent in a second
_AGAIN_S = 0.5
_APPLIED_S = 5.0
_DELETED = "Its webhook was deleted."


class Told(Enum):
    """What a job is to do now."""

    GO = auto()
    WAIT = auto()  # its customer paused it, or its subscription gets nothing now
    CANCEL = auto()  # its customer cancelled it, or there is nobody left to send to
    BEGIN_AGAIN = auto()  # its subscription wants other events by now
    STOP = auto()  # another process will go on, or others are to have its place


class Work(Protocol):
    """What a kind of job needs to begin, and its steps (`hookline.processors.job_work.JobWork`)."""

    async def begun(self, job: Job, subscription: Subscription, goals: Goals) -> Begun:
        """The job with where it begins and ends; NotYet. `goals` keeps what is fixed of it."""
        ...

    def steps(self, begun: Begun, subscription: Subscription, *, size: Callable[[], int]) -> Steps:
        """Its steps from where it is."""
        ...

    def room(self, job: Job) -> Room | None:
        """The bound on what is on its way; None: none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all jobs of a process share. `is_member`: whether jobs are surely still ours. `passed` waits for the configuration."""

    topics: Topics
    codec: Codec
    writer: Writer
    view: Following
    work: Work
    is_member: Callable[[], bool]
    passed: Callable[[], Awaitable[None]]
    metrics: Metrics
    clock: Clock


class JobRun:
    """Carries a job out from where its record says. Cancelling `run` ends it at once, and nothing more is written.

    `goals` are those of the run before it, if that gave way before it had looked at anything.
    """

    def __init__(self, job: Job, ground: Ground, goals: Goals | None = None) -> None:
        self._job = self._saved = self._at_first = job
        self._goals = Goals() if goals is None else goals
        self._ground = ground
        self._view = ground.view
        self._clock = ground.clock
        self._meter = Meter()
        self._stopping = asyncio.Event()
        self._left_as: JobState | None = None  # as it is
        self._saved_s = float("-inf")
        self._refused = 0
        self._has_sent = False
        self._subscription: Subscription | None = None
        self.room: Room | None = None
        self.awaits: str | None = None  # what it waits for now

    @property
    def job(self) -> Job:
        """How far it is, as the broker has acknowledged."""
        return self._counted()

    def stop(self) -> None:
        """Come to rest after the step that is being written; its progress is saved."""
        self._stopping.set()

    def give_way(self) -> None:
        """Come to rest for the sake of others: it waits for its turn again."""
        self._left_as = JobState.WAITING
        self.stop()

    @property
    def goals_left(self) -> Goals | None:
        """What it still waited for when it gave way to others; None if it did not, is over, or has looked at something."""
        has_looked = self._job.looked_at > self._at_first.looked_at
        gave_way = self._left_as is JobState.WAITING and self._job.finished_at_ms is None
        return self._goals if gave_way and not has_looked else None

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to come to rest."""
        return self._stopping.is_set()

    async def run(self) -> None:
        """Until the job is over, waits for somebody, or was told to stop."""
        try:
            await self._run()
        except Exception as error:  # noqa: BLE001 - a bug that one job meets must not stop the others
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
            _log.error("job.broke", extra={"job_id": self._job.job_id, "error": type(error).__name__, "where": where})
            await self._end(JobState.FAILED, detail=f"It met an error of ours ({type(error).__name__}).")

    async def _run(self) -> None:
        await self._ground.passed()
        self._subscription = self._view.subscription(self._job.subscription_id)
        told = self._told_to_send()
        if told is Told.GO and self._subscription is not None:
            told = await self._carried_out(self._subscription)
        match told:
            case Told.GO:
                await self._end(JobState.DONE)
            case Told.CANCEL:
                await self._end(JobState.CANCELLED, detail=self._why_cancelled())
            case Told.WAIT:
                await self._save(state=JobState.WAITING)
            case Told.BEGIN_AGAIN | Told.STOP:
                await self._save(state=self._left_as)

    async def _carried_out(self, subscription: Subscription) -> Told:
        """What ended it: GO if nothing is left to do."""
        begun = await self._insisted(lambda: self._ground.work.begun(self._job, subscription, self._goals))
        if isinstance(begun, Told):
            return begun
        self._job = replace(begun.job, state=JobState.RUNNING)
        await self._save()
        _log.info("job.started", extra=self._line())
        self.room = self._ground.work.room(self._job)
        while True:
            steps = self._ground.work.steps(begun._replace(job=self._counted()), subscription, size=self._size)
            self._job, self._refused = self._counted(), 0
            try:
                async with aclosing(steps):
                    return await self._stepped(steps)
            except NotYet as error:
                told = await self._waited(str(error))
                if told is not Told.GO:
                    return told

    async def _stepped(self, steps: Steps) -> Told:
        async for step in steps:
            told = await self._turn(len(step.writes))
            if told is not Told.GO:
                return told
            await self._written(step)
            self._job = step.after
            await self._save_when_due()
            self._has_sent = self._has_sent or bool(step.writes)
        return self._told_at_the_end()

    async def _turn(self, count: int) -> Told:
        """Wait until so many more may be written; or until there is something else to do."""
        while True:
            told = self._told_to_send() if count else self._told()
            if told is not Told.GO:
                return told
            wait_s = await self._in_the_way_s(count)
            if not wait_s:
                self.awaits = None
                if count:
                    self._meter.took(count, rate=self._rate(), now_s=self._clock.monotonic_s())
                return Told.GO
            await self._rest(min(wait_s, _LOOK_EVERY_S))
            await self._save_when_due()

    async def _in_the_way_s(self, count: int) -> float:
        """For how long to wait before another look; 0 if nothing is in the way."""
        if not self._ground.is_member():
            self.awaits = "membership"
            return _LOOK_EVERY_S
        if not count:
            return 0.0
        if wait_s := self._meter.wait_s(self._clock.monotonic_s()):
            self.awaits = "rate"
            return wait_s
        if self.room is not None and not await self.room.has_room(count):
            self.awaits = "dispatchers"
            return _LOOK_EVERY_S
        return 0.0

    async def _written(self, step: Step) -> None:
        """All of it, in order, and acknowledged. What no topic takes for its size is counted as lost."""
        futures = [self._ground.writer.write(each.topic, key=each.key, value=each.value) for each in step.writes]
        answers = await asyncio.gather(*futures, return_exceptions=True)
        for outgoing, answer in zip(step.writes, answers, strict=True):
            match answer:
                case Written():
                    self._note(answer)
                case NotYet():
                    await self._written_again(outgoing)
                case TooLarge():
                    self._refused += 1
                case BaseException():
                    raise answer
        if step.writes:
            self._ground.metrics.replay_deliveries.labels(self._job.kind.value).inc(len(step.writes))

    async def _written_again(self, outgoing: Outgoing) -> None:
        topic, key, value = outgoing
        count = self._ground.metrics.write_retries.labels(topic).inc
        count()
        try:
            written = await persisted(self._ground.writer, topic, key=key, value=value, on_retry=lambda _topic: count())
        except TooLarge:
            self._refused += 1
        else:
            self._note(written)

    def _note(self, written: Written) -> None:
        if self.room is not None:
            self.room.wrote(written)

    # -- what is wanted of it -------------------------------------------------------------------------------------------

    def _told(self) -> Told:
        if self._stopping.is_set():
            return Told.STOP
        asked = self._view.job(self._job.job_id)
        if asked is None or asked.wanted is Wanted.CANCEL or is_nobodys(self._job, self._view):
            return Told.CANCEL
        if asked.wanted is Wanted.PAUSE or is_held(self._job, self._view):
            return Told.WAIT
        now = self._view.subscription(self._job.subscription_id)
        began = self._subscription
        if now is not None and began is not None and now.events != began.events:
            return Told.BEGIN_AGAIN
        return Told.GO

    def _told_to_send(self) -> Told:
        """What it is to do now that something is to be sent. Who only looks need not wait for an endpoint that is away."""
        told = self._told()
        return Told.WAIT if told is Told.GO and self._is_away() else told

    def _is_away(self) -> bool:
        """An endpoint that is away is asked for two seconds in a minute, and to get ready may take longer.

        So whatever is ready first goes whenever a probe may.
        """
        is_in_the_way = is_unasked if self._has_sent else is_shut_out
        return is_in_the_way(self._job, self._view, now_ms=self._clock.now_ms())

    def _told_at_the_end(self) -> Told:
        """All is written: only who cancelled it meanwhile is still heeded."""
        return Told.CANCEL if self._told() is Told.CANCEL else Told.GO

    def _why_cancelled(self) -> str | None:
        """What to say of it; None to who cancelled it."""
        asked = self._view.job(self._job.job_id)
        is_wanted = asked is not None and asked.wanted is Wanted.CANCEL
        return None if is_wanted or not is_nobodys(self._job, self._view) else _DELETED

    def _rate(self) -> int:
        if self._job.kind is JobKind.CANCEL_RETRIES:
            return 1_000_000  # records of ours, and no request
        asked = self._view.job(self._job.job_id)
        return self._job.rate if asked is None else asked.rate

    def _size(self) -> int:
        return batch_size(self._rate())

    async def _waited(self, error: str) -> Told:
        """Something is away: what to do after a while."""
        if self.awaits != error:
            _log.warning("job.awaited", extra={"job_id": self._job.job_id, "error": error})
        self.awaits = error
        await self._rest(_AGAIN_S)
        await self._save_when_due()
        return self._told()

    async def _insisted(self, ask: Callable[[], Awaitable[Begun]]) -> Begun | Told:
        """The answer, however long who is asked takes or is away; or what else there is to do by then."""
        while True:
            self.awaits = "what is on its way"
            try:
                return await self._answered(ask)
            except NotYet as error:
                told = await self._waited(str(error))
            if told is not Told.GO:
                return told

    async def _answered(self, ask: Callable[[], Awaitable[Begun]]) -> Begun | Told:
        asking = asyncio.ensure_future(ask())
        try:
            while not asking.done():
                await asyncio.wait({asking}, timeout=_LOOK_EVERY_S)
                if (told := self._told()) is not Told.GO:
                    return told
            return asking.result()
        finally:
            asking.cancel()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    # -- its record -----------------------------------------------------------------------------------------------------

    def _counted(self) -> Job:
        return replace(self._job, sent=self._job.sent - self._refused, lost=self._job.lost + self._refused)

    async def _save_when_due(self) -> None:
        if self._clock.monotonic_s() - self._saved_s >= _SAVE_EVERY_S and self._counted() != self._saved:
            await self._save()

    async def _end(self, state: JobState, *, detail: str | None = None) -> None:
        job = self._job
        kept = () if state is JobState.DONE else summed(job.positions)  # nobody goes on from there, and all keep it
        self._job = replace(job, positions=kept, finished_at_ms=self._clock.now_ms(), detail=detail or job.detail)
        await self._save(state=state)
        _log.info("job.ended", extra=self._line() | {"state": state.value})

    async def _save(self, *, state: JobState | None = None) -> None:
        """Put on record how far it is. Everything before that is acknowledged, so whenever the record comes it leaves no gap."""
        while not self._ground.is_member():  # noqa: ASYNC110 - polls that are late are no event
            await asyncio.sleep(_LOOK_EVERY_S)  # it is another's by now, and we are about to hear of it
        if state is not None:
            self._job = replace(self._job, state=state)
        self._saved = self._counted()
        record = replace(self._saved, at_ms=self._clock.now_ms())
        topic, key = self._ground.topics.jobs, record.job_id.encode()
        written = await persisted(self._ground.writer, topic, key=key, value=self._ground.codec.encode(record))
        self._saved_s = self._clock.monotonic_s()
        while True:
            try:
                await self._view.wait_applied(topic, written.offset, timeout_s=_APPLIED_S)
            except NotYet:
                continue
            return

    def _line(self) -> dict[str, object]:
        job = self._job
        return {
            "job_id": job.job_id,
            "account_id": job.account_id,
            "subscription_id": job.subscription_id,
            "kind": job.kind.value,
            "looked_at": job.looked_at,
            "sent": job.sent,
            "left_out": job.left_out,
            "lost": job.lost,
        }
