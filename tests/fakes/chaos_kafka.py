"""What can happen to Kafka itself and to the link to it, for chaos runs: one of three nodes goes, or a toxic spoils the link."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fakes.chaos_scene import Scene
from fakes.chaos_table import Fault
from fakes.cluster import Cluster
from fakes.toxiproxy import Link

_AWAY_S = 8.0  # by then the two that are left have noticed, and elected
_WRITES_S = 60.0
_LOOK_S = 0.05


async def kill_node(scene: Scene, *, kafka: Cluster, node_id: int) -> Fault:
    """One of three nodes is gone, and later there again. Recovery counts from the kill: two have to do."""
    scene.notes.clear()
    open_count, in_hand, began_s = await scene.open_enough(), scene.tally["in_hand"][0], time.monotonic()
    await kafka.kill(node_id)
    blind_s = await _written_again(scene) - began_s
    scene.notes.append(f"two nodes took writes after {blind_s:.1f} s")
    _, recovery_s = await scene.settled(began_s, None)
    await asyncio.sleep(max(0.0, began_s + _AWAY_S - time.monotonic()))
    await kafka.start(node_id)
    returned_s = time.monotonic()
    await kafka.wait_in_sync()
    scene.notes.append(f"in sync {time.monotonic() - returned_s:.1f} s after it answered")
    recovered_s, calm_s = await scene.settled(time.monotonic(), None)  # its return disturbs nobody for long either
    return Fault(
        name=f"SIGKILL of node {node_id}",
        began_s=began_s,
        open_count=open_count,
        in_flight=in_hand,
        is_clean=False,
        recovered_s=recovered_s,
        recovery_s=None if calm_s is None else recovery_s,
        blind_s=blind_s,
        note="; ".join(scene.notes),
    )


async def _written_again(scene: Scene) -> float:
    """When Kafka had acknowledged what was published in the second after this call, on every partition."""
    await asyncio.sleep(1.0)
    published, until_s = scene.sent["published"][0], time.monotonic() + _WRITES_S
    while sum(scene.sent["acked"]) < published and time.monotonic() < until_s:
        await asyncio.sleep(_LOOK_S)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Spoiled:
    """One way to spoil the link: so often, for so long, with a good link in between; `is_cut`: nothing can be committed.

    `kind` and `attributes` are toxiproxy's; the unit is milliseconds, and kilobytes a second.
    """

    name: str
    kind: str
    streams: tuple[str, ...]
    attributes: Mapping[str, int] = field(default_factory=dict)
    lasts_s: float = 20.0
    times: int = 1
    between_s: float = 0.0
    is_cut: bool = False


async def spoil(scene: Scene, *, link: Link, how: Spoiled) -> Fault:
    """The link is bad for a while. Recovery counts from when it is good again."""
    scene.notes.clear()
    open_count, in_hand, began_s = await scene.open_enough(), scene.tally["in_hand"][0], time.monotonic()
    for _ in range(how.times):
        await asyncio.sleep(how.between_s)
        async with link.toxic(how.kind, *how.streams, **how.attributes):
            await asyncio.sleep(how.lasts_s)
    scene.notes.append(f"oldest undelivered then {scene.oldest_age_s(scene.manners.healthy()):.1f} s")
    ended_s = time.monotonic()
    recovered_s, recovery_s = await scene.settled(ended_s, None)
    return Fault(
        name=how.name,
        began_s=began_s,
        open_count=open_count,
        in_flight=in_hand,
        is_clean=False,
        recovered_s=recovered_s,
        recovery_s=recovery_s,
        blind_s=ended_s - began_s if how.is_cut else 0.0,
        note="; ".join(scene.notes),
    )
