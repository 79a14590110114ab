"""What travels on the topics, as frozen values. `codec.py` turns them into bytes and back.

Every record but `Event` has its Avro schema in `avro/<record name>/<version>.avsc`, field for field.
Times are milliseconds since the Unix epoch, UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact that a source system published: the envelope, and `data` as its type's schema has it.

    `data` holds `Decimal` for money and aware `datetime` for times; an absent optional field is absent or None.
    """

    event_id: str
    account_id: str
    type: str
    occurred_at: datetime
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer. Owns subscriptions and API keys; nothing crosses accounts. `version` grows by one with each change.

    `subscriptions_max` None: as many as the installation lets an account have. `checks_ownership`: an endpoint must agree
    before it is called. `signs_ed25519`: its deliveries bear a public-key signature as well. `erased_at_ms`: since then the
    history keeps nothing of its deliveries.
    """

    account_id: str
    name: str
    created_at_ms: int
    version: int = 1
    updated_at_ms: int = 0
    subscriptions_max: int | None = None
    checks_ownership: bool = False
    signs_ed25519: bool = False
    erased_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One API key of one account; of none ("") if it has the scope `admin`. Only the SHA-256 of its secret part is kept.

    `scopes` are separated by spaces.
    """

    key_id: str
    account_id: str
    secret_sha256: bytes
    created_at_ms: int
    name: str = ""
    scopes: str = "read write"
    expires_at_ms: int | None = None


class SubscriptionStatus(StrEnum):
    """What the customer asked for. What dispatchers judged (disabled) is kept apart, in endpoint-state."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """What is secret of a subscription, encrypted with AES-256-GCM; associated data: purpose, account id, subscription id."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What the public API calls a webhook. `version` grows by one with each change.

    `rate_limit` is in requests a second, `timeout_s` in seconds for one attempt; None: the installation's. What dispatchers
    judged of versions before `judged_from` counts no more. `next_secret` signs as well until `next_secret_from_ms`, and
    from then on alone. `uid` is the customer's own id for it, `metadata` a JSON object of theirs. `headers` (a JSON object
    of names and values) go with every request; `header_names` are theirs. A URL with a query is in `sealed_url`, and `url`
    shows it without. `asked` is a digest of the request that made it, if that bore an Idempotency-Key. Retries of deliveries
    made before `cancelled_before_ms`, and those of them that are postponed, are not tried any more (`core.cancelling`).
    """

    subscription_id: str
    account_id: str
    version: int
    url: str
    events: tuple[str, ...]
    description: str | None
    status: SubscriptionStatus
    secret: SealedSecret
    created_at_ms: int
    updated_at_ms: int
    rate_limit: int | None = None
    timeout_s: int | None = None
    judged_from: int = 1
    next_secret: SealedSecret | None = None
    next_secret_from_ms: int | None = None
    uid: str | None = None
    metadata: str | None = None
    headers: SealedSecret | None = None
    header_names: tuple[str, ...] = ()
    sealed_url: SealedSecret | None = None
    asked: SealedSecret | None = None
    cancelled_before_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealth:
    """What dispatchers judged of an endpoint, written when the judgement changes.

    It counts while `subscription_version` is at least the subscription's `judged_from`. `opened` is how often in a row the
    circuit breaker has opened (0: closed); while it is open, the next request may go at `probe_at_ms`.
    """

    subscription_id: str
    account_id: str
    subscription_version: int
    opened: int
    probe_at_ms: int | None
    failing_since_ms: int | None
    warnings: int
    at_ms: int


class DisablingReason(StrEnum):
    """Why a dispatcher disabled a subscription."""

    GONE = "gone"  # it answered 410
    FAILING = "failing"  # every attempt failed for `disable_after_s`


@dataclass(frozen=True, slots=True, kw_only=True)
class Disabling:
    """A dispatcher has disabled a subscription. It counts like an `EndpointHealth` does; its key is `disabling_key`."""

    subscription_id: str
    account_id: str
    subscription_version: int
    reason: DisablingReason
    at_ms: int


def disabling_key(subscription_id: str) -> bytes:
    """The key of a `Disabling`: not the subscription id alone, so that no judgement of health overwrites it."""
    return f"{subscription_id}/disabled".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a delivery's first record lies: in `webhooks.deliveries`, or if it is `in_replays`, in `webhooks.replays`."""

    partition: int
    offset: int
    in_replays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one subscription; the record asks for attempt number `attempt`.

    `body` is the JSON sent to the endpoint, rendered once, at fan-out. `config_offset` is the configuration the fan-out
    saw: a dispatcher whose view ends below it waits. `origin` is the place of the first record of this run, which holds the
    body; None in that record itself. `source_at_ms` is the source record's broker time. `job_id`: the job that asked for it.
    """

    delivery_id: str
    account_id: str
    subscription_id: str
    event_id: str
    event_type: str
    body: bytes
    config_offset: int
    created_at_ms: int
    source_at_ms: int
    run: int = 0
    attempt: int = 1
    postponed: int = 0
    is_test: bool = False
    origin: Place | None = None
    job_id: str | None = None


class Outcome(StrEnum):
    """What one record of `webhooks.attempts` says."""

    SUCCEEDED = "succeeded"  # a request was made, and the endpoint answered 2xx
    FAILED = "failed"  # a request was made or tried, and did not end in 2xx
    POSTPONED = "postponed"  # no request yet: the subscription is paused or its turn has not come
    CANCELLED = "cancelled"  # no request: the subscription is gone, or whoever asked for it has called it off
    EXPIRED = "expired"  # no request: it waited longer than `delivery_age_max`


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP request for a delivery, or the outcome of not making one.

    `error` is a short word (`timeout`, `dns`, `refused`, `reset`, `tls`, `protocol`, `too_large`, `status`, ...; None on
    success), `detail` a sentence for the endpoint's owner. `response_body` is at most the first 4 KiB.
    `next_attempt_at_ms` means "not before"; None when no attempt follows. Headers are texts `name: value`: the request's
    signatures are shortened and the customer's own values masked; the answer's are at most 2 KiB, the request's secrets masked.
    """

    attempt_id: str
    delivery_id: str
    account_id: str
    subscription_id: str
    event_id: str
    event_type: str
    run: int
    attempt: int
    is_test: bool
    outcome: Outcome
    started_at_ms: int
    duration_ms: int
    response_code: int | None
    response_body: bytes
    error: str | None
    detail: str | None
    next_attempt_at_ms: int | None
    origin: Place
    job_id: str | None = None
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()


