"""The history store through kills and restarts under load: nothing lost, nothing twice, and what a rebuild makes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.engine import make_url

from fakes.configuration import short_settings
from fakes.history_roles import history, log_of, rebuild, record, rows, stop, until_read
from fakes.kafka import make_topics
from fakes.postgres import own_postgres
from fakes.records import lives
from fakes.stores import written
from hookline.runtime.clock import SystemClock
from hookline.runtime.history import HistoryStore, migrate_history, open_history
from hookline.runtime.settings import Settings
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Attempt

pytestmark = pytest.mark.kafka
KILLS, RESTARTS = 20, 3
DAY_MS = 86_400_000
BATCH, EVERY_S = 250, 0.2
BATCHES = 20  # four seconds of load for each kill: a process is killed within two of its start


class Load:
    """Writes records at a steady rate, every tenth of them twice, as many batches as it is allowed, until it is told to stop.

    A machine that is slow would else write for minutes, and then compare all of that.
    """

    def __init__(self, settings: Settings, seed: int) -> None:
        now_ms = SystemClock().now_ms()
        self._settings = settings
        self._left = iter(lives(60_000, seed=seed, at_ms=now_ms - 3 * DAY_MS, days=2, webhooks=40))
        self._stopping = asyncio.Event()
        self._allowed = 0
        self.written: list[Attempt] = []
        self.count = 0

    async def run(self) -> None:
        while not self._stopping.is_set():
            await asyncio.sleep(EVERY_S)
            if not self._allowed:
                continue
            self._allowed -= 1
            batch = [each for _, each in zip(range(BATCH), self._left, strict=False)]
            assert batch, "there is no more to write"
            await asyncio.to_thread(record, self._settings, [*batch, *batch[::10]])
            self.written += batch
            self.count += len(batch) + len(batch[::10])

    def allow(self, batches: int) -> None:
        """Write so many in all that come now, whatever is left of those before."""
        self._allowed = batches

    def stop(self) -> None:
        self._stopping.set()


@asynccontextmanager
async def load(settings: Settings, seed: int) -> AsyncIterator[Load]:
    made = Load(settings, seed)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop()
        await running


def named(bootstrap: str, prefix: str, store: Settings) -> Settings:
    """Of a process with a stable name: what was killed and comes back has its partitions at once."""
    made = short_settings(
        bootstrap, prefix, data_dir=store.data_dir, history_url=store.history_url, instance_id="history-1"
    )
    make_topics(bootstrap, made.topics())
    return made


async def check_against_a_rebuild(settings: Settings, records: Sequence[Attempt]) -> None:
    """The store holds every record once, and a rebuild makes the same of them."""
    live = await rows(settings)
    assert len(live["attempts"]) == len({each.attempt_id for each in records}) == len(records)
    assert {row[3] for row in live["attempts"]} == {each.attempt_id for each in records}
    await rebuild(replace(settings, instance_id=""))
    rebuilt = await rows(settings)
    for table, found in live.items():
        assert rebuilt[table] == found, table


@pytest.mark.timeout(600)
async def test_twenty_kills_at_random_leave_what_a_rebuild_makes(
    bootstrap: str, prefix: str, store_settings: Settings
) -> None:
    settings, random = named(bootstrap, prefix, store_settings), Random()  # noqa: S311 - any time will do
    async with open_history(settings) as store:
        async with load(settings, seed=random.randrange(1_000_000)) as running:
            for _ in range(KILLS):
                running.allow(BATCHES)
                async with history(settings) as process:
                    await until_more_is_read(store, settings)
                    await asyncio.sleep(random.uniform(0, 1.0))
                    process.kill()
        async with history(settings) as process:
            await until_read(store, settings, attempts=running.count)
            await stop(process)
    await check_against_a_rebuild(settings, running.written)


@pytest.mark.timeout(600)
async def test_postgres_restarted_under_load_loses_nothing_and_doubles_nothing(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    with own_postgres() as server:
        address = written(make_url(server.url))
        settings = named(bootstrap, prefix, Settings(data_dir=tmp_path, history_url=address))
        await migrate_history(settings)
        async with open_history(settings) as store, history(settings) as process:
            async with load(settings, seed=5) as running:
                for _ in range(RESTARTS):
                    running.allow(5 * BATCHES)
                    await until_more_is_read(store, settings)
                    await asyncio.to_thread(server.stop)
                    with pytest.raises(NotYet, match="does not answer"):
                        await store.logs(account_id="acct_0", subscription_id="wh_0", limit=9)
                    await asyncio.sleep(1)
                    await asyncio.to_thread(server.start)
                    await store.logs(account_id="acct_0", subscription_id="wh_0", limit=9)
            await until_read(store, settings, attempts=running.count)
            await stop(process)
        assert "history.store_awaited" in log_of(settings).read_text(encoding="utf-8")
        await check_against_a_rebuild(settings, running.written)


@pytest.mark.timeout(240)
async def test_history_that_starts_before_postgres_waits_for_it(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    with own_postgres() as server:
        settings = named(bootstrap, prefix, Settings(data_dir=tmp_path, history_url=written(make_url(server.url))))
        await migrate_history(settings)
        now_ms = SystemClock().now_ms()
        record(settings, lives(50, seed=1, at_ms=now_ms - DAY_MS, days=1)[:60])
        await asyncio.to_thread(server.stop)
        async with history(settings) as process, asyncio.timeout(60):
            while b"history.store_awaited" not in log_of(settings).read_bytes():
                await asyncio.sleep(0.05)
            await asyncio.to_thread(server.start)
            async with open_history(settings) as store:
                await until_read(store, settings, attempts=60)
            await stop(process)


async def until_more_is_read(store: HistoryStore, settings: Settings) -> None:
    topic = settings.topics().attempts
    before = await store.offsets(topic)
    async with asyncio.timeout(60):
        while await store.offsets(topic) == before:
            await asyncio.sleep(0.02)
