"""What the measuring programs share: a broker, the processes beside the road, and what is made of their figures."""

import asyncio
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiokafka.partitioner import murmur2

from fakes.kafka import write
from fakes.road import CODEC, Road
from hookline.core.ids import delivery_id
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.runtime.settings import Settings
from hookline.schemas.records import Subscription

_HERE = Path(__file__).parent
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_ASK_S = 0.5
_LINE_BYTES_MAX = 64 * 1024


class Row(NamedTuple):
    """One webhook that was answered with 200."""

    path: str
    delivery_id: str
    sent_ns: int
    came_ns: int

    @property
    def latency_ms(self) -> float:
        return (self.came_ns - self.sent_ns) / 1e6


class Receiver:
    """The receiver process. `url` ends with a slash; behind it, or behind `at(…)`, stands the endpoint's path."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.port = port
        self.url = self.at("127.0.0.1")
        self._session = session

    def at(self, host: str) -> str:
        return f"http://{host}:{self.port}/"

    async def stats(self, query: str = "") -> dict[str, Any]:
        async with self._session.get(f"{self.url}stats{query}") as answer:
            return dict(await answer.json())

    async def came(self, count: int, *, within_s: float = 300) -> dict[str, Any]:
        """The figures, once `count` webhooks are there."""
        async with asyncio.timeout(within_s):
            while (await self.stats())["count"] < count:  # noqa: ASYNC110 - another process is asked
                await asyncio.sleep(_ASK_S / 2)
        return await self.stats("?all&reset")

    async def rows(self) -> list[Row]:
        """What came since the last reset."""
        return [Row(*row) for row in (await self.stats("?rows"))["rows"]]

    async def received(self, wanted: Collection[str], *, within_s: float) -> list[Row]:
        """What came since the last reset, once these deliveries are among it or the time is up."""
        until_s = time.monotonic() + within_s
        while True:
            if (await self.stats())["count"] >= len(wanted) or time.monotonic() >= until_s:
                rows = await self.rows()
                if time.monotonic() >= until_s or {row.delivery_id for row in rows}.issuperset(wanted):
                    return rows
            await asyncio.sleep(_ASK_S)

    async def behave(self, *, hang: Collection[str] = (), late_s: Mapping[str, float] | None = None) -> None:
        """From now on these paths hang 30 s, or answer late; all others answer at once."""
        wish = {"hang": sorted(hang), "late_s": late_s or {}}
        async with self._session.put(f"{self.url}behaviour", json=wish) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def receiving(addresses: int = 0) -> AsyncIterator[Receiver]:
    """A receiver on 127.0.0.1 and as many addresses from 127.0.1.1 on."""
    async with helper("receiver.py", str(addresses)) as process, aiohttp.ClientSession() as session:
        yield Receiver(int(await line_of(process)), session)


@asynccontextmanager
async def naming() -> AsyncIterator[str]:
    """A name server that never answers for names that begin with `silent`; yields its address and port."""
    async with helper("names.py") as process:
        yield f"127.0.0.1:{int(await line_of(process))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Events at a steady rate to these accounts in turn; their ids are `ids` and a number from 0 on."""

    rate: float
    count: int
    accounts: Sequence[str]
    ids: str

    def deliveries(self, to: Sequence[Subscription]) -> dict[str, str]:
        """The subscription that each delivery of these events is for, by the delivery's id."""
        of: dict[str, list[Subscription]] = {account: [] for account in self.accounts}
        for each in to:
            of[each.account_id].append(each)
        return {
            delivery_id(account, f"{self.ids}{number}", each.subscription_id): each.subscription_id
            for number in range(self.count)
            for account in (self.accounts[number % len(self.accounts)],)
            for each in of[account]
        }


class Source:
    """The process that publishes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def publish(self, load: Load) -> float:
        """Publish it all and have Kafka's yes; returns the share of the rate that was held."""
        wish = {"rate": load.rate, "count": load.count, "accounts": list(load.accounts), "ids": load.ids}
        await tell(self._process, wish)
        took_s = float(json.loads(await line_of(self._process))["took_s"])
        return min(1.0, load.count / load.rate / max(took_s, 1e-9))


@asynccontextmanager
async def publishing(settings: Settings) -> AsyncIterator[Source]:
    async with helper("publisher.py", settings.bootstrap_servers, settings.topic_prefix) as process:
        yield Source(process)


@asynccontextmanager
async def helper(script: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A script of this folder as a process that is spoken with by lines; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_HERE / script),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES_MAX,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def tell(process: asyncio.subprocess.Process, wish: Mapping[str, object]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(wish).encode() + b"\n")
    await process.stdin.drain()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "a process of the measurement ended"
    return line.decode()


def configure(settings: Settings, *subscriptions: Subscription) -> None:
    """Write subscriptions, or new versions of them, as the API would; a name that no API allows may be in their URL."""
    records = [(each.subscription_id.encode(), CODEC.encode(each)) for each in subscriptions]
    write(settings.bootstrap_servers, settings.topics().subscriptions, records)


def partition_of(key: str, partitions: int = 8) -> int:
    """Where our producers put a key: `murmur2_random`, on as many partitions as an embedded lane has."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)


def fresh(settings: Settings) -> Settings:
    """The same with topics of its own."""
    return replace(settings, topic_prefix=f"b{uuid.uuid4().hex[:7]}.")


def percentile(values: Sequence[float], percent: int) -> float:
    """Not a number if there are too few to say."""
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else float("nan")


@contextmanager
def cpu_of(running: Road, settings: Settings) -> Iterator[dict[str, float]]:
    """CPU seconds that each role and the broker used while the block ran."""
    measured = {name: role.process.pid for name, role in running.roles.items()} | _broker_pid(settings)
    before_s, used = {name: cpu_s(pid) for name, pid in measured.items()}, dict[str, float]()
    yield used
    used |= {name: cpu_s(pid) - before_s[name] for name, pid in measured.items()}


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS_A_SECOND


def machine_s() -> tuple[float, float]:
    """Seconds that all cores were busy, and all that they had, since the machine started."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / _TICKS_A_SECOND, sum(ticks) / _TICKS_A_SECOND


_BROKERS: dict[str, int] = {}


def _broker_pid(settings: Settings) -> dict[str, int]:
    pid = _BROKERS.get(settings.bootstrap_servers)
    return {} if pid is None else {"broker": pid}


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The configured Kafka, or one of the measurement's own."""
    configured = os.environ.get("HOOKLINE_TEST_BOOTSTRAP_SERVERS", "")
    if configured:
        yield configured
        return
    cache_dir = Settings.from_env(os.environ).cache_dir.expanduser()
    embedded = EmbeddedKafka(data_dir=folder / "kafka", cache_dir=cache_dir, env=os.environ, say=print)
    embedded.start()
    try:
        if embedded.pid is not None:
            _BROKERS[embedded.bootstrap_servers] = embedded.pid
        yield embedded.bootstrap_servers
    finally:
        embedded.stop()


@dataclass(slots=True)
class Verdicts:
    """What a measurement claims, said line by line; a program whose claim does not hold ends with status 1."""

    failed: int = 0

    def claim(self, what: str, found: float, *, at_most: float | None = None, at_least: float | None = None) -> None:
        holds = (at_most is None or found <= at_most) and (at_least is None or found >= at_least)
        self.failed += not holds
        bound = f"at most {at_most:g}" if at_most is not None else f"at least {at_least:g}"
        print(f"{'ok' if holds else 'NOT MET':8} {what}: {found:,.4g} ({bound})", flush=True)

    def status(self) -> int:
        return 1 if self.failed else 0
