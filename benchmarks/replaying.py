"""A backlog of replays for `isolation.py --bad replay`: written straight to the lane, and what came of it."""

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from load import Row

from fakes.configuration import delivery
from fakes.kafka import read, write
from fakes.road import CODEC
from hookline.core.resending import resent
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, Delivery, Subscription

_BODY = b'{"event":"user.created","data":{"id":"user_1"}}' + b" " * 350  # about what the live events have


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one backlog: how many did not come, came twice, or started before one that lies before it in the log."""

    written: int
    missing: int
    twice: int
    disordered: int


def backlog(to: Subscription, count: int) -> Sequence[Delivery]:
    """So many deliveries as a job writes them."""
    now_ms, job_id = time.time_ns() // 1_000_000, f"job_{uuid.uuid4().hex}"
    made = (delivery(to, _BODY, config_offset=1) for _ in range(count))
    return [resent(each, run=now_ms, config_offset=1, now_ms=now_ms, job_id=job_id) for each in made]


def write_backlog(settings: Settings, made: Iterable[Delivery]) -> None:
    records = [(each.subscription_id.encode(), CODEC.encode(each)) for each in made]
    write(settings.bootstrap_servers, settings.topics().replays, records)


def outcome(settings: Settings, made: Sequence[Delivery], rows: Iterable[Row]) -> Replayed:
    """By the receiver's rows, and by the attempts on record."""
    came = Counter(row.delivery_id for row in rows)
    started = _started_ms(settings, made)
    times_ms = [started[each.delivery_id] for each in made if each.delivery_id in started]
    latest_ms, disordered = 0, 0
    for at_ms in times_ms:
        disordered += at_ms < latest_ms
        latest_ms = max(latest_ms, at_ms)
    return Replayed(
        written=len(made),
        missing=sum(not came[each.delivery_id] for each in made) + len(made) - len(times_ms),
        twice=sum(came[each.delivery_id] > 1 for each in made),
        disordered=disordered,
    )


def _started_ms(settings: Settings, made: Sequence[Delivery]) -> dict[str, int]:
    wanted, key = {each.delivery_id for each in made}, made[0].subscription_id.encode()
    lying = read(settings.bootstrap_servers, settings.topics().attempts)
    attempts = (CODEC.decode(each.value, Attempt) for each in lying if each.key == key)
    return {each.delivery_id: each.started_at_ms for each in attempts if each.delivery_id in wanted}