class DeathReason(StrEnum):
    """Why something ended in `webhooks.dead-letters`."""

    EXHAUSTED = "exhausted"  # every attempt failed
    EXPIRED = "expired"  # it waited longer than `delivery_age_max`
    UNREADABLE = "unreadable"  # the bytes are no record we know
    TOO_LARGE = "too_large"  # the record, or the JSON made of it, is over its limit


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What could not be delivered or read, and where it came from. `payload` is None when it was too large to keep."""

    reason: DeathReason
    detail: str
    at_ms: int
    topic: str
    partition: int
    offset: int
    payload_bytes: int
    payload: bytes | None
    delivery_id: str | None = None
    account_id: str | None = None
    subscription_id: str | None = None
    event_id: str | None = None
    event_type: str | None = None
    attempts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who changed what. `actor` is an API key's id, `link:` and the id of the key that made a link, or `cli`.

    `before` and `after` are JSON objects as the API shows the subject, without secrets; None where it was not there.
    """

    audit_id: str
    at_ms: int
    account_id: str
    actor: str
    request_id: str
    operation: str
    subject: str
    before: str | None
    after: str | None


class JobKind(StrEnum):
    """What a job does."""

    REPLAY = "replay"  # matches the events of the log against one subscription, and sends
    RECOVER = "recover"  # sends deliveries that failed once more
    CANCEL_RETRIES = "cancel_retries"  # puts retries that are not tried any more on record


class JobState(StrEnum):
    """How far a job is. Whether a customer holds it up is not here, but in its `JobWish`."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPosition:
    """How far a replay has read one partition of an event topic: from `start` to before `position`; it ends before `end`."""

    topic: str
    partition: int
    start: int
    position: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of recovery work for one subscription. The API writes it once, as waiting; then only the replay role does.

    It is for what happened from `since_ms` on and before `until_ms`: of a replay events, of the others deliveries. `events`
    empty: all that the subscription wants. `everything`: also what was delivered already. `rate` is in deliveries a second.
    """

    job_id: str
    account_id: str
    subscription_id: str
    kind: JobKind
    state: JobState
    run: int
    since_ms: int
    until_ms: int
    events: tuple[str, ...]
    everything: bool
    rate: int
    created_at_ms: int
    at_ms: int
    positions: tuple[JobPosition, ...] = ()
    cursor: str | None = None
    looked_at: int = 0
    sent: int = 0
    left_out: int = 0
    lost: int = 0
    finished_at_ms: int | None = None
    detail: str | None = None


class Wanted(StrEnum):
    """What a customer wants of a job."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWish:
    """What the customer wants of a job, written only by the API, so that neither overwrites the other; its key is `wish_key`."""

    job_id: str
    account_id: str
    wanted: Wanted
    rate: int | None
    at_ms: int


def wish_key(job_id: str) -> bytes:
    """The key of a `JobWish`."""
    return f"{job_id}/wish".encode()


Record = (
    Account
    | ApiKey
    | Subscription
    | Delivery
    | Attempt
    | DeadLetter
    | EndpointHealth
    | Disabling
    | AuditEntry
    | Job
    | JobWish
)
