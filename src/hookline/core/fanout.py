"""Which deliveries one event becomes, and which dead letter a source record that can't become any."""

from collections.abc import Iterable
from typing import NamedTuple

from hookline.core.ids import delivery_id
from hookline.schemas.records import DeadLetter, DeathReason, Delivery, Event, Subscription


class Source(NamedTuple):
    """One record of a topic, as read. `at_ms` is the time that the broker's record bears."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    value: bytes | None


def fan_out(
    event: Event,
    subscriptions: Iterable[Subscription],
    *,
    body: bytes,
    config_offset: int,
    now_ms: int,
    source_at_ms: int,
) -> list[Delivery]:
    """One delivery for each of the subscriptions, which the caller has matched; a repeat has the same ids."""
    return [
        delivery_of(
            event,
            subscription,
            body=body,
            config_offset=config_offset,
            now_ms=now_ms,
            source_at_ms=source_at_ms,
        )
        for subscription in subscriptions
    ]


def delivery_of(
    event: Event, subscription: Subscription, *, body: bytes, config_offset: int, now_ms: int, source_at_ms: int
) -> Delivery:
    """The event's delivery to this subscription, as first made."""
    return Delivery(
        delivery_id=delivery_id(event.account_id, event.event_id, subscription.subscription_id),
        account_id=event.account_id,
        subscription_id=subscription.subscription_id,
        event_id=event.event_id,
        event_type=event.type,
        body=body,
        config_offset=config_offset,
        created_at_ms=now_ms,
        source_at_ms=source_at_ms,
    )


def unreadable(source: Source, *, detail: str, payload_bytes_max: int, now_ms: int) -> DeadLetter:
    """What stays of a record that is not what its topic holds. `detail` must not quote the payload; that is kept only if it is small."""
    value = source.value or b""
    return DeadLetter(
        reason=DeathReason.UNREADABLE,
        detail=detail,
        at_ms=now_ms,
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        payload_bytes=len(value),
        payload=value if len(value) <= payload_bytes_max else None,
    )


def too_large(source: Source, event: Event, *, body_bytes: int, body_bytes_max: int, now_ms: int) -> DeadLetter:
    """What stays of an event whose JSON is over the limit: who it was for and where it lies, never its bytes."""
    return DeadLetter(
        reason=DeathReason.TOO_LARGE,
        detail=f"the event's JSON has {body_bytes} bytes; at most {body_bytes_max} are sent",
        at_ms=now_ms,
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        payload_bytes=len(source.value or b""),
        payload=None,
        account_id=event.account_id,
        event_id=event.event_id,
        event_type=event.type,
    )
