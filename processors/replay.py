"""Who carries out jobs, and which: the process that has the one partition of `webhooks.jobs` in the group `replays`.

That is the lock. It is in doubt while polls are late (`runtime/membership.py`), and then nothing is written. A process that was
paused may still have a record on its way when another has taken over; see decision 0023 for why that leaves no gap.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from typing import NamedTuple, Protocol, TypeVar

from hookline.core.jobs import Asked, ShownState
from hookline.processors.job_run import Ground, JobRun
from hookline.processors.job_view import Following, is_held, is_nobodys, is_unasked
from hookline.processors.settling import Goals
from hookline.runtime.log import Commit, KafkaRecord, Position, Reader, TopicPartition
from hookline.schemas.records import Job, JobKind, Wanted

T = TypeVar("T")
_log = logging.getLogger("hookline.replay")
_LOOK_EVERY_S = 0.2
_SHOW_EVERY_S = 1.0
# Each replay has a consumer with up to 4 MiB read ahead, and all share one core with the writing.
RUNNING_MAX = 8
SHORT_MAX = 8  # jobs that only put on record what is not sent, beside the others
# Who has as many places as another would get goes on for so long before it makes room; a road that is well settles in seconds.
TURN_S = 120.0
_REMEMBERED_MAX = 10_000  # accounts that had a place, the last ones; who had one before them is taken for new
_GOALS_MAX = 1_000  # replays that wait again for what they waited for before, of up to some hundred partitions each
_MARGIN_S = 2.0  # of the drain, for those that did not come to rest in time


class Jobs(Following, Protocol):
    """The live view, as the role needs it."""

    def open_jobs(self) -> Sequence[Asked]: ...


class _Place(NamedTuple):
    """A job that is being carried out."""

    run: JobRun
    task: "asyncio.Task[None]"
    since_s: float


class Replays:
    """A `Handler` of `webhooks.jobs` that carries out all jobs while it has the partition. What it reads there the view has, too."""

    def __init__(
        self,
        *,
        view: Jobs,
        ground: Callable[[Callable[[], bool]], Ground],
        drain_s: float,
        running_max: int = RUNNING_MAX,
        turn_s: float = TURN_S,
    ) -> None:
        self._view = view
        self._ground = ground(self.is_member)
        self._drain_s = drain_s
        self._running_max = running_max
        self._turn_s = turn_s
        self._reader: Reader | None = None
        self._holds = False
        self._tenure = 0  # how often it was given the partition
        self._takes = asyncio.Event()  # also not while it is about to give the partition up
        self._running: dict[str, _Place] = {}
        self._had_place_s: dict[str, float] = {}  # by account, when it last had one; the last ones last
        self._goals: dict[str, tuple[str, Goals]] = {}  # by subscription, of which job; the last ones last
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def read_by(self, reader: Reader) -> None:
        """Name the reader that takes this handler's wishes."""
        self._reader = reader

    def is_member(self) -> bool:
        """Whether the partition is surely ours."""
        return self._holds and self._reader is not None and self._reader.is_member()

    def running(self) -> Sequence[JobRun]:
        """The jobs that are being carried out."""
        return [each.run for each in self._running.values()]

    async def run(self) -> None:
        """Carry out jobs whenever they are ours to do, until cancelled."""
        looking = asyncio.ensure_future(self._look_forever())
        try:
            await asyncio.wait({looking, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            await (self._failed if self._failed.done() else looking)
        finally:
            looking.cancel()

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, _positions: Sequence[Position]) -> None:
        _log.info("replay.taken_over")
        self._holds = True
        self._tenure += 1
        self._goals.clear()  # another process may have sent something since
        self._takes.set()

    def received(self, records: Sequence[KafkaRecord]) -> None:
        if self._reader is not None:  # for the tools that show lag: reading begins anew with every process
            last = records[-1]
            self._reader.commit({TopicPartition(last.topic, last.partition): Commit(last.offset + 1)})

    async def revoking(self, _partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        """Let all come to rest with their progress on record, so that the next process repeats nothing."""
        self._takes.clear()
        for run in self.running():
            run.stop()
        tasks = {each.task for each in self._running.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, self._drain_s - _MARGIN_S))
        self._give_up()
        return {}

    def lost(self, _partitions: Sequence[TopicPartition]) -> None:
        self._give_up()

    def _give_up(self) -> None:
        """Another process has the jobs: end at once, and write nothing more."""
        self._holds = False
        self._takes.clear()
        for each in self._running.values():
            each.task.cancel()

    # -- which jobs run -------------------------------------------------------------------------------------------------

    async def _look_forever(self) -> None:
        while True:
            await self._takes.wait()
            tenure = self._tenure
            await self._ground.passed()  # what the process before us has put on record
            while self._takes.is_set() and tenure == self._tenure:
                self._look()
                await asyncio.sleep(_LOOK_EVERY_S)

    def _look(self) -> None:
        """Begin what only has to be ended at once, and the rest as there is room."""
        if not self.is_member():
            return
        open_jobs = self._view.open_jobs()
        self._forget_goals(open_jobs)
        waiting = [each.job for each in open_jobs if each.job.job_id not in self._running]
        for job in waiting:
            if self._is_to_end(job):
                self._begin(job)
        ready = [each for each in waiting if each.job_id not in self._running and self._may_run(each)]
        self._fill([each for each in ready if _is_short(each)], most=SHORT_MAX)
        left = self._fill([each for each in ready if not _is_short(each)], most=self._running_max)
        if left:
            self._make_room(min(left, key=self._turn))

    def _fill(self, ready: Sequence[Job], *, most: int) -> Sequence[Job]:
        """Begin them in turn, one of a subscription; those that there was no room for."""
        while ready and len(self._beside(ready[0])) < most:
            chosen = min(ready, key=self._turn)
            place = self._begin(chosen, self._goals_of(chosen))
            place.task.add_done_callback(partial(self._left, place.run))
            ready = [each for each in ready if each.subscription_id != chosen.subscription_id]
        return ready

    def _begin(self, job: Job, goals: Goals | None = None) -> _Place:
        run = JobRun(job, self._ground, goals)
        task = asyncio.create_task(run.run())
        place = self._running[job.job_id] = _Place(run, task, self._ground.clock.monotonic_s())
        task.add_done_callback(partial(self._ended, job))
        return place

    def _goals_of(self, job: Job) -> Goals | None:
        """What it waited for when it last gave way, unless another of its subscription began since: that may have sent something."""
        if _is_short(job):
            return None
        job_id, goals = self._goals.pop(job.subscription_id, ("", None))
        return goals if job_id == job.job_id else None

    def _forget_goals(self, open_jobs: Sequence[Asked]) -> None:
        """Those of jobs that are over or held up: whatever is sent meanwhile has to be waited for."""
        wanted = {each.job.job_id for each in open_jobs if each.wanted is Wanted.RUN}
        self._goals = {key: kept for key, kept in self._goals.items() if kept[0] in wanted}

    def _make_room(self, waiting: Job) -> None:
        """Let one give its place up, if its account has as many places as the one that waits would have with it, or more.

        So no account holds up another for longer than its turns, however many there are. Who gave a place up comes after all
        that have as many as it has then: nobody takes it back at once. It goes on later.
        """
        running = self._beside(waiting)
        if any(each.run.is_stopping for each in running):
            return  # one after the other: its place is for who waits
        of_accounts = Counter(each.run.job.account_id for each in running)
        enough, now_s = of_accounts[waiting.account_id] + 1, self._ground.clock.monotonic_s()
        rich = [each for each in running if of_accounts[each.run.job.account_id] >= enough]
        had_turn = [each for each in rich if now_s - each.since_s >= self._turn_s]
        if had_turn:
            longest = max(had_turn, key=lambda each: (of_accounts[each.run.job.account_id], -each.since_s))
            longest.run.give_way()

    def _beside(self, job: Job) -> Sequence[_Place]:
        """Those that run and take the same kind of place."""
        return [each for each in self._running.values() if _is_short(each.run.job) is _is_short(job)]

    def _turn(self, job: Job) -> tuple[int, float, int, str]:
        """An account that has few running comes before one that has many; of those that have as many, who waited for longer.

        That is whose last job has been over for longer. Those of one account go in order of creation.
        """
        account_id = job.account_id
        of_accounts = Counter(each.run.job.account_id for each in self._beside(job))
        return of_accounts[account_id], self._had_place_s.get(account_id, -inf), job.created_at_ms, job.job_id

    def _is_to_end(self, job: Job) -> bool:
        asked = self._view.job(job.job_id)
        return (asked is not None and asked.wanted is Wanted.CANCEL) or is_nobodys(job, self._view)

    def _may_run(self, job: Job) -> bool:
        """One at a time for a subscription, and a short one beside it. One that waits for somebody holds up no other."""
        asked = self._view.job(job.job_id)
        is_busy = any(each.run.job.subscription_id == job.subscription_id for each in self._beside(job))
        if is_busy or asked is None or asked.wanted is not Wanted.RUN:
            return False
        now_ms = self._ground.clock.now_ms()
        return not is_held(job, self._view) and not is_unasked(job, self._view, now_ms=now_ms)

    def _ended(self, job: Job, task: "asyncio.Task[None]") -> None:
        self._running.pop(job.job_id, None)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _left(self, run: JobRun, task: "asyncio.Task[None]") -> None:
        """It had a place, and has it no more. Who only had to be ended had none."""
        job = run.job
        if _is_short(job):
            return
        _note(self._had_place_s, job.account_id, self._ground.clock.monotonic_s(), most=_REMEMBERED_MAX)
        if (goals := run.goals_left) is not None and not task.cancelled():
            _note(self._goals, job.subscription_id, (job.job_id, goals), most=_GOALS_MAX)

    # -- what is shown --------------------------------------------------------------------------------------------------

    async def show_forever(self) -> None:
        """Keep the metrics, until cancelled. Who does not have the jobs shows none."""
        metrics = self._ground.metrics
        while True:
            states = Counter(each.shown for each in (self._view.open_jobs() if self._holds else ()))
            for state in (ShownState.WAITING, ShownState.RUNNING, ShownState.PAUSED):
                metrics.replay_jobs.labels(state.value).set(states[state])
            rooms = [run.room for run in self.running() if run.room is not None]
            await asyncio.gather(*(each.look() for each in rooms))
            metrics.replay_ahead.set(max((room.ahead for room in rooms), default=0))
            await asyncio.sleep(_SHOW_EVERY_S)


def _note(kept: dict[str, T], key: str, value: T, *, most: int) -> None:
    """Keep it as the last one, and no more than so many."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]


def _is_short(job: Job) -> bool:
    """Whether it only writes records of ours, and waits for no endpoint."""
    return job.kind is JobKind.CANCEL_RETRIES
