"""Endpoints that get more than they can take: one with a rate limit, and one that answers in 1 s with a backlog.

`make postponing ARGS="limited"`: what each delivery costs in writes to Kafka, in which order they come, which rate is kept.
`make postponing ARGS="slow"`: how many of its requests are in flight, and what that does to a healthy endpoint.
"""

import argparse
import asyncio
import bisect
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from load import (
    Load,
    Receiver,
    Row,
    Source,
    Verdicts,
    broker,
    configure,
    fresh,
    partition_of,
    percentile,
    publishing,
    receiving,
)

from fakes.configuration import delivery, short_settings, subscription
from fakes.kafka import read, write
from fakes.road import CODEC, Road, road
from hookline.runtime.log import KafkaRecord
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, Delivery, Outcome, Subscription
from hookline.schemas.topics import POSTPONED_TIERS_MS, RETRY_TIERS_MS

WRITES_MAX, OUT_OF_ORDER_MAX, SHARE_OF_CAP_MIN = 4, 0.1, 0.8
_ROLES = ("fanout", "dispatcher", "history")
_LIMITED, _SLOW, _HEALTHY = "acct_limited", "acct_slow", "acct_healthy"
_ANSWER_S, _SLICE_S, _HEALTHY_RATE = 1.0, 10, 50
_PADDING = b" " * 150  # as long as an event's body
Figures = dict[str, object]


@dataclass(slots=True)
class Bench:
    running: Road
    receiver: Receiver
    source: Source
    verdicts: Verdicts

    @property
    def settings(self) -> Settings:
        return self.running.settings


# -- an endpoint with a rate limit ------------------------------------------------------------------------------------


async def measure_limited(bench: Bench, asked: argparse.Namespace) -> Figures:
    to = replace(subscription(f"{bench.receiver.url}limited", account_id=_LIMITED), rate_limit=asked.limit)
    configure(bench.settings, to)
    load = Load(rate=asked.rate, count=asked.rate * asked.seconds, accounts=(_LIMITED,), ids=_ids())
    wanted = load.deliveries([to])
    held = await bench.source.publish(load)
    print(f"{load.count:,} events published, {held:.1%} of the rate held; at {asked.limit}/s they take", end=" ")
    print(f"{load.count / asked.limit / 60:.1f} min", flush=True)
    rows = await bench.receiver.received(wanted, within_s=2 * load.count / asked.limit + 120)
    attempts = await on_record(bench, len(wanted))
    records = await asyncio.to_thread(read, bench.settings.bootstrap_servers, *waiting_topics(bench.settings))
    writes = writes_by_delivery(records, attempts, wanted)
    starts_ms = sorted(each.started_at_ms for each in attempts if each.outcome in {Outcome.SUCCEEDED, Outcome.FAILED})
    first = {row.delivery_id: row for row in reversed(rows)}
    return judged_limited(
        bench.verdicts,
        sent=len(wanted),
        limit=asked.limit,
        writes=writes,
        starts_ms=starts_ms,
        rows=list(first.values()),
    )


