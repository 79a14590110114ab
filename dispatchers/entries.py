"""Outcomes as the records they are put on record with. Pure: everything comes in as an argument."""

from dataclasses import dataclass, replace

from hookline.core.ids import attempt_id
from hookline.core.limits import Held
from hookline.core.verdict import Answer, Reply, error_of
from hookline.schemas.records import Attempt, DeadLetter, DeathReason, Delivery, Outcome, Place

_HELD = {
    Held.PAUSED: "The webhook is paused. It is tried once the webhook is active again.",
    Held.BREAKER: "The endpoint has failed too often in a row. It is tried again once a probe succeeds.",
    Held.RATE: "The webhook's rate limit is reached. It waits for its turn.",
    Held.BACKLOG: "The endpoint takes requests more slowly than events come. It waits for its turn.",
    Held.DOUBTFUL: "The endpoint has not answered with success lately. It waits while a few requests find out.",
    Held.UNKNOWN: "The webhook was changed by a newer release than this one. It waits for a process that knows it.",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The place a delivery was read from."""

    topic: str
    partition: int
    offset: int
    in_replays: bool = False


def origin(delivery: Delivery, source: Source) -> Place:
    """Where the delivery's first record lies: it says so itself, unless it is that record."""
    here = Place(partition=source.partition, offset=source.offset, in_replays=source.in_replays)
    return delivery.origin or here


def unsent(
    delivery: Delivery, source: Source, outcome: Outcome, *, now_ms: int, next_attempt_at_ms: int | None = None
) -> Attempt:
    """No request was made."""
    return entry(
        delivery,
        source,
        outcome,
        None,
        started_at_ms=now_ms,
        duration_ms=0,
        next_attempt_at_ms=next_attempt_at_ms,
    )


def held_back(delivery: Delivery, source: Source, held: Held, *, now_ms: int, next_attempt_at_ms: int) -> Attempt:
    """No request was made yet, and why."""
    postponed = unsent(delivery, source, Outcome.POSTPONED, now_ms=now_ms, next_attempt_at_ms=next_attempt_at_ms)
    return replace(postponed, error=held.value, detail=_HELD[held])


def buried(
    delivery: Delivery,
    source: Source,
    reason: DeathReason,
    *,
    detail: str,
    payload: bytes | None,
    payload_bytes: int,
    now_ms: int,
) -> DeadLetter:
    """It will not be tried any more; `payload` None when it is too large to keep."""
    return DeadLetter(
        reason=reason,
        detail=detail,
        at_ms=now_ms,
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        payload_bytes=payload_bytes,
        payload=payload,
        delivery_id=delivery.delivery_id,
        account_id=delivery.account_id,
        subscription_id=delivery.subscription_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        attempts=delivery.attempt if reason is DeathReason.EXHAUSTED else delivery.attempt - 1,
    )


def entry(
    delivery: Delivery,
    source: Source,
    outcome: Outcome,
    reply: Reply | None,
    *,
    started_at_ms: int,
    duration_ms: int,
    next_attempt_at_ms: int | None,
    request_headers: tuple[str, ...] = (),
    response_headers: tuple[str, ...] = (),
) -> Attempt:
    """One outcome of one attempt."""
    answer = reply if isinstance(reply, Answer) else None
    error, detail = (None, None) if reply is None else error_of(reply)
    return Attempt(
        attempt_id=attempt_id(delivery.delivery_id, delivery.run, delivery.attempt, started_at_ms),
        delivery_id=delivery.delivery_id,
        account_id=delivery.account_id,
        subscription_id=delivery.subscription_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        run=delivery.run,
        attempt=delivery.attempt,
        is_test=delivery.is_test,
        outcome=outcome,
        started_at_ms=started_at_ms,
        duration_ms=duration_ms,
        response_code=None if answer is None else answer.status,
        response_body=b"" if answer is None else answer.body,
        error=error,
        detail=detail,
        next_attempt_at_ms=next_attempt_at_ms,
        origin=origin(delivery, source),
        job_id=delivery.job_id,
        request_headers=request_headers,
        response_headers=response_headers,
    )
