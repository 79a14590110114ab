"""Latency at healthy endpoints while others hang or cannot be resolved: blocks without and with bad ones in turn, in one run.

1,000 deliveries a second over 100 endpoints: 200 events a second, each for 5 subscriptions. Compared are the healthy endpoints of
the `with` blocks, in both kinds of block. `make isolation ARGS="--bad partition"` (also `forty`, `dns`).

`--bad replay`: nobody is bad, but in the `with` blocks one of the endpoints has a backlog of replays, which is worked off.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from load import (
    Load,
    Receiver,
    Row,
    Source,
    Verdicts,
    broker,
    configure,
    cpu_of,
    fresh,
    machine_s,
    naming,
    partition_of,
    percentile,
    publishing,
    receiving,
)
from replaying import Replayed, backlog, outcome, write_backlog

from fakes.configuration import short_settings, subscription
from fakes.kafka import read
from fakes.road import Road, road
from hookline.runtime.settings import Settings
from hookline.schemas.records import Delivery, Subscription
from hookline.schemas.tiers import tier_ms

ENDPOINTS, FAN_OUT, PARTITIONS = 100, 5, 8
ACCOUNTS = tuple(f"acct_{number}" for number in range(ENDPOINTS // FAN_OUT))
RATIO_MAX = 1.2
# Shorter than the contract's, so that what the bad ones missed is delivered before the next block; more load, not less.
RETRY_TIERS = ("1s", "10s", "30s", "1m", "1m", "1m")
POSTPONED_TIERS = ("1s", "10s", "30s")
_BAD = {"partition": PARTITIONS, "forty": 40, "dns": 50, "replay": 0}
_FULL = 0.97  # a machine without idle time
_LATE_S, _SETTLE_S, _WARM_S, _WRITTEN_S = 30.0, 5.0, 10, 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    bad: str
    rate: int
    block_s: int
    blocks: int
    drain_max_s: int
    replays: int  # in all blocks together


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block's figures, of the healthy endpoints where nothing else is said."""

    with_bad: bool
    sent: int
    received: int
    repeats: int
    p50_ms: float
    p99_ms: float
    halves_p99_ms: tuple[float, float]
    rate_held: float
    machine_busy: float
    cores: float  # that Hookline and its broker used
    bad_in_flight: float
    bad_sent: int
    bad_received: int
    drain_s: float = 0.0
    replayed: Replayed | None = None


@dataclass(slots=True)
class Endpoints:
    """All subscriptions, and which of them are made bad. A path is the subscription's id."""

    plan: Plan
    receiver: Receiver
    running: Road
    all: Sequence[Subscription]
    bad: frozenset[str]
    turns: Iterator[int] = field(default_factory=itertools.count)
    replays: Sequence[Delivery] = ()

    async def turn_bad(self) -> None:
        if self.plan.bad == "replay":
            self.replays = backlog(self.all[0], self.plan.replays // (self.plan.blocks // 2))
            await asyncio.to_thread(write_backlog, self.running.settings, self.replays)
            await asyncio.sleep(_WRITTEN_S)  # the writing itself is no part of what is measured
            return
        if self.plan.bad != "dns":
            await self.receiver.behave(hang=self.bad)
            return
        turn = next(self.turns)  # names that nobody has looked up before
        self._move(lambda number: f"http://silent.shop-{number}-{turn}.test:{self.receiver.port}/")

    async def turn_well(self) -> None:
        await self.receiver.behave()
        if self.plan.bad == "dns":
            self._move(lambda number: self.receiver.at(address(number)))

    def _move(self, base: Callable[[int], str]) -> None:
        """The bad ones' customers change their URLs; what was judged of the old ones counts no more."""
        moved = [
            replace(
                each,
                version=each.version + 1,
                judged_from=each.version + 1,
                url=f"{base(number)}{each.subscription_id}",
            )
            if each.subscription_id in self.bad
            else each
            for number, each in enumerate(self.all)
        ]
        configure(self.running.settings, *(each for each in moved if each.subscription_id in self.bad))
        self.all = moved


def address(number: int) -> str:
    """Every endpoint has an address of its own, so that no share of one address is taken for one of an endpoint."""
    return f"127.0.1.{number + 1}"


def drawn(plan: Plan, receiver: Receiver, running: Road) -> Endpoints:
    """Subscriptions with at least one bad one on every partition of the fresh lane; more bad ones until there are enough."""
    while True:
        made = [_subscription(plan, receiver, number) for number in range(ENDPOINTS)]
        first_of = {partition_of(each.subscription_id): each.subscription_id for each in reversed(made)}
        if len(first_of) == PARTITIONS:
            others = (each.subscription_id for each in made if each.subscription_id not in first_of.values())
            bad = [*first_of.values(), *others][: _BAD[plan.bad]]
            return Endpoints(plan, receiver, running, made, frozenset(bad))


def _subscription(plan: Plan, receiver: Receiver, number: int) -> Subscription:
    made = subscription("", account_id=ACCOUNTS[number % len(ACCOUNTS)])
    by_name = plan.bad == "dns" and number % 2  # healthy endpoints, too, have to be looked up
    host = f"shop-{number}.test" if by_name else address(number)
    return replace(made, url=f"{receiver.at(host)}{made.subscription_id}")


async def measure(plan: Plan, settings: Settings, folder: Path) -> list[Block]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving(ENDPOINTS))
        servers = await stack.enter_async_context(naming()) if plan.bad == "dns" else ""
        settings = replace(settings, dns_servers=servers)
        running = await stack.enter_async_context(road(settings, folder, roles=("fanout", "dispatcher", "history")))
        endpoints = drawn(plan, receiver, running)
        configure(running.settings, *endpoints.all)
        source = await stack.enter_async_context(publishing(running.settings))
        await warm(plan, endpoints, source)
        return [told(number, await measure_block(endpoints, source, number)) for number in range(plan.blocks)]