def judged_limited(
    verdicts: Verdicts,
    *,
    sent: int,
    limit: int,
    writes: Sequence[int],
    starts_ms: Sequence[int],
    rows: Sequence[Row],
) -> Figures:
    came = sorted(rows, key=lambda row: row.came_ns)
    lasted_s = (starts_ms[-1] - starts_ms[0]) / 1_000
    figures: Figures = {
        "sent": sent,
        "received": len(rows),
        "requests": len(starts_ms),
        "writes_mean": statistics.fmean(writes),
        "writes_by_count": dict(sorted(Counter(writes).items())),
        "out_of_order": out_of_order([row.sent_ns for row in came]),
        "most_in_a_second": most_within(starts_ms, 1_000),
        "most_came_in_a_second": most_within([row.came_ns // 1_000_000 for row in came], 1_000),
        "mean_per_s": (len(starts_ms) - 1) / lasted_s if lasted_s else float("nan"),
        "drained_in_s": lasted_s,
    }
    for name, value in figures.items():
        print(
            f"  {name.replace('_', ' ')}: {value:,.4g}"
            if isinstance(value, float)
            else f"  {name.replace('_', ' ')}: {value}"
        )
    verdicts.claim("deliveries that did not come", sent - len(rows), at_most=0)
    verdicts.claim(
        "writes to Kafka for a delivery after its fan-out, mean", statistics.fmean(writes), at_most=WRITES_MAX
    )
    verdicts.claim("share out of order", out_of_order([row.sent_ns for row in came]), at_most=OUT_OF_ORDER_MAX)
    # One more than the limit: a request that begins some milliseconds after its turn, and ten that do not, share a second.
    verdicts.claim("most requests begun in any second", most_within(starts_ms, 1_000), at_most=limit + 1)
    verdicts.claim("most requests begun in any 10 seconds", most_within(starts_ms, 10_000), at_most=10 * limit + 1)
    return figures


def waiting_topics(settings: Settings) -> list[str]:
    """Where a delivery is written after its fan-out, attempts aside."""
    topics = settings.topics()
    tiers = [topics.retry(tier) for tier in RETRY_TIERS_MS] + [topics.postponed(tier) for tier in POSTPONED_TIERS_MS]
    return [*tiers, topics.redeliveries]


async def on_record(bench: Bench, succeeded: int) -> list[Attempt]:
    """All attempts, once so many deliveries have a success on record, or half a minute after the last request."""
    topic, until_s = bench.settings.topics().attempts, time.monotonic() + 30
    while True:
        records = await asyncio.to_thread(read, bench.settings.bootstrap_servers, topic)
        attempts = [CODEC.decode(record.value, Attempt) for record in records]
        done = {each.delivery_id for each in attempts if each.outcome is Outcome.SUCCEEDED}
        if len(done) >= succeeded or time.monotonic() > until_s:
            return attempts
        await asyncio.sleep(1)


def writes_by_delivery(
    records: Iterable[KafkaRecord], attempts: Iterable[Attempt], wanted: Mapping[str, str]
) -> list[int]:
    """How many records each of the wanted deliveries has on these topics and in `webhooks.attempts`."""
    counted = Counter(dict.fromkeys(wanted, 0))
    counted.update(CODEC.decode(record.value, Delivery).delivery_id for record in records)
    counted.update(each.delivery_id for each in attempts)
    return [counted[each] for each in wanted]


def out_of_order(created: Sequence[int]) -> float:
    """The least share that has to be taken away for the rest to be oldest first."""
    ends: list[int] = []  # ends[n]: the earliest end of an ordered row of n + 1
    for each in created:
        place = bisect.bisect_right(ends, each)
        ends[place : place + 1] = [each]
    return 1 - len(ends) / len(created) if created else 0.0


def most_within(times: Sequence[int], width: int) -> int:
    """The most of these ascending times that lie in any window of this width, its end left out."""
    return max(
        (number - bisect.bisect_right(times, each - width, 0, number) + 1 for number, each in enumerate(times)),
        default=0,
    )


# -- an endpoint that answers in 1 s ----------------------------------------------------------------------------------


async def measure_slow(bench: Bench, asked: argparse.Namespace) -> Figures:
    slow, healthy = neighbours(bench.receiver)
    configure(bench.settings, slow, healthy)
    await bench.receiver.behave(late_s={"slow": _ANSWER_S})
    await publish_to_healthy(bench, healthy, 5)  # warm
    before = await publish_to_healthy(bench, healthy, asked.before)
    write_backlog(bench.settings, slow, asked.backlog)
    await publish_to_healthy(bench, healthy, asked.settle)
    slices, rows = list[float](), list[Row]()
    for _ in range(max(1, asked.seconds // _SLICE_S)):
        rows += await publish_to_healthy(bench, healthy, _SLICE_S, slices)
    cap = bench.settings.endpoint_in_flight_max
    figures: Figures = {
        "cap": cap,
        "in_flight_mean": statistics.fmean(slices),
        "in_flight_least_of_10_s": min(slices),
        "healthy_before_p50_p99_ms": _middle_and_tail(before),
        "healthy_during_p50_p99_ms": _middle_and_tail(rows),
    }
    for name, value in figures.items():
        print(f"  {name.replace('_', ' ')}: {value}")
    share = statistics.fmean(slices) / cap
    bench.verdicts.claim("share of its cap that the slow endpoint had in flight", share, at_least=SHARE_OF_CAP_MIN)
    bench.verdicts.claim("most in flight at the slow endpoint in any 10 s", max(slices), at_most=cap)
    ratio = _middle_and_tail(rows)[1] / _middle_and_tail(before)[1]
    bench.verdicts.claim("healthy endpoint's p99, with / without the backlog", ratio, at_most=1.2)
    return figures


def neighbours(receiver: Receiver) -> tuple[Subscription, Subscription]:
    """The slow subscription, and a healthy one that shares its partition."""
    slow = subscription(f"{receiver.url}slow", account_id=_SLOW)
    while True:
        healthy = subscription(f"{receiver.at('127.0.1.1')}healthy", account_id=_HEALTHY)
        if partition_of(healthy.subscription_id) == partition_of(slow.subscription_id):
            return slow, healthy


def write_backlog(settings: Settings, to: Subscription, count: int) -> None:
    """Deliveries as the fan-out would have written them."""
    body = b'{"event":"user.created","data":{"id":"user_1"}}' + _PADDING
    records = [(to.subscription_id.encode(), CODEC.encode(delivery(to, body))) for _ in range(count)]
    write(settings.bootstrap_servers, settings.topics().deliveries, records)


async def publish_to_healthy(
    bench: Bench, healthy: Subscription, seconds: int, in_flight: list[float] | None = None
) -> list[Row]:
    """What the healthy endpoint got of so many seconds of events; the slow one's mean in flight meanwhile."""
    load = Load(rate=_HEALTHY_RATE, count=_HEALTHY_RATE * seconds, accounts=(_HEALTHY,), ids=_ids())
    wanted = load.deliveries([healthy])
    await bench.receiver.stats("?reset")
    await bench.source.publish(load)
    slow = (await bench.receiver.stats("?in_flight"))["in_flight"].get("slow", [0.0, 0])
    if in_flight is not None:
        in_flight.append(slow[0])
    rows = [row for row in await bench.receiver.received(wanted, within_s=60) if row.delivery_id in wanted]
    missing = len(wanted.keys() - {row.delivery_id for row in rows})
    print(
        f"  {seconds:4} s: healthy p50 / p99 {_show(rows)}, {missing} missing; slow in flight {slow[0]:.1f}", flush=True
    )
    assert not missing, "deliveries to the healthy endpoint did not come"
    return rows


def _show(rows: Sequence[Row]) -> str:
    return " / ".join(f"{each:.1f}" for each in _middle_and_tail(rows)) + " ms"


def _middle_and_tail(rows: Sequence[Row]) -> tuple[float, float]:
    latencies_ms = [row.latency_ms for row in rows]
    return percentile(latencies_ms, 50), percentile(latencies_ms, 99)


# -- running ----------------------------------------------------------------------------------------------------------


def _ids() -> str:
    return f"evt_{uuid.uuid4().hex}_"


async def measure(settings: Settings, folder: Path, asked: argparse.Namespace, verdicts: Verdicts) -> Figures:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving(1))
        running = await stack.enter_async_context(road(settings, folder, roles=_ROLES))
        source = await stack.enter_async_context(publishing(running.settings))
        bench = Bench(running, receiver, source, verdicts)
        measured = measure_limited if asked.what == "limited" else measure_slow
        return await measured(bench, asked)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True)
    limited = kinds.add_parser("limited", help="an endpoint with a rate limit")
    limited.add_argument("--rate", type=int, default=100, help="events a second")
    limited.add_argument("--limit", type=int, default=10, help="requests a second that the endpoint takes")
    limited.add_argument(
        "--seconds", type=int, default=300, help="of publishing; delivering takes rate / limit as long"
    )
    slow = kinds.add_parser("slow", help="an endpoint that answers in 1 s, with a backlog")
    slow.add_argument("--backlog", type=int, default=20_000, help="deliveries")
    slow.add_argument("--before", type=int, default=30, help="seconds that the healthy endpoint is measured without it")
    slow.add_argument("--settle", type=int, default=30, help="seconds between the backlog's coming and measuring")
    slow.add_argument("--seconds", type=int, default=300, help="of measuring")
    for each in (limited, slow):
        each.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def main() -> None:
    asked, verdicts = _asked(), Verdicts()
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as bootstrap:
        settings = short_settings(
            bootstrap, "", retry_tiers=RETRY_TIERS_MS, postponed_tiers=POSTPONED_TIERS_MS, session_timeout_s=10
        )
        figures = asyncio.run(measure(fresh(settings), Path(folder), asked, verdicts))
    if asked.json is not None:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(verdicts.status())


if __name__ == "__main__":
    main()
