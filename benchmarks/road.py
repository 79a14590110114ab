"""Events in Kafka to the receiver: deliveries a second, latency, CPU, and the same receiver under a bare client in the same run.

Machines are noisy: compare ratios of one run, never times of two. `make bench`, or `make bench ARGS="--quick --json out.json"`.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from load import Receiver, broker, cpu_of, cpu_s, fresh, receiving

from fakes.configuration import delivery, short_settings, subscription
from fakes.kafka import write
from fakes.road import CODEC, Road, road, sample
from hookline.producers import Event, Publisher
from hookline.runtime.settings import Settings
from hookline.schemas.topics import POSTPONED_TIERS_MS, RETRY_TIERS_MS

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sizes:
    bare: int
    backlog: int
    steady_s: int


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement; None where it has no such figure."""

    what: str
    per_s: float | None = None
    cpu_ms: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_by_role_ms: Mapping[str, float] = field(default_factory=dict)


async def measure_bare(receiver: Receiver, requests: int) -> Row:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_HERE / "bare_client.py"), receiver.url, str(requests), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    per_s, cpu_ms = (float(word) for word in printed.split())
    await receiver.stats("?reset")
    return Row("bare aiohttp client", per_s, cpu_ms)


async def measure_dispatcher(settings: Settings, folder: Path, receiver: Receiver, count: int) -> Row:
    """The dispatcher alone on deliveries that are there already; it begins when it is started."""
    async with road(fresh(settings), folder, roles=()) as running:
        to = [subscription(f"{receiver.url}{number}") for number in range(50)]
        body = (
            b'{"event":"user.created","data":{"id":"user_123","email":"john@example.com","status":"active"}}'
            + b" " * 90
        )
        topics = running.settings.topics()
        put = running.settings.bootstrap_servers
        write(put, topics.subscriptions, [(each.subscription_id.encode(), CODEC.encode(each)) for each in to])
        fresh_ones = [delivery(to[number % 50], body) for number in range(count)]
        write(put, topics.deliveries, [(each.subscription_id.encode(), CODEC.encode(each)) for each in fresh_ones])
        await running.start("dispatcher")
        figures = await receiver.came(count)
        cpu_ms = cpu_s(running.roles["dispatcher"].process.pid) / count * 1_000
    return Row("dispatcher on a backlog", count / figures["seconds"], cpu_ms)


async def measure_steady(settings: Settings, folder: Path, receiver: Receiver, *, rate: int, seconds: int) -> Row:
    async with road(fresh(settings), folder) as running:
        await running.subscribe(receiver.url, "user.created")
        await publish_steadily(running, rate=rate, seconds=3)  # warm: connections, producer ids, caches
        await receiver.came(3 * rate)
        with cpu_of(running, settings) as cpu:
            await publish_steadily(running, rate=rate, seconds=seconds)
            figures = await receiver.came(rate * seconds)
    parts = statistics.quantiles(figures["latencies_ms"], n=100)
    spent = each_ms(cpu, rate * seconds)
    return Row(f"road at {rate} events/s", rate, sum(spent.values()), parts[49], parts[98], spent)


async def measure_backlog(settings: Settings, folder: Path, receiver: Receiver, *, fan_out: int, count: int) -> Row:
    """Publish as fast as it goes, and deliver meanwhile; until the last has come."""
    events = count // fan_out
    async with road(fresh(settings), folder) as running:
        for number in range(fan_out):
            await running.subscribe(f"{receiver.url}{number}", "user.created")
        await publish_steadily(running, rate=50, seconds=2)
        await receiver.came(100 * fan_out)
        with cpu_of(running, settings) as cpu:
            started_s = time.monotonic()
            await publish_steadily(running, rate=1_000_000, seconds=0, count=events)
            await receiver.came(events * fan_out)
            took_s = time.monotonic() - started_s
    spent = each_ms(cpu, count)
    return Row(f"road, fan-out {fan_out}", count / took_s, sum(spent.values()), cpu_by_role_ms=spent)