async def warm(plan: Plan, endpoints: Endpoints, source: Source) -> None:
    """Connections, producer ids, caches; and the partitions are those that were thought of."""
    load = _load(plan, _WARM_S)
    await source.publish(load)
    wanted = load.deliveries(endpoints.all)
    rows = await endpoints.receiver.received(wanted, within_s=60)
    missing = len(wanted.keys() - {row.delivery_id for row in rows})
    assert not missing, f"{missing} of {len(wanted)} deliveries did not come while nothing was bad"
    settings = endpoints.running.settings
    records = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().deliveries)
    assert all(partition_of((each.key or b"").decode()) == each.partition for each in records)


async def measure_block(endpoints: Endpoints, source: Source, number: int) -> Block:
    """Every second block has bad endpoints. What they missed is delivered before the block is over, but not measured."""
    plan, receiver, with_bad = endpoints.plan, endpoints.receiver, bool(number % 2)
    load = _load(plan, plan.block_s)
    wanted = load.deliveries(endpoints.all)
    await asyncio.sleep(_SETTLE_S)
    await receiver.stats("?reset")
    if with_bad:
        await endpoints.turn_bad()
    busy_s, had_s = machine_s()
    with cpu_of(endpoints.running, endpoints.running.settings) as cpu:
        held = await source.publish(load)
    busy = [now - before for now, before in zip(machine_s(), (busy_s, had_s), strict=True)]
    in_flight = (await receiver.stats("?in_flight"))["in_flight"]
    healthy = {each for each, to in wanted.items() if to not in endpoints.bad}
    rows = await received_by_healthy(receiver, healthy)
    block = summary(rows, healthy, with_bad=with_bad)
    block = replace(
        block,
        rate_held=held,
        machine_busy=busy[0] / busy[1],
        cores=sum(cpu.values()) / plan.block_s,
        bad_in_flight=sum(mean for path, (mean, _) in in_flight.items() if path in endpoints.bad),
    )
    return await drained(block, endpoints, wanted)


async def received_by_healthy(receiver: Receiver, healthy: set[str]) -> list[Row]:
    """The first copy's row of each healthy delivery and its repeats, once all came or the last has had time enough."""
    return [row for row in await receiver.received(healthy, within_s=_LATE_S) if row.delivery_id in healthy]


def summary(rows: Sequence[Row], healthy: set[str], *, with_bad: bool) -> Block:
    first = {row.delivery_id: row for row in reversed(rows)}
    by_time = [row.latency_ms for row in sorted(first.values(), key=lambda row: row.sent_ns)]
    half = len(by_time) // 2
    return Block(
        with_bad=with_bad,
        sent=len(healthy),
        received=len(first),
        repeats=len(rows) - len(first),
        p50_ms=percentile(by_time, 50),
        p99_ms=percentile(by_time, 99),
        halves_p99_ms=(percentile(by_time[:half], 99), percentile(by_time[half:], 99)),
        rate_held=0.0,
        machine_busy=0.0,
        cores=0.0,
        bad_in_flight=0.0,
        bad_sent=0,
        bad_received=0,
    )


