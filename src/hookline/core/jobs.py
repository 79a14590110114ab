"""Jobs of recovery: what they are, together with what their customers want of them."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from hookline.schemas.records import Job, JobPosition, JobState, JobWish, Wanted

RATE_MAX = 1_000  # deliveries a second; more is what live traffic is for
RATE_USUAL = 100
OPEN_MAX = 10  # of one subscription at a time: each goes through the log for itself
KEPT_MAX = 300  # of one subscription, with those that are over: every process has them in memory
_OVER = frozenset({JobState.DONE, JobState.CANCELLED, JobState.FAILED})


class ShownState(StrEnum):
    """How far a job is, as its customer sees it."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Asked(NamedTuple):
    """A job, and the last wish about it."""

    job: Job
    wish: JobWish | None

    @property
    def wanted(self) -> Wanted:
        """What it is to do."""
        return Wanted.RUN if self.wish is None else self.wish.wanted

    @property
    def rate(self) -> int:
        """Deliveries a second that it sends at most."""
        return self.job.rate if self.wish is None or self.wish.rate is None else self.wish.rate

    @property
    def is_over(self) -> bool:
        """Whether it has ended, so that nothing more comes of it."""
        return self.job.state in _OVER

    @property
    def is_cancelled(self) -> bool:
        """Whether nothing of it is to be sent any more, also of what is on its way.

        A job may come to its end while it is being cancelled: the customer has been told that it is cancelled, so it is.
        """
        return self.job.state is JobState.CANCELLED or self.wanted is Wanted.CANCEL

    @property
    def shown(self) -> ShownState:
        """How far it is; a wish counts from the moment it is confirmed."""
        if self.is_cancelled and self.job.state is not JobState.FAILED:
            return ShownState.CANCELLED
        is_held_up = self.wanted is Wanted.PAUSE and not self.is_over
        return ShownState.PAUSED if is_held_up else ShownState(self.job.state.value)

    @property
    def share_done(self) -> float:
        """How much of the log it has read, from 0 to 1. Of a job that goes through a list: 0 until it is done."""
        if self.job.state is JobState.DONE:
            return 1.0
        whole = sum(each.end - each.start for each in self.job.positions)
        done = sum(each.position - each.start for each in self.job.positions)
        return done / whole if whole else 0.0


class Jobs:
    """The last record of each job and of each wish; either may come before the other."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._wishes: dict[str, JobWish] = {}
        self._of: dict[str, dict[str, Job]] = {}  # by subscription
        self._open: dict[str, dict[str, Job]] = {}  # those of `_of` that are not over: few, and asked for often

    def put(self, record: Job | JobWish) -> None:
        """Add a job or a wish, or replace the one of this id."""
        match record:
            case Job():
                self._jobs[record.job_id] = record
                self._of.setdefault(record.subscription_id, {})[record.job_id] = record
                self._put_open(record)
            case JobWish():
                self._wishes[record.job_id] = record

    def remove(self, key: str) -> None:
        """Forget the job or the wish with this key; nothing happens if there is none."""
        job_id, slash, _ = key.partition("/")
        if slash:
            self._wishes.pop(job_id, None)
            return
        removed = self._jobs.pop(job_id, None)
        if removed is None:
            return
        _drop(self._of, removed)
        _drop(self._open, removed)

    def _put_open(self, job: Job) -> None:
        if job.state in _OVER:
            _drop(self._open, job)
        else:
            self._open.setdefault(job.subscription_id, {})[job.job_id] = job

    def job(self, job_id: str) -> Asked | None:
        found = self._jobs.get(job_id)
        return None if found is None else Asked(found, self._wishes.get(job_id))

    def is_cancelled(self, job_id: str) -> bool:
        """Whether nothing of this job is sent any more."""
        found = self.job(job_id)
        return found is not None and found.is_cancelled

    def jobs_of(self, subscription_id: str) -> Sequence[Asked]:
        """A subscription's jobs, in order of creation."""
        return self._in_order(self._of.get(subscription_id, {}).values())

    def jobs(self) -> Sequence[Asked]:
        """All jobs, in order of creation."""
        return self._in_order(self._jobs.values())

    def open_jobs_of(self, subscription_id: str) -> Sequence[Asked]:
        """A subscription's jobs that are not over, in order of creation; those that are cost nothing here."""
        return self._in_order(self._open.get(subscription_id, {}).values())

    def open_jobs(self) -> Sequence[Asked]:
        """All jobs that are not over, in order of creation; those that are cost nothing here."""
        return self._in_order(chain.from_iterable(each.values() for each in self._open.values()))

    def wishes(self) -> Iterator[JobWish]:
        """All wishes, also those of jobs that are gone."""
        return iter(self._wishes.values())

    def _in_order(self, jobs: Iterable[Job]) -> Sequence[Asked]:
        ordered = sorted(jobs, key=lambda each: (each.created_at_ms, each.job_id))
        return [Asked(each, self._wishes.get(each.job_id)) for each in ordered]


def summed(positions: Sequence[JobPosition]) -> tuple[JobPosition, ...]:
    """One position for all of them that says the same of how much has been read; of none: none."""
    if not positions:
        return ()
    whole = sum(each.end - each.start for each in positions)
    done = sum(each.position - each.start for each in positions)
    return (JobPosition(topic="", partition=0, start=0, position=done, end=whole),)


def next_run(now_ms: int, *, last: int = 0) -> int:
    """The run of what is sent again now: larger than any before it. Runs are told apart by the time they were asked for."""
    return max(now_ms, last + 1)


def _drop(jobs: dict[str, dict[str, Job]], gone: Job) -> None:
    left = jobs.get(gone.subscription_id, {})
    left.pop(gone.job_id, None)
    if not left:
        jobs.pop(gone.subscription_id, None)
