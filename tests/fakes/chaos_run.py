"""One chaos run on one node: fault after fault under load, until everything is delivered; then the table."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fakes.chaos_faults import play
from fakes.chaos_plan import Plan
from fakes.chaos_receiver import Manners
from fakes.chaos_scene import Scene, scene
from fakes.chaos_sheets import receipts
from fakes.chaos_table import Fault, Table, make_table
from fakes.ledger import make_ledger

ENDPOINTS = 50
_FAILING, _HANGING = (5, 16, 27, 38), (9, 34)
_PORTS = 2
_WARM_EVENTS, _CALIBRATION_EVENTS = 1_000, 4_000
_RATE_MAX, _RATE_STEP = 1_000, 50
_DELAY_MIN_S = 0.15
_OPEN_AIM = 170  # webhooks that healthy endpoints think about at any time, so that 100 deliveries are always open
_STEADY_S = 5.0
_END_S = 120.0


async def run_chaos(plan: Plan, *, folder: Path, cache_dir: Path, say: Callable[[str], None]) -> Table:
    """Play the plan. `say` is told what happens meanwhile."""
    manners = Manners(
        endpoints=ENDPOINTS,
        ports=_PORTS,
        seed=plan.seed,
        delay_s=_DELAY_MIN_S,
        failing=_FAILING,
        hanging=_HANGING,
    )
    async with scene(folder, cache_dir, manners=manners, processes=plan.processes, say=say) as running:
        await _warm(running)
        rate = plan.rate_per_s or await _calibrated(running, say)
        await running.receiver.tell(f"delay {max(_DELAY_MIN_S, _OPEN_AIM / rate):.3f}")
        published, started_s = running.sent["published"][0], time.monotonic()
        await running.publisher.tell(f"rate {rate}")
        await asyncio.sleep(_STEADY_S)
        faults = [told(await play(running, each), say) for each in plan.faults]
        held = (sum(running.sent["acked"]) - published) / (time.monotonic() - started_s)
        say(f"publishing ends at {time.monotonic() - started_s:.0f} s")
        on_record = await _ended(running)
    return _table(plan, running, faults, started_s=started_s, rate=rate, held=held, on_record=on_record)


def told(fault: Fault, say: Callable[[str], None]) -> Fault:
    recovery = "no recovery" if fault.recovery_s is None else f"recovered in {fault.recovery_s:.1f} s"
    say(f"{fault.name}: {fault.open_count} open, {recovery} {fault.note}")
    return fault


async def _warm(running: Scene) -> None:
    await running.publisher.tell(f"burst {_WARM_EVENTS}")
    await _healthy_have(running, _WARM_EVENTS)


async def _calibrated(running: Scene, say: Callable[[str], None]) -> int:
    """Half of the rate at which this machine works off a backlog."""
    started_s = time.monotonic()
    await running.publisher.tell(f"burst {_CALIBRATION_EVENTS}")
    await _healthy_have(running, _WARM_EVENTS + _CALIBRATION_EVENTS)
    possible = _CALIBRATION_EVENTS / (time.monotonic() - started_s)
    rate = min(_RATE_MAX, max(_RATE_STEP, int(possible / 2) // _RATE_STEP * _RATE_STEP))
    say(f"{possible:,.0f} events/s are possible here; the run has {rate}/s")
    return rate


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
    plan: Plan, running: Scene, faults: list[Fault], *, started_s: float, rate: int, held: float, on_record: int
) -> Table:
    ledger = make_ledger(running.load, running.sent, receipts(running.folder))
    return make_table(
        faults,
        ledger,
        title=f"one node: {plan}",
        started_s=started_s,
        rate_per_s=rate,
        rate_share=held / rate,
        refused=int(running.sent["refused"][0]),
        off_record=ledger.acked - on_record,
    )
