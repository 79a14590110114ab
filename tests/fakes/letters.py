"""Dead letters in a test's log."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fakes.api import CODEC, Api
from hookline.schemas.records import DeadLetter, DeathReason, Delivery, Place

BODY = b'{"event":"user.created"}'


def letter(number: int, reason: DeathReason = DeathReason.EXHAUSTED, **changes: Any) -> DeadLetter:
    """A delivery that was given up."""
    values: dict[str, Any] = {
        "reason": reason,
        "detail": "every attempt failed",
        "at_ms": 1_687_270_530_000 + number,
        "topic": "t.webhooks.redeliveries",
        "partition": 3,
        "offset": number,
        "delivery_id": f"delivery_{number}",
        "account_id": "acct_1",
        "subscription_id": "wh_1",
        "event_id": f"evt_{number}",
        "event_type": "user.created",
        "attempts": 7,
    }
    values |= changes
    payload = CODEC.encode(given_up(values))
    return DeadLetter(**{"payload_bytes": len(payload), "payload": payload, **values})


def of_run(dead: DeadLetter, run: int) -> DeadLetter:
    """The same, of another run of its delivery."""
    delivery = CODEC.decode(dead.payload or b"", Delivery)
    return replace(dead, payload=CODEC.encode(replace(delivery, run=run)))


def given_up(of: Mapping[str, Any]) -> Delivery:
    """The delivery whose letter has these values, as the dispatcher had it last."""
    return Delivery(
        **{name: of[name] for name in ("delivery_id", "account_id", "subscription_id", "event_id", "event_type")},
        body=BODY,
        config_offset=1,
        created_at_ms=1_687_270_500_000,
        source_at_ms=1_687_270_500_000,
        attempt=7,
        origin=Place(partition=3, offset=1),
    )


async def buried(api: Api, *letters: DeadLetter) -> str:
    """Put them on the topic of dead letters; the id of the last one."""
    topic = api.parts.topics.dead_letters
    written = [await api.log.write(topic, key=None, value=CODEC.encode(each)) for each in letters]
    return f"0-{written[-1].offset}"
