"""The history store full of attempts: how fast they come in, and how long every question takes then. `make history`.

Records go the way that a history process takes them, from bytes as Kafka has them; only the consumer is left out. The making of
records is not measured. `--attempts 10000000` is the real run: it takes an hour or two and 20 GB.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import uvloop
from attempts import BIG, DAY_MS, EVENT_TYPES, RARE_CODE, Traffic, account_of
from history_taker import Share
from intake import Recorder, taking_in
from load import Verdicts, helper, line_of, machine_s, percentile, tell
from sqlalchemy import func, select
from sqlalchemy.engine import URL, make_url

from fakes.postgres import own_postgres
from fakes.stores import database, written
from hookline.core.progress import State
from hookline.processors.history import collect_rarely
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.history import HistoryStore, migrate_history, open_history
from hookline.runtime.history_database import open_database
from hookline.runtime.history_questions import DeliveryFilter, LogFilter
from hookline.runtime.history_tables import ATTEMPTS
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec

DAYS, CHUNK = 30, 200_000
TOGETHER_MAX = 200_000  # attempts that several processes take in: they make all of them first
LIST_P99_MAX_MS, STATS_P99_MAX_MS = 50, 300
INGEST_MIN = {"postgres": 20_000, "sqlite": 12_000}
# As an operator would set a small server; what is promised to be on disk is.
_POSTGRES = "-c shared_buffers=1GB -c max_wal_size=4GB -c checkpoint_timeout=15min"
_LIST = 50


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of question, asked for a webhook of an account."""

    name: str
    p99_max_ms: int
    ask: Callable[[HistoryStore, str, str], Awaitable[object]]


async def measure(settings: Settings, kind: str, asked: argparse.Namespace, verdicts: Verdicts) -> None:
    """Fill one store, and ask it everything."""
    ends_ms = SystemClock().now_ms()
    traffic = Traffic(webhooks=asked.webhooks, begins_ms=ends_ms - DAYS * DAY_MS, per_day=per_day(asked))
    async with open_history(settings) as store:
        print(f"\n{kind}: {asked.attempts:,} attempts of {asked.webhooks:,} webhooks over {DAYS} days", flush=True)
        rate = await filled(store, settings, traffic, asked.attempts)
        verdicts.claim("attempts taken in a second", rate, at_least=INGEST_MIN[kind])
        print(f"\n{'question':44} {'p50 ms':>8} {'p99 ms':>8} {'most':>8}   big: p50, p99", flush=True)
        for question in questions(ends_ms):
            await answered(store, question, traffic, asked.asks, verdicts)


