"""Dead letters in a test's log."""

from typing import Any

from fakes.api import CODEC, Api
from hookline.schemas.records import DeadLetter, DeathReason

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
        "payload_bytes": len(BODY),
        "payload": BODY,
        "delivery_id": f"delivery_{number}",
        "account_id": "acct_1",
        "subscription_id": "wh_1",
        "event_id": f"evt_{number}",
        "event_type": "user.created",
        "attempts": 7,
    }
    return DeadLetter(**(values | changes))


async def buried(api: Api, *letters: DeadLetter) -> str:
    """Put them on the topic of dead letters; the id of the last one."""
    topic = api.parts.topics.dead_letters
    written = [await api.log.write(topic, key=None, value=CODEC.encode(each)) for each in letters]
    return f"0-{written[-1].offset}"
