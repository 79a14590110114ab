"""The history process on a real Kafka: every attempt once, whatever is killed, and one bad record stops nothing."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import short_settings
from fakes.fanout import CODEC
from fakes.kafka import make_topics, read, write
from fakes.road import free_port
from hookline.core.ids import attempt_id, delivery_id
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.log import KafkaRecord
from hookline.runtime.settings import Settings, as_env
from hookline.schemas.records import Attempt, DeadLetter, Outcome, Place

pytestmark = pytest.mark.kafka
ACCOUNT, WEBHOOK, AT_MS = "acct_1", "wh_1", 1_700_000_000_000


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path)
    make_topics(bootstrap, made.topics())
    return made


@asynccontextmanager
async def history(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A history process; killed at the block's end if it is still there."""
    env = {"PYTHONPATH": ":".join(sys.path)} | dict(as_env(replace(settings, health_port=free_port())))
    with (settings.data_dir / "history.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hookline", "history", env=env, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def attempt(number: int, *, webhook: str = WEBHOOK) -> Attempt:
    """The one attempt of a delivery of its own."""
    delivery = delivery_id(ACCOUNT, f"evt_{number}", webhook)
    return Attempt(
        attempt_id=attempt_id(delivery, 0, 1, AT_MS + number),
        delivery_id=delivery,
        account_id=ACCOUNT,
        subscription_id=webhook,
        event_id=f"evt_{number}",
        event_type="order.created",
        run=0,
        attempt=1,
        is_test=False,
        outcome=Outcome.SUCCEEDED,
        started_at_ms=AT_MS + number,
        duration_ms=5,
        response_code=200,
        response_body=b"",
        error=None,
        detail=None,
        next_attempt_at_ms=None,
        origin=Place(partition=0, offset=number),
    )


def record(settings: Settings, values: Sequence[tuple[bytes, bytes | None]]) -> None:
    write(settings.bootstrap_servers, settings.topics().attempts, values)


async def stored(store: HistoryStore, webhooks: Sequence[str]) -> list[str]:
    """The ids of all attempts in the store."""
    rows = [
        row
        for webhook in webhooks
        for row in await store.logs(account_id=ACCOUNT, subscription_id=webhook, limit=1_000)
    ]
    return [row.attempt_id for row in rows]


async def until_stored(store: HistoryStore, webhooks: Sequence[str], count: int) -> list[str]:
    async with asyncio.timeout(60):
        while len(found := await stored(store, webhooks)) < count:
            await asyncio.sleep(0.05)
    return found


async def test_attempts_arrive_and_a_bad_record_is_buried(settings: Settings) -> None:
    key = WEBHOOK.encode()
    good = [attempt(number) for number in range(20)]
    no_time = CODEC.encode(replace(attempt(99), started_at_ms=2**62, duration_ms=2**62))
    bad: list[bytes | None] = [b"no attempt", None, no_time]
    values = [CODEC.encode(each) for each in good[:10]] + bad + [CODEC.encode(each) for each in good[10:]]
    record(settings, [(key, value) for value in values])
    async with open_history(settings) as store, history(settings) as process:
        assert set(await until_stored(store, [WEBHOOK], 20)) == {each.attempt_id for each in good}
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert sum((await store.offsets(settings.topics().attempts)).values()) == 23
    letters = [CODEC.decode(each.value, DeadLetter) for each in _dead(settings)]
    assert [(each.offset, each.payload) for each in letters] == [(10, b"no attempt"), (11, b""), (12, no_time)]
    assert {each.topic for each in letters} == {settings.topics().attempts}


def _dead(settings: Settings) -> Sequence[KafkaRecord]:
    return read(settings.bootstrap_servers, settings.topics().dead_letters)


async def test_kills_neither_lose_nor_double_an_attempt(settings: Settings) -> None:
    webhooks = [f"wh_{number}" for number in range(20)]
    attempts = [attempt(number, webhook=webhooks[number % 20]) for number in range(12_000)]
    async with open_history(settings) as store:
        for number in range(3):
            part = attempts[number * 4_000 : (number + 1) * 4_000]
            record(settings, [(each.subscription_id.encode(), CODEC.encode(each)) for each in part])
            async with history(settings) as process:
                await until_stored(store, webhooks, number * 4_000 + 1)
                process.kill()
        async with history(settings):
            found = await until_stored(store, webhooks, len(attempts))
    assert sorted(found) == sorted(each.attempt_id for each in attempts)


async def test_reading_begins_where_the_store_says(settings: Settings) -> None:
    key = WEBHOOK.encode()
    record(settings, [(key, CODEC.encode(attempt(number))) for number in range(5)])
    async with open_history(settings) as store, history(settings) as process:
        await until_stored(store, [WEBHOOK], 5)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    anew = replace(settings, history_url=f"sqlite+aiosqlite:///{settings.data_dir / 'anew.sqlite'}")
    async with open_history(anew) as store, history(anew):
        assert len(await until_stored(store, [WEBHOOK], 5)) == 5
