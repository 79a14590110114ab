"""Who carries out jobs, and which: the process that has the one partition of `webhooks.jobs` in the group `replays`.

That is the lock. It is in doubt while polls are late (`runtime/membership.py`), and then nothing is written. A process that was
paused may still have a record on its way when another has taken over; see decision 0023 for why that leaves no gap.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from hookline.core.jobs import Asked, ShownState
from hookline.processors.job_run import Following, Ground, JobRun, is_held, is_nobodys
from hookline.runtime.log import Commit, KafkaRecord, Position, Reader, TopicPartition
from hookline.schemas.records import Job, Wanted

_log = logging.getLogger("hookline.replay")
_LOOK_EVERY_S = 0.2
_SHOW_EVERY_S = 1.0
# Each replay has a consumer with up to 4 MiB read ahead, and all share one core with the writing.
RUNNING_MAX = 8
_MARGIN_S = 2.0  # of the drain, for those that did not come to rest in time


class Jobs(Following, Protocol):
    """The live view, as the role needs it."""

    def jobs(self) -> Sequence[Asked]: ...


class Replays:
    """A `Handler` of `webhooks.jobs` that carries out all jobs while it has the partition. What it reads there the view has, too."""

    def __init__(
        self,
        *,
        view: Jobs,
        ground: Callable[[Callable[[], bool]], Ground],
        drain_s: float,
        running_max: int = RUNNING_MAX,
    ) -> None:
        self._view = view
        self._ground = ground(self.is_member)
        self._drain_s = drain_s
        self._running_max = running_max
        self._reader: Reader | None = None
        self._holds = False
        self._tenure = 0  # how often it was given the partition
        self._takes = asyncio.Event()  # also not while it is about to give the partition up
        self._running: dict[str, tuple[JobRun, asyncio.Task[None]]] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def read_by(self, reader: Reader) -> None:
        """Name the reader that takes this handler's wishes."""
        self._reader = reader

    def is_member(self) -> bool:
        """Whether the partition is surely ours."""
        return self._holds and self._reader is not None and self._reader.is_member()

    def running(self) -> Sequence[JobRun]:
        """The jobs that are being carried out."""
        return [run for run, _ in self._running.values()]

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
        tasks = {task for _, task in self._running.values()}
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
        for _, task in self._running.values():
            task.cancel()

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
        if not self.is_member():
            return
        for job in self._next():
            run = JobRun(job, self._ground)
            task = asyncio.create_task(run.run())
            self._running[job.job_id] = (run, task)
            task.add_done_callback(partial(self._ended, job.job_id))

    def _next(self) -> Iterator[Job]:
        """Those to begin now: what only has to be ended at once, the rest as there is room."""
        waiting = [each.job for each in self._view.jobs() if not each.is_over and each.job.job_id not in self._running]
        yield from [each for each in waiting if self._is_to_end(each)]
        ready = [each for each in waiting if not self._is_to_end(each) and self._may_run(each)]
        while ready and len(self._running) < self._running_max:
            chosen = min(ready, key=self._turn)
            yield chosen
            ready = [each for each in ready if each.subscription_id != chosen.subscription_id]

    def _turn(self, job: Job) -> tuple[int, int, str]:
        """In order of creation; but an account that has few running comes before one that has many."""
        of_accounts = Counter(run.job.account_id for run in self.running())
        return of_accounts[job.account_id], job.created_at_ms, job.job_id

    def _is_to_end(self, job: Job) -> bool:
        asked = self._view.job(job.job_id)
        return (asked is not None and asked.wanted is Wanted.CANCEL) or is_nobodys(job, self._view)

    def _may_run(self, job: Job) -> bool:
        """One at a time for a subscription. One that waits for somebody holds up no other."""
        asked = self._view.job(job.job_id)
        is_busy = any(run.job.subscription_id == job.subscription_id for run in self.running())
        if is_busy or asked is None or asked.wanted is not Wanted.RUN:
            return False
        return not is_held(job, self._view, now_ms=self._ground.clock.now_ms())

    def _ended(self, job_id: str, task: "asyncio.Task[None]") -> None:
        self._running.pop(job_id, None)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    # -- what is shown --------------------------------------------------------------------------------------------------

    async def show_forever(self) -> None:
        """Keep the metrics, until cancelled. Who does not have the jobs shows none."""
        metrics = self._ground.metrics
        while True:
            ours = self._view.jobs() if self._holds else ()
            states = Counter(each.shown for each in ours if not each.is_over)
            for state in (ShownState.WAITING, ShownState.RUNNING, ShownState.PAUSED):
                metrics.replay_jobs.labels(state.value).set(states[state])
            rooms = [run.room for run in self.running() if run.room is not None]
            await asyncio.gather(*(each.look() for each in rooms))
            metrics.replay_ahead.set(max((room.ahead for room in rooms), default=0))
            await asyncio.sleep(_SHOW_EVERY_S)
