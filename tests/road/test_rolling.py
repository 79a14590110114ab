"""Deploys, scaling out and in, and a paused process, all under load: what is clean repeats nothing, and nothing is ever lost."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from fakes.configuration import ACCOUNT, account, delivery, short_settings, subscription
from fakes.endpoint import Seen, endpoint
from fakes.kafka import write
from fakes.road import CODEC, Road, road
from hookline.runtime.handshake import ORIGIN
from hookline.runtime.settings import Settings
from hookline.schemas.records import Subscription

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
PER_SECOND = 200
ENDPOINTS = 12
SLOW_S = 0.8  # one endpoint takes this long: its deliveries wait behind its cap while those behind them finish
DYNAMIC = {"HOOKLINE_INSTANCE_ID": ""}


@dataclass(slots=True)
class Load:
    """Deliveries written at a steady rate, as the fan-out writes them."""

    settings: Settings
    subscriptions: Sequence[Subscription]
    sent: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Write until cancelled; what the clock asks for, however late this is called."""
        topic = self.settings.topics().deliveries
        producer = Producer({"bootstrap.servers": self.settings.bootstrap_servers, "partitioner": "murmur2_random"})
        began_s = time.monotonic()
        try:
            while True:
                while len(self.sent) < (time.monotonic() - began_s) * PER_SECOND:
                    made = delivery(self.subscriptions[len(self.sent) % len(self.subscriptions)])
                    producer.produce(topic, CODEC.encode(made), made.subscription_id.encode())
                    self.sent.add(made.delivery_id)
                producer.poll(0)
                await asyncio.sleep(0.01)
        finally:
            assert producer.flush(30) == 0


async def by_path(request: web.Request) -> web.Response:
    await asyncio.sleep(SLOW_S if request.path == "/0" else 0.02)
    return web.Response()


@asynccontextmanager
async def under_load(
    bootstrap: str, prefix: str, folder: Path, *, roles: Sequence[str], dynamic: bool
) -> AsyncIterator[tuple[Road, Load, Seen]]:
    """Dispatchers as processes; when the block ends the load does, and everything sent has been received."""
    session_s = 20 if dynamic else 6  # who leaves says so: nobody waits for that long
    settings = short_settings(bootstrap, prefix, endpoint_in_flight_max=32, session_timeout_s=session_s)
    environment = DYNAMIC if dynamic else {}
    async with endpoint(by_path) as (url, seen), road(settings, folder, roles=(), environment=environment) as running:
        to = [subscription(f"{url}/{number}") for number in range(ENDPOINTS)]
        records = [(each.subscription_id.encode(), CODEC.encode(each)) for each in to]
        await asyncio.to_thread(write, bootstrap, settings.topics().subscriptions, records)
        checking = CODEC.encode(account(checks_ownership=True))  # its requests say which process they are of
        await asyncio.to_thread(write, bootstrap, settings.topics().accounts, [(ACCOUNT.encode(), checking)])
        await asyncio.gather(*(running.start(name) for name in roles))
        load = Load(settings, to)
        loading = asyncio.create_task(load.run())
        await until(lambda: len(seen) > PER_SECOND)
        try:
            yield running, load, seen
        finally:
            loading.cancel()
            await asyncio.wait([loading])
        await until(lambda: load.sent <= received(seen))


def received(seen: Seen) -> set[str]:
    return {request.headers["webhook-id"] for request in seen}


def repeats(seen: Seen) -> list[tuple[str, str]]:
    """What was received more than once with the same attempt number."""
    counted = Counter((request.headers["webhook-id"], request.headers["X-Webhook-Attempt"]) for request in seen)
    return [each for each, times in counted.items() if times > 1]


async def until(condition: Callable[[], bool], *, timeout_s: float = 60) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


async def later_than(seen: Seen, seconds: float) -> None:
    """Until this much more load has come in."""
    wanted = len(seen) + round(seconds * PER_SECOND)
    await until(lambda: len(seen) >= wanted)


async def works(running: Road, name: str, *, more_than: float = 0) -> None:
    """Until this process has made more requests of its own than that."""
    async with asyncio.timeout(60):
        while await running.metric(name, "hookline_attempts_total") <= more_than:
            await asyncio.sleep(0.1)


def shares(settings: Settings, group: str) -> list[int]:
    """How many partitions each member of a group has."""
    client = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    found = client.describe_consumer_groups([settings.group(group)])[settings.group(group)].result(15)
    return sorted(len(member.assignment.topic_partitions) for member in found.members)


async def test_two_dispatchers_share_each_lane(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    async with road(short_settings(bootstrap, prefix), tmp_path, roles=("dispatcher",)) as running:
        await running.start("dispatcher-2")
        async with asyncio.timeout(30):
            for group in ("dispatchers", "dispatchers.second", "dispatchers.replays"):
                while await asyncio.to_thread(shares, running.settings, group) != [4, 4]:
                    await asyncio.sleep(0.2)


async def test_a_rolling_restart_of_static_members_repeats_nothing(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    roles = ("dispatcher", "dispatcher-2")
    async with under_load(bootstrap, prefix, tmp_path, roles=roles, dynamic=False) as (running, load, seen):
        for name in roles:
            await works(running, name)
            assert await running.stop(name) == 0
            await running.start(name)
            await works(running, name)
    print(f"\nrolling restart: {len(load.sent)} sent, {len(seen)} received, {len(repeats(seen))} repeats")
    assert repeats(seen) == []


async def test_scaling_out_and_in_repeats_nothing_and_moves_partitions_at_once(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    roles = ("dispatcher", "dispatcher-2")
    async with under_load(bootstrap, prefix, tmp_path, roles=roles, dynamic=True) as (running, load, seen):
        await running.start("dispatcher-3")
        await works(running, "dispatcher-3")
        await later_than(seen, 2)
        began_s = time.monotonic()
        assert await running.stop("dispatcher-2") == 0
        ended_s, behind = time.monotonic(), load.sent - received(seen)
        await until(lambda: behind <= received(seen))
        taken_over_s = time.monotonic() - ended_s
    print(
        f"\nscaling: {len(load.sent)} sent, {len(repeats(seen))} repeats; left in {ended_s - began_s:.1f} s, "
        f"its partitions taken over {taken_over_s:.1f} s later"
    )
    assert repeats(seen) == []
    assert taken_over_s < load.settings.session_timeout_s


async def test_a_process_that_slept_past_its_session_starts_nothing_until_it_is_a_member_again(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    roles = ("dispatcher", "dispatcher-2")
    async with under_load(bootstrap, prefix, tmp_path, roles=roles, dynamic=False) as (running, load, seen):
        for name in roles:
            await works(running, name)
        sleeper = running.roles["dispatcher"].process
        sleeper.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        await until(lambda: time.monotonic() > stopped_s + load.settings.session_timeout_s + 2)
        behind = set(load.sent)
        await until(lambda: behind <= received(seen))  # the other has taken over all of it
        before, woke_s = received(seen), int(time.time())
        sleeper.send_signal(signal.SIGCONT)
        made = await running.metric("dispatcher", "hookline_attempts_total")
        await works(running, "dispatcher", more_than=made + PER_SECOND)
    own = [each for each in seen if each.headers[ORIGIN] == "dispatcher" and each.headers["webhook-id"] in before]
    woken = [each for each in own if int(each.headers["webhook-timestamp"]) >= woke_s]
    print(f"\npaused: {len(load.sent)} sent, {len(repeats(seen))} repeats, {len(woken)} of them begun after it woke")
    # Requests that were between their last look and their first byte when the process was stopped are on their way when it
    # wakes. They bear the time at which they began.
    assert not woken
