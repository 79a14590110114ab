"""The faults themselves: how each begins, when it has ended, and how long the road takes from then."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fakes.chaos_plan import Kind, Planned
from fakes.chaos_scene import SESSION_TIMEOUT_S, Scene
from fakes.chaos_table import Fault
from hookline.runtime.broker_process import EmbeddedKafka

_PAUSE_S = SESSION_TIMEOUT_S + 2.0
_AWAY_S = 3.0
_CUT_S = 0.2  # by then the receiver has noticed all connections of a killed process
_VANISHING_PORT = 1


async def play(scene: Scene, planned: Planned, broker: EmbeddedKafka) -> Fault:
    """Let one fault happen, and wait until the road has recovered from it, or has not in time."""
    scene.notes.clear()
    match planned.kind:
        case Kind.KILL:
            return await _kill(scene, planned)
        case Kind.TERM:
            return await _stop(scene, planned)
        case Kind.PAUSE:
            return await _pause(scene, planned)
        case Kind.BROKER:
            return await _kill_broker(scene, planned, broker)
        case Kind.VANISH:
            return await _vanish(scene, planned)


async def _kill(scene: Scene, planned: Planned) -> Fault:
    open_count, cut, began_s = await scene.open_enough(), scene.tally["cut"][0], time.monotonic()
    await scene.running.kill(planned.process)
    ended_s, restarting = time.monotonic(), asyncio.create_task(scene.start(planned.process))
    await asyncio.sleep(_CUT_S)
    in_flight = scene.tally["cut"][0] - cut
    async with _awaited(restarting):
        return await _fault(
            scene, planned, began_s, ended_s, open_count=open_count, in_flight=in_flight, restarting=restarting
        )


async def _stop(scene: Scene, planned: Planned) -> Fault:
    open_count, began_s = await scene.open_enough(), time.monotonic()
    status = await scene.running.stop(planned.process)
    if status != 0:
        scene.notes.append(f"exit status {status}")
    ended_s, restarting = time.monotonic(), asyncio.create_task(scene.start(planned.process))
    async with _awaited(restarting):
        return await _fault(scene, planned, began_s, ended_s, open_count=open_count, restarting=restarting)


@asynccontextmanager
async def _awaited(task: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await task


async def _pause(scene: Scene, planned: Planned) -> Fault:
    """Frozen for longer than the session timeout: it wakes up as nobody."""
    process = scene.running.roles[planned.process].process
    open_count, in_hand, began_s = await scene.open_enough(), scene.tally["in_hand"][0], time.monotonic()
    process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(_PAUSE_S)
    finally:
        process.send_signal(signal.SIGCONT)
    return await _fault(scene, planned, began_s, time.monotonic(), open_count=open_count, in_flight=in_hand)


async def _kill_broker(scene: Scene, planned: Planned, broker: EmbeddedKafka) -> Fault:
    open_count, in_hand, began_s = await scene.open_enough(), scene.tally["in_hand"][0], time.monotonic()
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(_AWAY_S)
    await asyncio.to_thread(broker.start)
    fault = await _fault(scene, planned, began_s, time.monotonic(), open_count=open_count, in_flight=in_hand)
    # A broker that listens has no groups yet: nothing can be committed until their members are back.
    return replace(fault, blind_s=fault.recovered_s - began_s)


async def _vanish(scene: Scene, planned: Planned) -> Fault:
    """One of the receiver's ports closes with all its connections, and opens again."""
    open_count, began_s = await scene.open_enough(), time.monotonic()
    await scene.receiver.tell(f"vanish {_VANISHING_PORT}")
    await asyncio.sleep(_AWAY_S)
    await scene.receiver.tell(f"return {_VANISHING_PORT}")
    return await _fault(scene, planned, began_s, time.monotonic(), open_count=open_count)


async def _fault(
    scene: Scene,
    planned: Planned,
    began_s: float,
    ended_s: float,
    *,
    open_count: int,
    in_flight: int = 0,
    restarting: asyncio.Task[None] | None = None,
) -> Fault:
    recovered_s, recovery_s = await scene.settled(ended_s, restarting)
    return Fault(
        name=str(planned),
        began_s=began_s,
        open_count=open_count,
        in_flight=in_flight,
        is_clean=planned.kind in {Kind.TERM, Kind.VANISH},
        recovered_s=recovered_s,
        recovery_s=recovery_s,
        note="; ".join(scene.notes),
    )