def each_ms(cpu: Mapping[str, float], count: int) -> dict[str, float]:
    return {name: seconds / count * 1_000 for name, seconds in cpu.items()}


async def publish_steadily(running: Road, *, rate: int, seconds: int, count: int = 0) -> None:
    def publish() -> None:
        settings = running.settings
        with Publisher(
            bootstrap_servers=settings.bootstrap_servers, topic_prefix=settings.topic_prefix, linger_ms=0
        ) as publisher:
            publisher.publish(sample("user.deleted"))  # nobody wants it: the first message of a producer is slow
            started_s = time.monotonic()
            for number in range(count or rate * seconds):
                if (ahead_s := started_s + number / rate - time.monotonic()) > 0:
                    time.sleep(ahead_s)
                publisher.submit(stamped(number))

    await asyncio.to_thread(publish)


def stamped(number: int) -> Event:
    event = sample("user.created")
    return replace(event, data={**event.data, "id": f"user_{number}", "username": str(time.time_ns())})


async def measure_all(bootstrap: str, folder: Path, sizes: Sizes, only: str) -> Sequence[Row]:
    settings = short_settings(
        bootstrap, "", retry_tiers=RETRY_TIERS_MS, postponed_tiers=POSTPONED_TIERS_MS, session_timeout_s=10
    )
    async with receiving() as receiver:
        measurements: dict[str, Callable[[], Awaitable[Row]]] = {
            "bare": lambda: measure_bare(receiver, sizes.bare),
            "dispatcher": lambda: measure_dispatcher(settings, folder, receiver, sizes.backlog),
            "bare again": lambda: measure_bare(receiver, sizes.bare),
            "road at 200": lambda: measure_steady(settings, folder, receiver, rate=200, seconds=sizes.steady_s),
            "road at 1000": lambda: measure_steady(settings, folder, receiver, rate=1_000, seconds=sizes.steady_s),
            "road, fan-out 1": lambda: measure_backlog(settings, folder, receiver, fan_out=1, count=sizes.backlog),
            "road, fan-out 5": lambda: measure_backlog(settings, folder, receiver, fan_out=5, count=sizes.backlog),
        }
        return [told(await measure()) for name, measure in measurements.items() if only in name]


def told(row: Row) -> Row:
    print(line(row), flush=True)
    return row


def line(row: Row) -> str:
    return (
        f"{row.what:28}"
        + "".join(
            " " * 12 if value is None else f"{value:12,.{digits}f}"
            for value, digits in ((row.per_s, 0), (row.cpu_ms, 3), (row.p50_ms, 1), (row.p99_ms, 1))
        )
        + "".join(f"  {name} {spent_ms:.3f}" for name, spent_ms in row.cpu_by_role_ms.items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a fifth of everything: to see that it runs, not to compare"
    )
    parser.add_argument("--only", default="", help="only measurements whose name holds this, such as `fan-out 1`")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    asked = parser.parse_args()
    sizes = Sizes(5_000, 4_000, 5) if asked.quick else Sizes(30_000, 30_000, 20)
    print(f"{'':28}{'per second':>12}{'CPU ms each':>12}{'p50 ms':>12}{'p99 ms':>12}")
    with (
        tempfile.TemporaryDirectory() as folder,
        broker(Path(folder)) as bootstrap,
        contextlib.suppress(KeyboardInterrupt),
    ):
        rows = asyncio.run(measure_all(bootstrap, Path(folder), sizes, asked.only))
    bare = [row.per_s or 0 for row in rows if row.what.startswith("bare")]
    dispatcher = [row.per_s or 0 for row in rows if row.what.startswith("dispatcher")]
    if bare and dispatcher:
        print(f"dispatcher / bare client: {dispatcher[0] / statistics.fmean(bare):.2f}")
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
