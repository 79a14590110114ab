"""How far a delivery has come: what all of its records say together, in whatever order and however often they came.

What is kept of them is a maximum, a minimum or a set, so to join them is the same in any order, and twice is once.
"""

from enum import StrEnum
from typing import NamedTuple

from hookline.schemas.records import Attempt, Outcome

STEPS_MAX = 1_000  # of one delivery, the newest: 7 attempts a run, and runs are asked for one by one
_REQUESTS = frozenset({Outcome.SUCCEEDED, Outcome.FAILED})
# Of records with the same run and attempt number: a postponement comes before the request, an end without one after it.
_RANK = {Outcome.POSTPONED: 0, Outcome.FAILED: 1, Outcome.CANCELLED: 2, Outcome.EXPIRED: 2, Outcome.SUCCEEDED: 3}


class State(StrEnum):
    """What became of a delivery so far."""

    RETRYING = "retrying"
    POSTPONED = "postponed"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUCCEEDED = "succeeded"


class Step(NamedTuple):
    """What tells one record of a delivery from its others. `is_request`: a request was made, or tried."""

    at_ms: int
    run: int
    attempt: int
    is_request: bool


class Origin(NamedTuple):
    """Where the furthest run's first record lies, which holds the body; `job_id` is of the job that asked for it ("": none).

    The furthest run is the newest, so it is kept for longest; of two copies of its first record (a repeat after a crash) the
    later one is.
    """

    run: int
    in_replays: bool
    partition: int
    offset: int
    job_id: str


class Furthest(NamedTuple):
    """The record that says most, by run, grade (1: a success), attempt, rank and time. `next_attempt_at_ms` 0: none.

    Within a run a success is the furthest there is: when a crash forked a delivery, one of its two ways may go on failing.
    """

    run: int
    grade: int
    attempt: int
    rank: int
    at_ms: int
    outcome: str
    next_attempt_at_ms: int


class LastRequest(NamedTuple):
    """The request of the furthest run that says most; all 0 if that run has none. `response_code` 0: no answer."""

    run: int
    grade: int
    attempt: int
    ended_at_ms: int
    response_code: int


class Requests(NamedTuple):
    """How many requests the furthest run has made."""

    run: int
    made: int


class Progress(NamedTuple):
    """How far a delivery has come. `first_at_ms`: when its earliest known record began. `steps`: its records, the oldest first.

    `is_delivered`: in any of its runs. Its state is the furthest run's all the same, for that was asked for last: what is sent
    again although it was delivered may be cancelled, but it needs no recovery.
    """

    first_at_ms: int
    origin: Origin
    furthest: Furthest
    request: LastRequest
    requests: Requests
    steps: tuple[Step, ...]
    is_delivered: bool

    @property
    def state(self) -> State:
        """What became of it."""
        return state_of(self.furthest.outcome, self.furthest.next_attempt_at_ms)


def state_of(outcome: str, next_attempt_at_ms: int | None) -> State:
    """What became of a delivery whose furthest record says this; 0 or None: no attempt follows."""
    if outcome == Outcome.FAILED:
        return State.RETRYING if next_attempt_at_ms else State.EXHAUSTED
    return State(outcome)


def is_request(attempt: Attempt) -> bool:
    """Whether a request was made, or tried."""
    return attempt.outcome in _REQUESTS


def step(attempt: Attempt) -> Step:
    """What tells this record from the others of its delivery."""
    return Step(attempt.started_at_ms, attempt.run, attempt.attempt, attempt.outcome in _REQUESTS)


def progress(attempt: Attempt) -> Progress:
    """What one record alone says of its delivery."""
    run, number, at_ms, outcome = attempt.run, attempt.attempt, attempt.started_at_ms, attempt.outcome
    grade = 1 if outcome is Outcome.SUCCEEDED else 0
    asked = outcome in _REQUESTS
    if asked:
        request = LastRequest(run, grade, number, at_ms + attempt.duration_ms, attempt.response_code or 0)
    else:
        request = LastRequest(run, 0, 0, 0, 0)
    return Progress(
        at_ms,
        _origin(attempt),
        Furthest(run, grade, number, _RANK[outcome], at_ms, outcome.value, attempt.next_attempt_at_ms or 0),
        request,
        Requests(run, number if asked else 0),
        (Step(at_ms, run, number, asked),),
        grade == 1,
    )


def joined(one: Progress, other: Progress) -> Progress:
    """What both say together."""
    return Progress(
        min(one.first_at_ms, other.first_at_ms),
        max(one.origin, other.origin),
        max(one.furthest, other.furthest),
        max(one.request, other.request),
        max(one.requests, other.requests),
        tuple(sorted({*one.steps, *other.steps})[-STEPS_MAX:]),
        one.is_delivered or other.is_delivered,
    )


def _origin(attempt: Attempt) -> Origin:
    place = attempt.origin
    return Origin(attempt.run, place.in_replays, place.partition, place.offset, attempt.job_id or "")
