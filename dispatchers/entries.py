"""Outcomes as the records they are put on record with. Pure: everything comes in as an argument."""

from dataclasses import dataclass, replace

from hookline.core.limits import Held
from hookline.core.outcomes import entry
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
        outcome,
        account_id=delivery.account_id,
        attempt=delivery.attempt,
        origin=origin(delivery, source),
        started_at_ms=now_ms,
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
