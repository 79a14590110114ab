"""What the API asks the history store, and the rows it gets back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hookline.core.progress import State
from hookline.schemas.records import AuditEntry, Outcome, Place

Cursor = tuple[int, str]  # the time and id of the last row of a page; the next page begins behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries are listed; None: any. `since_ms <= first_at_ms < until_ms`. `response_code` is the last request's."""

    status: Literal["succeeded", "failed"] | None = None
    state: State | None = None
    event_type: str | None = None
    response_code: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which attempts are listed; None: any. `since_ms <= when it began < until_ms`."""

    status: Literal["delivered", "failed"] | None = None
    event_type: str | None = None
    response_code: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None


ANY_DELIVERY = DeliveryFilter()
ANY_LOG = LogFilter()

# An entry holds a webhook before and after, so a thousand of them were 120 MB, and held up every other request for seconds.
AUDIT_CHARACTERS_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """What became of one delivery so far: its furthest run and attempt.

    `status` is the contract's word: `failed` until an attempt succeeded. `delivered_at_ms` is None unless it succeeded,
    `next_attempt_at_ms` unless a retry is due. `state` says it finer: a `core.progress.State`. `first_at_ms` is when its
    earliest record began: lists are in its order. `origin` is where the first record of `run` lies, and `job_id` is of the job
    that asked for this run; None: no job did.
    """

    delivery_id: str
    subscription_id: str
    event_id: str
    event_type: str
    status: Literal["succeeded", "failed"]
    response_code: int | None
    attempts: int
    first_at_ms: int
    delivered_at_ms: int | None
    last_attempt_at_ms: int | None
    next_attempt_at_ms: int | None
    is_test: bool
    state: str
    run: int
    origin: Place
    job_id: str | None = None

    @property
    def cursor(self) -> Cursor:
        """What the next page of a list begins behind."""
        return self.first_at_ms, self.delivery_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One attempt. `at_ms` is when its answer came (or when it was given up); `error` is None if it was delivered."""

    attempt_id: str
    delivery_id: str
    event_type: str
    status: Literal["delivered", "failed"]
    attempt: int
    response_code: int | None
    response_time_ms: int
    at_ms: int
    error: str | None
    detail: str | None
    job_id: str | None = None

    @property
    def cursor(self) -> Cursor:
        """What the next page of a list begins behind."""
        return self.at_ms - self.response_time_ms, self.attempt_id


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One record of a delivery: an attempt, or why none was made. `response_body` is at most the first 4 KiB.

    Headers are texts `name: value`. `job_id`: the job that asked for its run.
    """

    attempt_id: str
    run: int
    attempt: int
    outcome: Outcome
    started_at_ms: int
    duration_ms: int
    response_code: int | None
    response_body: bytes
    error: str | None
    detail: str | None
    next_attempt_at_ms: int | None
    job_id: str | None = None
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDelivery:
    """A delivery with all of its records, the oldest first."""

    delivery: DeliveryRow
    steps: Sequence[StepRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Requests that began in one stretch of time, from `at_ms` on."""

    at_ms: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Requests of a webhook or an account, tests left out, in whole hours from `since_ms` to `until_ms`.

    `errors` counts the failed ones by error; answers by their first digit (`status_5xx`). Response times are those of requests
    that were answered, None if none was; they come from buckets and are at most 19 % off. `volume` leaves out stretches
    without a request.
    """

    since_ms: int
    until_ms: int
    succeeded: int
    failed: int
    errors: Mapping[str, int]
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    volume: Sequence[Volume]


class History(Protocol):
    """Answers what became of deliveries, and who changed what. NotYet when the store does not answer now.

    What is another account's, or what no row can hold, is not found. A list holds at most 1,001 rows, the newest first;
    `before` is the cursor of the last row of the page before.
    """

    async def deliveries(
        self,
        *,
        account_id: str,
        subscription_id: str,
        limit: int,
        where: DeliveryFilter = ANY_DELIVERY,
        before: Cursor | None = None,
    ) -> Sequence[DeliveryRow]:
        """The subscription's deliveries."""
        ...

    async def logs(
        self,
        *,
        account_id: str,
        subscription_id: str,
        limit: int,
        where: LogFilter = ANY_LOG,
        before: Cursor | None = None,
    ) -> Sequence[LogRow]:
        """The subscription's attempts: requests that were made."""
        ...

    async def delivery(self, *, account_id: str, delivery_id: str) -> WholeDelivery | None:
        """One delivery with everything that is on record of it."""
        ...

    async def event(self, *, account_id: str, event_id: str) -> Sequence[DeliveryRow]:
        """The deliveries of one event, one for each subscription that it went to."""
        ...

    async def stats(
        self, *, account_id: str, subscription_id: str | None, since_ms: int, until_ms: int, step_ms: int
    ) -> Stats:
        """Numbers of one subscription's requests, or of all of the account's; `step_ms` (whole hours) is a stretch of `volume`."""
        ...

    async def audit(
        self, *, account_id: str | None, subject: str | None, before: Cursor | None, limit: int
    ) -> Sequence[AuditEntry]:
        """Audit entries: of one account ("": of the installation) or of all, and of one subject or of all.

        The list ends with the entry with which it has `AUDIT_CHARACTERS_MAX` (`is_full`), if it has not ended before.
        """
        ...


def is_full(entries: Sequence[AuditEntry]) -> bool:
    """Whether these entries are as much as is listed at once."""
    return sum(map(characters, entries)) >= AUDIT_CHARACTERS_MAX


def characters(entry: AuditEntry) -> int:
    """How much there is to show of it."""
    return len(entry.before or "") + len(entry.after or "")