async def drained(block: Block, endpoints: Endpoints, wanted: Mapping[str, str]) -> Block:
    """Bad endpoints become well; wait until they have everything as well."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    if block.with_bad:
        await endpoints.turn_well()
    replays = endpoints.replays if block.with_bad else ()
    all_ids = wanted.keys() | {each.delivery_id for each in replays}
    rows = await endpoints.receiver.received(all_ids, within_s=endpoints.plan.drain_max_s)
    ids = {row.delivery_id for row in rows}
    bad = {each for each, to in wanted.items() if to in endpoints.bad}
    block = replace(block, bad_sent=len(bad), bad_received=len(bad & ids), drain_s=loop.time() - started_s)
    if not replays:
        return block
    return replace(block, replayed=await asyncio.to_thread(outcome, endpoints.running.settings, replays, rows))


def _load(plan: Plan, seconds: int) -> Load:
    rate = plan.rate / FAN_OUT
    return Load(rate=rate, count=round(rate * seconds), accounts=ACCOUNTS, ids=f"evt_{uuid.uuid4().hex}_")


def told(number: int, block: Block) -> Block:
    if not number:
        print(
            f"{'block':14}{'healthy sent':>13}{'received':>9}{'repeats':>8}{'p50 ms':>8}{'p99 ms':>9}{'rate held':>10}"
            f"{'machine':>8}{'cores':>6}{'in flight at bad':>17}{'bad sent':>9}{'received':>9}{'after s':>8}"
        )
    print(
        f"{number + 1} {'with bad' if block.with_bad else 'without':12}{block.sent:13,}{block.received:9,}{block.repeats:8,}"
        f"{block.p50_ms:8.1f}{block.p99_ms:9.1f}{block.rate_held:10.1%}{block.machine_busy:8.0%}{block.cores:6.2f}"
        f"{block.bad_in_flight:17.1f}{block.bad_sent:9,}{block.bad_received:9,}{block.drain_s:8.0f}",
        flush=True,
    )
    return block


def judged(blocks: Sequence[Block]) -> Verdicts:
    verdicts = Verdicts()
    without, with_bad = blocks[::2], blocks[1::2]
    ratios = [bad.p99_ms / good.p99_ms for good, bad in zip(without, with_bad, strict=False)]
    same = [later.p99_ms / earlier.p99_ms for earlier, later in itertools.combinations(without, 2)]
    halves = [second / first for first, second in (block.halves_p99_ms for block in without)]
    full = sum(block.machine_busy > _FULL for block in blocks)
    if full:
        print(
            f"In {full} blocks the machine was full: their latency is that of a queue, and says nothing of isolation."
        )
    print(f"p99 with / without, pair by pair: {_listed(ratios)}")
    print(f"A/A control: without / without {_listed(same)}; second / first half of each without {_listed(halves)}")
    verdicts.claim("healthy deliveries that did not come", sum(each.sent - each.received for each in blocks), at_most=0)
    verdicts.claim(
        "deliveries to bad endpoints that did not come",
        sum(each.bad_sent - each.bad_received for each in blocks),
        at_most=0,
    )
    for each in [block.replayed for block in blocks if block.replayed is not None]:
        verdicts.claim(f"of {each.written:,} replays that did not come", each.missing, at_most=0)
        verdicts.claim("replays that came twice", each.twice, at_most=0)
        verdicts.claim("replays that started before one that lies before them", each.disordered, at_most=0)
    verdicts.claim("least share of the rate held", min(each.rate_held for each in blocks), at_least=0.95)
    if ratios:
        verdicts.claim("median of the paired p99 ratios", statistics.median(ratios), at_most=RATIO_MAX)
    return verdicts


def _listed(ratios: Sequence[float]) -> str:
    return f"{', '.join(f'{each:.2f}' for each in ratios)} (median {statistics.median(ratios):.2f})" if ratios else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bad", choices=sorted(_BAD), default="partition", help="which endpoints are bad, and how")
    parser.add_argument("--rate", type=int, default=1_000, help="deliveries a second")
    parser.add_argument("--seconds", type=int, default=60, help="of a block")
    parser.add_argument("--blocks", type=int, default=6, help="without and with, in turn")
    parser.add_argument("--drain-max", type=int, default=900, help="seconds that bad endpoints have to catch up")
    parser.add_argument("--replays", type=int, default=100_000, help="with --bad replay: in all blocks together")
    parser.add_argument("--json", type=Path, help="also write the blocks to this file")
    asked = parser.parse_args()
    plan = Plan(asked.bad, asked.rate, asked.seconds, asked.blocks, asked.drain_max, asked.replays)
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as bootstrap:
        settings = short_settings(
            bootstrap,
            "",
            retry_tiers=tuple(tier_ms(name) for name in RETRY_TIERS),
            postponed_tiers=tuple(tier_ms(name) for name in POSTPONED_TIERS),
            session_timeout_s=10,
            drain_s=35,
        )
        blocks = asyncio.run(measure(plan, fresh(settings), Path(folder)))
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(block) for block in blocks], indent=2) + "\n")
    sys.exit(judged(blocks).status())


if __name__ == "__main__":
    main()
