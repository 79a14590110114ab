"""One chaos run: fault after fault under load, until everything is delivered; then the table."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fakes.chaos_faults import play
from fakes.chaos_plan import Plan
from fakes.chaos_receiver import Manners
from fakes.chaos_scene import Scene, Site, scene
from fakes.chaos_sheets import receipts
from fakes.chaos_table import RECOVERY_MAX_S, Fault, Table, make_table
from fakes.ledger import make_ledger
from hookline.runtime.broker_process import EmbeddedKafka

ENDPOINTS = 50
_FAILING, _HANGING = (5, 16, 27, 38), (9, 34)
_PORTS = 2
_WARM_EVENTS, _CALIBRATION_EVENTS = 1_000, 4_000
_RATE_MIN, _RATE_MAX, _RATE_STEP = 200, 1_000, 50
# A third of a machine's rate leaves it time for a fault's backlog; but a process that starts takes its whole time on a slow
# one. The machine on which 15 s were measured works off 2,400 a second; where fewer are possible, a calibrated run's
# recoveries may take as much longer.
_POSSIBLE_FOR_PROMISE = 2_400.0
_DELAY_MIN_S, _DELAY_MAX_S = 0.15, 0.65  # an endpoint that thought for a second would look as if nothing ever recovered
_OPEN_AIM = 170  # webhooks that healthy endpoints think about at any time, so that 100 deliveries are always open
_STEADY_S = 5.0
_END_S = 120.0


Happening = Callable[[Scene], Awaitable[Fault]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run is made of; `changes` are settings of the roles.

    `rate_per_s` None: a third of what the machine can do, and at most 1,000.
    """

    title: str
    seed: int
    rate_per_s: int | None
    processes: Sequence[str]
    happenings: Sequence[Happening]
    changes: Mapping[str, object] = field(default_factory=dict)


async def run_chaos(plan: Plan, *, folder: Path, cache_dir: Path, say: Callable[[str], None]) -> Table:
    """Play the plan on one node. `say` is told what happens meanwhile."""
    async with _broker(folder, cache_dir, say) as broker:
        site = Site(bootstrap_servers=broker.bootstrap_servers, road_servers=broker.bootstrap_servers)
        run = Run(
            title=f"one node: {plan}",
            seed=plan.seed,
            rate_per_s=plan.rate_per_s,
            processes=plan.processes,
            happenings=[partial(play, broker=broker, planned=each) for each in plan.faults],
        )
        return await run_on(site, run, folder=folder, say=say)


async def run_on(site: Site, run: Run, *, folder: Path, say: Callable[[str], None]) -> Table:
    """Let one thing after the other happen on any Kafka."""
    manners = Manners(
        endpoints=ENDPOINTS, ports=_PORTS, seed=run.seed, delay_s=_DELAY_MIN_S, failing=_FAILING, hanging=_HANGING
    )
    async with scene(site, folder, manners=manners, processes=run.processes, changes=run.changes) as running:
        await _warm(running)
        rate, recovery_max_s = (run.rate_per_s, RECOVERY_MAX_S) if run.rate_per_s else await _calibrated(running, say)
        await running.receiver.tell(f"delay {min(_DELAY_MAX_S, max(_DELAY_MIN_S, _OPEN_AIM / rate)):.3f}")
        published, started_s = running.sent["published"][0], time.monotonic()
        await running.publisher.tell(f"rate {rate}")
        await asyncio.sleep(_STEADY_S)
        await running.settled(time.monotonic(), None)  # the first fault finds the road as the others do
        faults = [told(await happen(running), say) for happen in run.happenings]
        held = (sum(running.sent["acked"]) - published) / (time.monotonic() - started_s)
        say(f"publishing ends at {time.monotonic() - started_s:.0f} s")
        on_record = await _ended(running)
    table = _table(run.title, running, faults, started_s=started_s, rate=rate, held=held, on_record=on_record)
    return replace(table, recovery_max_s=recovery_max_s)


@asynccontextmanager
async def _broker(folder: Path, cache_dir: Path, say: Callable[[str], None]) -> AsyncIterator[EmbeddedKafka]:
    broker = EmbeddedKafka(data_dir=folder / "kafka", cache_dir=cache_dir, env=os.environ, say=say)
    await asyncio.to_thread(broker.start)
    try:
        yield broker
    finally:
        await asyncio.to_thread(broker.stop)


def told(fault: Fault, say: Callable[[str], None]) -> Fault:
    recovery = "no recovery" if fault.recovery_s is None else f"recovered in {fault.recovery_s:.1f} s"
    say(f"{fault.name}: {fault.open_count} open, {recovery} {fault.note}")
    return fault


async def _warm(running: Scene) -> None:
    await running.publisher.tell(f"burst {_WARM_EVENTS}")
    await _healthy_have(running, _WARM_EVENTS)


async def _calibrated(running: Scene, say: Callable[[str], None]) -> tuple[int, float]:
    """A third of the rate at which this machine works off a backlog, and how long a recovery may take here."""
    started_s = time.monotonic()
    await running.publisher.tell(f"burst {_CALIBRATION_EVENTS}")
    await _healthy_have(running, _WARM_EVENTS + _CALIBRATION_EVENTS)
    possible = _CALIBRATION_EVENTS / (time.monotonic() - started_s)
    rate = min(_RATE_MAX, max(_RATE_MIN, int(possible / 3) // _RATE_STEP * _RATE_STEP))
    recovery_max_s = RECOVERY_MAX_S * max(1.0, _POSSIBLE_FOR_PROMISE / possible)
    say(
        f"{possible:,.0f} events/s are possible here; the run has {rate}/s, and {recovery_max_s:.0f} s for each recovery"
    )
    return rate, recovery_max_s


async def _healthy_have(running: Scene, published: int) -> None:
    healthy = running.manners.healthy()
    await running.delivered(published * len(healthy) // ENDPOINTS, healthy, timeout_s=_END_S)


async def _ended(running: Scene) -> int:
    """Heal the endpoints, and wait until all is delivered and on record, as far as it comes; says how many are on record."""
    await running.receiver.tell("heal")
    await running.publisher.tell("stop")
    count = int(sum(running.sent["acked"]))
    await running.arrived(count, timeout_s=_END_S)
    on_record = await _on_record(running, count)
    await running.running.stop_all()
    await running.receiver.tell("flush")
    return on_record


async def _on_record(running: Scene, count: int) -> int:
    """Deliveries that the history store knows as succeeded, once that is all of them or the time is up."""
    until_s = time.monotonic() + _END_S
    while (found := _succeeded(running.folder)) < count and time.monotonic() < until_s:
        await asyncio.sleep(1)
    return found


def _succeeded(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder / 'history.sqlite'}?mode=ro", uri=True)) as store:
        return int(store.execute("select count(*) from deliveries where outcome = 'succeeded'").fetchone()[0])


def _table(
    title: str, running: Scene, faults: list[Fault], *, started_s: float, rate: int, held: float, on_record: int
) -> Table:
    ledger = make_ledger(running.load, running.sent, receipts(running.folder))
    return make_table(
        faults,
        ledger,
        title=title,
        started_s=started_s,
        rate_per_s=rate,
        rate_share=held / rate,
        refused=int(running.sent["refused"][0]),
        off_record=ledger.acked - on_record,
    )
