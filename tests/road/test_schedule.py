"""The whole retry schedule of 20 h 35 min 1 s, the wall clock set forward from due time to due time."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.configuration import delivery, short_settings, subscription
from fakes.endpoint import endpoint
from fakes.faketime import WallClock, missing
from fakes.kafka import read_until, write
from fakes.road import CODEC, Road, road
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.schemas.records import Attempt, DeadLetter, DeathReason, Outcome
from hookline.schemas.topics import POSTPONED_TIERS_MS, RETRY_TIERS_MS

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
BEFORE_DUE_MS = 2_500  # the clock is set this long before an attempt is due: one that comes early is seen
LATE_MAX_MS = 10_000


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    why = missing()
    if why is not None:
        pytest.skip(f"{why}; `make faketime`, as root, does it")
    return WallClock(tmp_path)


@pytest.fixture
def jumping_bootstrap(clock: WallClock, tmp_path: Path, cache_dir: Path) -> Iterator[str]:
    """A Kafka of this test's own, whose append times jump with the clock."""
    environment = os.environ | dict(clock.environment)
    broker = EmbeddedKafka(data_dir=tmp_path / "kafka", cache_dir=cache_dir, env=environment, say=print)
    broker.start()
    try:
        yield broker.bootstrap_servers
    finally:
        broker.stop()


async def test_seven_attempts_over_20_hours_none_early_and_none_late(
    jumping_bootstrap: str, prefix: str, tmp_path: Path, clock: WallClock
) -> None:
    settings = short_settings(
        jumping_bootstrap, prefix, retry_tiers=RETRY_TIERS_MS, postponed_tiers=POSTPONED_TIERS_MS, session_timeout_s=10
    )
    began_ms = clock.now_ms()
    async with (
        endpoint(500) as (url, seen),
        road(settings, tmp_path, roles=("dispatcher",), environment=clock.environment) as running,
    ):
        to = subscription(url)
        put(running, running.settings.topics().subscriptions, to.subscription_id, CODEC.encode(to))
        put(running, running.settings.topics().deliveries, to.subscription_id, CODEC.encode(delivery(to)))
        requests = await seen.wait_for(1)
        for number, tier_ms in enumerate(RETRY_TIERS_MS, start=1):
            due_ms = await asyncio.to_thread(waiting_since_ms, running, tier_ms) + tier_ms
            clock.jump_to(due_ms - BEFORE_DUE_MS)
            requests = await seen.wait_for(number + 1)
            late_ms = clock.here_ms(requests[-1].at_ms) - due_ms
            print(
                f"\nattempt {number + 1}, {(due_ms - began_ms) / 3_600_000:6.3f} h after the first: {late_ms} ms late"
            )
            assert len(requests) == number + 1
            assert 0 <= late_ms <= LATE_MAX_MS
        took_ms = clock.now_ms() - began_ms
        letter = await asyncio.to_thread(buried, running)
        made = await asyncio.to_thread(attempts, running)
    assert took_ms >= sum(RETRY_TIERS_MS)
    assert [each.attempt for each in made] == [1, 2, 3, 4, 5, 6, 7]
    assert {each.outcome for each in made} == {Outcome.FAILED}
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    for before, after in itertools.pairwise(made):
        assert before.next_attempt_at_ms is not None
        assert 0 <= after.started_at_ms - before.next_attempt_at_ms <= LATE_MAX_MS
    assert (letter.reason, letter.delivery_id, letter.attempts) == (DeathReason.EXHAUSTED, made[0].delivery_id, 7)


def put(running: Road, topic: str, key: str, value: bytes) -> None:
    write(running.settings.bootstrap_servers, topic, [(key.encode(), value)])


def waiting_since_ms(running: Road, tier_ms: int) -> int:
    """The broker's append time of the one record that waits on a tier."""
    topic = running.settings.topics().retry(tier_ms)
    (record,) = read_until(running.settings.bootstrap_servers, topic, lambda found: len(found) == 1)
    return record.timestamp_ms


def attempts(running: Road) -> list[Attempt]:
    topic, count = running.settings.topics().attempts, 1 + len(RETRY_TIERS_MS)
    records = read_until(running.settings.bootstrap_servers, topic, lambda found: len(found) >= count)
    return sorted((CODEC.decode(each.value, Attempt) for each in records), key=lambda each: each.attempt)


def buried(running: Road) -> DeadLetter:
    topic = running.settings.topics().dead_letters
    (record,) = read_until(running.settings.bootstrap_servers, topic, lambda found: len(found) == 1)
    return CODEC.decode(record.value, DeadLetter)
