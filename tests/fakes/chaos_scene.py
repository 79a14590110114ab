"""Where chaos happens: a running road under load, and what can be seen of it from outside."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fakes.chaos_load import Load, subscribe
from fakes.chaos_receiver import Manners
from fakes.chaos_sheets import Sheet, sent_sheet, tally_sheet
from fakes.chaos_table import OPEN_AT_LEAST
from fakes.configuration import short_settings
from fakes.kafka import make_topics
from fakes.road import Road, road
from fakes.told import Told, telling
from hookline.runtime.settings import Settings

EVENTS_MAX = 2_000_000
# The default: a shorter one is over before a broker on a slow machine is there again, and Kafka's client then fences itself.
SESSION_TIMEOUT_S = 10
_RETRY_TIERS_MS = (1_000, 2_000, 3_000, 4_000, 5_000, 6_000)
_POSTPONED_TIERS_MS = (500, 1_000, 2_000, 4_000)
_REQUEST_S = 3  # a request that hangs ends well before a stop's patience does
_DRAIN_S = 8
_IN_FLIGHT_MAX = 2_000  # endpoints think for long here, and what piled up must not wait for their answers
_YOUNG_S = 1.0  # recovered: nothing healthy that was published longer ago is undelivered
_CALM_S = 1.5  # and so for this long, before the next fault comes
_SETTLE_S = 60.0
_OPEN_WAIT_S = 20.0
_LOOK_S = 0.05
_REVIVED_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A run's Kafka: where the source system finds it and where the road does, and on how many nodes each record is."""

    bootstrap_servers: str
    road_servers: str
    replicas: int = 1


@dataclass(slots=True, kw_only=True)
class Scene:
    """All of one run. `notes` is what is worth saying about the fault that goes on."""

    running: Road
    publisher: Told
    receiver: Told
    manners: Manners
    load: Load
    sent: Sheet
    tally: Sheet
    folder: Path
    notes: list[str] = field(default_factory=list)
    revived: int = 0

    def open_count(self, endpoints: Iterable[int]) -> int:
        """How many deliveries to these are open: acknowledged by Kafka, and not answered with 200."""
        acked, delivered = self.sent["acked"], self.tally["delivered"]
        return sum(acked[each] - delivered[each] for each in endpoints)

    def oldest_age_s(self, endpoints: Iterable[int]) -> float:
        """How long ago the oldest event was published that these have not got; 0 when they have all."""
        published_s, unbroken, now_s = self.sent.times("published_s"), self.tally["unbroken"], time.monotonic()
        firsts = (published_s[unbroken[each] * self.manners.endpoints + each] for each in endpoints)
        return max((now_s - at_s for at_s in firsts if at_s), default=0.0)

    async def delivered(self, count: int, endpoints: Sequence[int], *, timeout_s: float) -> None:
        """Wait until these have got that many different webhooks since the beginning."""
        async with asyncio.timeout(timeout_s):
            while sum(self.tally["delivered"][each] for each in endpoints) < count:
                await self._revive()
                await asyncio.sleep(_LOOK_S)

    async def arrived(self, count: int, *, timeout_s: float) -> None:
        """Wait until `count` deliveries are answered with 200, or the time is up: the ledger says what is missing then."""
        with suppress(TimeoutError):
            await self.delivered(count, range(self.manners.endpoints), timeout_s=timeout_s)

    async def open_enough(self) -> int:
        """The number of open healthy deliveries, as soon as it is large enough for a fault to count."""
        healthy, until_s = self.manners.healthy(), time.monotonic() + _OPEN_WAIT_S
        while (count := self.open_count(healthy)) < OPEN_AT_LEAST and time.monotonic() < until_s:
            await asyncio.sleep(_LOOK_S)
        return count

    async def settled(self, ended_s: float, restarting: asyncio.Task[None] | None) -> tuple[float, float | None]:
        """When the healthy ones had recovered, and how long after `ended_s` that was; None: they had not in time.

        What is `restarting` is there again then, too.
        """
        healthy, late_s = self.manners.healthy(), ended_s
        while (now_s := time.monotonic()) < ended_s + _SETTLE_S:
            if self.oldest_age_s(healthy) >= _YOUNG_S:
                late_s = now_s
            elif now_s >= late_s + _CALM_S and (restarting is None or restarting.done()):
                return late_s, late_s - ended_s
            await self._revive()
            await asyncio.sleep(_LOOK_S)
        return now_s, None

    async def start(self, process: str) -> None:
        """Start a process again, and note how long it took to be ready."""
        started_s = time.monotonic()
        await self.running.start(process)
        self.notes.append(f"ready after {time.monotonic() - started_s:.1f} s")

    async def _revive(self) -> None:
        """Start again what ended by itself, as a supervisor would."""
        ended = {
            name: role.process.returncode
            for name, role in self.running.roles.items()
            if role.process.returncode is not None
        }
        for name, status in ended.items():
            self.revived += 1
            assert self.revived <= _REVIVED_MAX, f"{name} ends again and again: {self.running.log_of(name)}"
            self.notes.append(f"{name} ended by itself with status {status}")
        await asyncio.gather(*(self.running.start(name) for name in ended))  # each takes seconds to be ready


@asynccontextmanager
async def scene(
    site: Site, folder: Path, *, manners: Manners, processes: Sequence[str], changes: Mapping[str, object]
) -> AsyncIterator[Scene]:
    """A running scene, nothing published yet; everything it started has ended when the block has.

    `changes` are settings of the roles that differ from those of every run.
    """
    settings = replace(_settings(site.road_servers), **changes)  # type: ignore[arg-type]  # real settings
    topics = settings.topics()
    await asyncio.to_thread(make_topics, site.bootstrap_servers, topics, replicas=site.replicas)
    async with (
        telling("chaos_receiver", {"manners": asdict(manners), "folder": str(folder)}) as receiver,
        road(settings, folder, roles=()) as running,
    ):
        ports = json.loads(await receiver.heard())
        urls = [f"http://127.0.0.1:{ports[each % len(ports)]}/e{each:03d}" for each in range(manners.endpoints)]
        load = await asyncio.to_thread(subscribe, site.bootstrap_servers, topics, urls)
        await asyncio.gather(*(running.start(name) for name in processes))
        asked = {
            "bootstrap": site.bootstrap_servers,
            "prefix": running.settings.topic_prefix,
            "folder": str(folder),
            "endpoints": manners.endpoints,
            "events_max": EVENTS_MAX,
        }
        async with telling("chaos_publisher", asked) as publisher:
            yield Scene(
                running=running,
                publisher=publisher,
                receiver=receiver,
                manners=manners,
                load=load,
                sent=sent_sheet(folder, endpoints=manners.endpoints, events_max=EVENTS_MAX),
                tally=tally_sheet(folder, endpoints=manners.endpoints),
                folder=folder,
            )


def _settings(bootstrap: str) -> Settings:
    return short_settings(
        bootstrap,
        "chaos.",
        retry_tiers=_RETRY_TIERS_MS,
        postponed_tiers=_POSTPONED_TIERS_MS,
        session_timeout_s=SESSION_TIMEOUT_S,
        request_timeout_s=_REQUEST_S,
        drain_s=_DRAIN_S,
        in_flight_max=_IN_FLIGHT_MAX,
    )
