"""The history process on a real Kafka: every attempt and audit entry once, whatever is killed, and one bad record stops nothing."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.audit import audit_entry
from fakes.configuration import short_settings
from fakes.fanout import CODEC
from fakes.history_roles import history, until_read
from fakes.kafka import make_topics, read, remove_topic, write
from hookline.core.ids import attempt_id, delivery_id
from hookline.runtime.clock import SystemClock
from hookline.runtime.history import HistoryStore, migrate_history, open_history
from hookline.runtime.log import KafkaRecord
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, AuditEntry, DeadLetter, Outcome, Place

pytestmark = pytest.mark.kafka
ACCOUNT, WEBHOOK = "acct_1", "wh_1"
AT_MS = SystemClock().now_ms() - 3_600_000  # what is older than a month would be forgotten


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path)
    make_topics(bootstrap, made.topics())
    return made


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


def entry(number: int) -> AuditEntry:
    return audit_entry(number, at_ms=AT_MS)


def audit(settings: Settings, entries: Sequence[AuditEntry]) -> None:
    values = [(each.account_id.encode(), CODEC.encode(each)) for each in entries]
    write(settings.bootstrap_servers, settings.topics().audit, values)


async def until_audited(store: HistoryStore, count: int) -> list[str]:
    """The ids of all audit entries in the store, once there are so many."""
    async with asyncio.timeout(60):
        while len(found := await audited(store)) < count:
            await asyncio.sleep(0.05)
    return found


async def audited(store: HistoryStore) -> list[str]:
    rows = await store.audit(account_id=None, subject=None, before=None, limit=1_000)
    return [row.audit_id for row in rows]


async def stop(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_attempts_arrive_and_a_bad_record_is_buried(settings: Settings) -> None:
    key = WEBHOOK.encode()
    good = [attempt(number) for number in range(20)]
    no_time = CODEC.encode(replace(attempt(99), started_at_ms=2**62, duration_ms=2**62))
    bad: list[bytes | None] = [b"no attempt", None, no_time]
    values = [CODEC.encode(each) for each in good[:10]] + bad + [CODEC.encode(each) for each in good[10:]]
    record(settings, [(key, value) for value in values])
    async with open_history(settings) as store, history(settings) as process:
        assert set(await until_stored(store, [WEBHOOK], 20)) == {each.attempt_id for each in good}
        await stop(process)
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
                await until_read(store, settings, attempts=number * 4_000 + 1)
                process.kill()
        async with history(settings):
            await until_read(store, settings, attempts=len(attempts))
        found = await stored(store, webhooks)
    assert sorted(found) == sorted(each.attempt_id for each in attempts)


async def test_reading_begins_where_the_store_says(settings: Settings) -> None:
    key = WEBHOOK.encode()
    record(settings, [(key, CODEC.encode(attempt(number))) for number in range(5)])
    async with open_history(settings) as store, history(settings) as process:
        await until_stored(store, [WEBHOOK], 5)
        await stop(process)
    anew = replace(settings, history_url=f"sqlite+aiosqlite:///{settings.data_dir / 'anew.sqlite'}")
    await migrate_history(anew)
    async with open_history(anew) as store, history(anew):
        assert len(await until_stored(store, [WEBHOOK], 5)) == 5


async def test_audit_entries_arrive_once_beside_attempts_also_through_a_restart_and_repeats(settings: Settings) -> None:
    entries = [audit_entry(number, account=f"acct_{number % 3}", at_ms=AT_MS + number // 5) for number in range(60)]
    attempts = [attempt(number) for number in range(40)]
    record(settings, [(WEBHOOK.encode(), CODEC.encode(each)) for each in attempts[:20]])
    audit(settings, entries[:30])
    async with open_history(settings) as store:
        async with history(settings) as process:
            assert len(await until_audited(store, 30)) == 30
            await until_stored(store, [WEBHOOK], 20)
            await stop(process)
        audit(settings, entries[20:])
        record(settings, [(WEBHOOK.encode(), CODEC.encode(each)) for each in attempts[20:]])
        async with history(settings) as process:
            found = await until_audited(store, 60)
            await until_stored(store, [WEBHOOK], 40)
            await stop(process)
        newest_first = sorted(entries, key=lambda each: (each.at_ms, each.audit_id), reverse=True)
        assert found == [each.audit_id for each in newest_first]
        assert await store.offsets(settings.topics().audit) == {0: 70}
    assert _dead(settings) == []


async def test_an_audit_record_that_cannot_be_read_is_buried(settings: Settings) -> None:
    topic = settings.topics().audit
    no_time = CODEC.encode(audit_entry(3, at_ms=-1))
    bad = [b"no entry", CODEC.encode(attempt(1)), no_time, b""]
    audit(settings, [entry(1)])
    write(settings.bootstrap_servers, topic, [(ACCOUNT.encode(), value) for value in bad])
    audit(settings, [entry(2)])
    async with open_history(settings) as store, history(settings) as process:
        assert await until_audited(store, 2) == ["audit_000002", "audit_000001"]
        assert await stored(store, [WEBHOOK]) == []
        await stop(process)
    letters = [CODEC.decode(each.value, DeadLetter) for each in _dead(settings)]
    assert [(each.topic, each.offset, each.payload) for each in letters] == [
        (topic, offset, payload) for offset, payload in enumerate(bad, start=1)
    ]


@pytest.mark.timeout(180)
async def test_without_the_audit_topic_attempts_are_stored_and_entries_once_it_is_there(
    settings: Settings,
) -> None:
    remove_topic(settings.bootstrap_servers, settings.topics().audit)
    record(settings, [(WEBHOOK.encode(), CODEC.encode(attempt(1)))])
    async with open_history(settings) as store, history(settings) as process:
        await until_stored(store, [WEBHOOK], 1)
        make_topics(settings.bootstrap_servers, settings.topics())
        audit(settings, [entry(1)])
        assert len(await until_audited(store, 1)) == 1
        await stop(process)