async def filled(store: HistoryStore, settings: Settings, traffic: Traffic, count: int) -> float:
    """Take in so many attempts; how many a second, the making of them left out."""
    codec = Codec(load_catalogue())
    recorder = Recorder(settings, codec)
    attempts, taken_s, busy_s, done = traffic.attempts(), 0.0, 0.0, 0
    async with taking_in(store, settings, codec) as intake:
        while done < count:
            records = [recorder.record(each) for each in islice(attempts, min(CHUNK, count - done))]
            busy = machine_s()[0]
            taken_s += await intake.take(records)
            busy_s += machine_s()[0] - busy
            done += len(records)
            if done % (count // 10 or 1) < CHUNK or done == count:
                print(f"  {done:>12,}  {done / taken_s:>8,.0f}/s  machine {busy_s / taken_s:.2f} cores", flush=True)
    return done / taken_s


def per_day(asked: argparse.Namespace) -> int:
    return max(1, int(asked.attempts) // DAYS)


async def together(server: URL, asked: argparse.Namespace, verdicts: Verdicts) -> None:
    """Fill a store by one process and then another by several, each with its own partitions: how many a second they do together."""
    count = min(asked.attempts, TOGETHER_MAX)
    print(f"\npostgres, {count:,} attempts by one process, and by {asked.processes} at once", flush=True)
    rates = [await filled_by(number, server, count, asked) for number in (1, asked.processes)]
    print(f"  {asked.processes} processes take in {rates[1] / rates[0]:.2f} times as much as one", flush=True)
    verdicts.claim(
        f"attempts taken in a second by {asked.processes} processes", rates[1], at_least=INGEST_MIN["postgres"]
    )


async def filled_by(processes: int, server: URL, count: int, asked: argparse.Namespace) -> float:
    """Have so many processes fill an empty database; how many attempts a second, from the first's start to the last's end."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(database(server))
        await migrate_history(Settings(history_url=address))
        takers = [await stack.enter_async_context(helper("history_taker.py")) for _ in range(processes)]
        for number, taker in enumerate(takers):
            share = Share(
                history_url=address,
                number=number,
                processes=processes,
                attempts=count,
                webhooks=asked.webhooks,
                begins_ms=SystemClock().now_ms() // DAY_MS * DAY_MS - DAYS * DAY_MS,
                per_day=per_day(asked),
            )
            await tell(taker, asdict(share))
        for taker in takers:
            await line_of(taker)  # its records are made
        busy_s, began_s = machine_s()[0], time.perf_counter()
        for taker in takers:
            await tell(taker, {})
        said = [json.loads(await line_of(taker)) for taker in takers]
        took_s = time.perf_counter() - began_s
        busy_s = machine_s()[0] - busy_s
        assert await stored(address) == count
    cpu_us = sum(each["cpu_s"] for each in said) / count * 1e6
    each = " and ".join(f"{taken['count'] / taken['took_s']:,.0f}" for taken in said)
    print(
        f"  {processes} of them: {count / took_s:>8,.0f}/s ({each}), {cpu_us:.0f} us of their CPU an attempt,"
        f" machine {busy_s / took_s:.2f} cores",
        flush=True,
    )
    return count / took_s


async def stored(address: str) -> int:
    """How many attempts are in the store."""
    found = open_database(address)
    try:
        return int((await found.rows(select(func.count()).select_from(ATTEMPTS)))[0][0])
    finally:
        await found.close()


async def answered(store: HistoryStore, question: Question, traffic: Traffic, asks: int, verdicts: Verdicts) -> None:
    """Ask again and again, every other time for the big webhook, and say how long it took."""
    took_ms: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * asks + 4):
        is_big = number % 2 == 0
        webhook = BIG if is_big else traffic.webhook()
        began_s = time.perf_counter()
        await question.ask(store, account_of(int(webhook[3:])), webhook)
        if number >= 4:  # the first ones make the statements
            took_ms[is_big].append((time.perf_counter() - began_s) * 1_000)
    every, big = took_ms[True] + took_ms[False], took_ms[True]
    p99 = percentile(every, 99)
    print(
        f"{question.name:44} {percentile(every, 50):8.2f} {p99:8.2f} {max(every):8.1f}"
        f"   {percentile(big, 50):.2f}, {percentile(big, 99):.2f}",
        flush=True,
    )
    if p99 > question.p99_max_ms:
        verdicts.claim(f"p99 of {question.name}, ms", p99, at_most=question.p99_max_ms)


def questions(ends_ms: int) -> Sequence[Question]:
    """Every list with every filter, the first page and a later one; what is asked for by id; and the numbers of a month."""
    lists: dict[str, Any] = {}
    later = (ends_ms - 12 * DAY_MS, "x")
    for name, where in _delivery_filters(ends_ms).items():
        lists[f"deliveries, {name}"] = lambda store, account, webhook, where=where: store.deliveries(
            account_id=account, subscription_id=webhook, limit=_LIST, where=where
        )
    for name, asked in _log_filters(ends_ms).items():
        lists[f"logs, {name}"] = lambda store, account, webhook, asked=asked: store.logs(
            account_id=account, subscription_id=webhook, limit=_LIST, where=asked
        )
    lists["deliveries, a later page"] = lambda store, account, webhook: store.deliveries(
        account_id=account, subscription_id=webhook, limit=_LIST, before=later
    )
    lists["failed deliveries, a later page"] = lambda store, account, webhook: store.deliveries(
        account_id=account, subscription_id=webhook, limit=_LIST, where=DeliveryFilter(status="failed"), before=later
    )
    lists["deliveries, 1,000 at once"] = lambda store, account, webhook: store.deliveries(
        account_id=account, subscription_id=webhook, limit=1_000
    )
    lists["one delivery with its attempts"] = _one_delivery
    lists["where an event went"] = _one_event
    return [
        *(Question(name, LIST_P99_MAX_MS, ask) for name, ask in lists.items()),
        *(Question(name, STATS_P99_MAX_MS, ask) for name, ask in _numbers(ends_ms).items()),
    ]


async def _one_delivery(store: HistoryStore, account: str, webhook: str) -> object:
    rows = await store.deliveries(account_id=account, subscription_id=webhook, limit=1)
    return await store.delivery(account_id=account, delivery_id=rows[0].delivery_id) if rows else None


async def _one_event(store: HistoryStore, account: str, webhook: str) -> object:
    rows = await store.deliveries(account_id=account, subscription_id=webhook, limit=1)
    return await store.event(account_id=account, event_id=rows[0].event_id) if rows else None


def _numbers(ends_ms: int) -> Mapping[str, Any]:
    month = {"since_ms": ends_ms - DAYS * DAY_MS, "until_ms": ends_ms, "step_ms": DAY_MS}
    return {
        "stats of a webhook, 30 days": lambda store, account, webhook: store.stats(
            account_id=account, subscription_id=webhook, **month
        ),
        "stats of an account, 30 days": lambda store, account, _webhook: store.stats(
            account_id=account, subscription_id=None, **month
        ),
        "stats of a webhook, hour by hour": lambda store, account, webhook: store.stats(
            account_id=account, subscription_id=webhook, **{**month, "step_ms": 1}
        ),
    }


def _delivery_filters(ends_ms: int) -> Mapping[str, DeliveryFilter]:
    since_ms, until_ms = ends_ms - 12 * DAY_MS, ends_ms - 11 * DAY_MS
    kind = EVENT_TYPES[3]
    return {
        "all": DeliveryFilter(),
        "succeeded": DeliveryFilter(status="succeeded"),
        "failed": DeliveryFilter(status="failed"),
        "exhausted": DeliveryFilter(state=State.EXHAUSTED),
        "of a type": DeliveryFilter(event_type=kind),
        "of a code": DeliveryFilter(response_code=503),
        "of a rare code": DeliveryFilter(response_code=RARE_CODE),
        "of a code that never came": DeliveryFilter(response_code=599),
        "failed, of a type": DeliveryFilter(status="failed", event_type=kind),
        "of a rare code and type": DeliveryFilter(response_code=RARE_CODE, event_type=kind),
        "of one day": DeliveryFilter(since_ms=since_ms, until_ms=until_ms),
        "failed, of one day": DeliveryFilter(status="failed", since_ms=since_ms, until_ms=until_ms),
    }


def _log_filters(ends_ms: int) -> Mapping[str, LogFilter]:
    since_ms, until_ms = ends_ms - 12 * DAY_MS, ends_ms - 11 * DAY_MS
    kind = EVENT_TYPES[3]
    return {
        "all": LogFilter(),
        "delivered": LogFilter(status="delivered"),
        "failed": LogFilter(status="failed"),
        "of a type": LogFilter(event_type=kind),
        "of a code": LogFilter(response_code=503),
        "of a rare code": LogFilter(response_code=RARE_CODE),
        "failed, of a type": LogFilter(status="failed", event_type=kind),
        "of one day": LogFilter(since_ms=since_ms, until_ms=until_ms),
        "failed, of one day": LogFilter(status="failed", since_ms=since_ms, until_ms=until_ms),
    }


@asynccontextmanager
async def store_of(kind: str, folder: Path) -> AsyncIterator[Settings]:
    """Settings of an empty store."""
    async with AsyncExitStack() as stack:
        settings = Settings(data_dir=folder)
        if kind == "postgres":
            server = stack.enter_context(own_postgres(_POSTGRES))
            settings = Settings(data_dir=folder, history_url=written(server.url))
        await migrate_history(settings)
        yield settings


async def main(asked: argparse.Namespace) -> int:
    collect_rarely()  # as the role does
    verdicts = Verdicts()
    for kind in asked.databases:
        folder = Path(tempfile.mkdtemp(prefix="hookline-history-"))
        try:
            async with store_of(kind, folder) as settings:
                await measure(settings, kind, asked, verdicts)
                if kind == "postgres" and asked.processes > 1:
                    await together(make_url(settings.history_url), asked, verdicts)
        finally:
            shutil.rmtree(folder)
    return verdicts.status()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", nargs="*", default=["sqlite", "postgres"], help="sqlite, postgres or both")
    parser.add_argument("--attempts", type=int, default=200_000)
    parser.add_argument("--processes", type=int, default=2, help="that fill PostgreSQL together; 1: leave that out")
    parser.add_argument("--webhooks", type=int, default=5_000)
    parser.add_argument(
        "--asks", type=int, default=200, help="of each question, for the big webhook and as many for others"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(uvloop.run(main(arguments())))
