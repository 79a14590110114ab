"""SIGKILL in the middle of the work: nothing is lost, and no delivery has more attempt numbers than the contract has."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from fakes.configuration import short_settings
from fakes.endpoint import Seen, after, endpoint
from fakes.kafka import read, read_until
from fakes.road import CATALOGUE, CODEC, Road, road, sample
from hookline.core.ids import delivery_id
from hookline.core.rendering import Renderer
from hookline.producers import Event
from hookline.runtime.log import KafkaRecord
from hookline.schemas.records import Attempt, Outcome

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(420)]
RENDERER = Renderer(CATALOGUE)
EVENTS = 10_000
OPEN_AT_LEAST = 100
TIERS_MS = (500, 1_000, 1_500, 2_000, 2_500, 3_000)
ATTEMPTS_MAX = 1 + len(TIERS_MS)


async def test_killing_dispatcher_and_fanout_loses_nothing(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    settings = short_settings(bootstrap, prefix, retry_tiers=TIERS_MS)
    # 20 ms an answer, so that there is always something in flight when the axe falls.
    async with road(settings, tmp_path) as running, endpoint(after(0.02, 200)) as (url, seen):
        webhooks = {name: (await running.subscribe(f"{url}/{name}", name))["id"] for name in CATALOGUE.event_types}
        events = [sample(name) for name, _ in zip(itertools.cycle(webhooks), range(EVENTS), strict=False)]
        bodies = {
            delivery_id(each.account_id, each.event_id, webhooks[each.type]): RENDERER.render(each) for each in events
        }
        await publish_and_kill(running, events, set(bodies), seen)
        await arrived(seen, set(bodies), EVENTS, timeout_s=120)
        attempts = await on_record(running, set(bodies))
        letters = read(bootstrap, settings.topics().dead_letters)
    received = Counter(request.headers["webhook-id"] for request in seen)
    numbers = max(len({each.attempt for each in made}) for made in attempts.values())
    lost, unexpected = set(bodies) - set(received), set(received) - set(bodies)
    print(
        f"\nlost {len(lost)}, unexpected {len(unexpected)}, repeats {received.total() - len(received)}, attempt numbers {numbers}"
    )
    assert not lost
    assert not unexpected
    assert all(request.body == bodies[request.headers["webhook-id"]] for request in seen)
    assert numbers <= ATTEMPTS_MAX
    assert not letters


async def publish_and_kill(running: Road, events: Sequence[Event], wanted: set[str], seen: Seen) -> None:
    """Kill each role in the middle of its work; the others go on while it starts again."""
    publishing = asyncio.create_task(running.publish(*events))
    starting: list[asyncio.Task[None]] = []
    for role, share in (("fanout", 0.02), ("dispatcher", 0.2), ("dispatcher", 0.5)):
        await arrived(seen, wanted, int(share * len(wanted)), timeout_s=90)
        await asyncio.gather(*starting)
        await running.kill(role)
        still_open = len(wanted) - len(received_ids(seen))
        fanned_out = len(read(running.settings.bootstrap_servers, running.settings.topics().deliveries))
        print(
            f"\nSIGKILL of {role}: {still_open} deliveries open, {fanned_out} records fanned out of {len(events)} events"
        )
        assert still_open >= OPEN_AT_LEAST
        assert role != "fanout" or fanned_out < len(events)
        starting.append(asyncio.create_task(running.start(role)))
    await asyncio.gather(publishing, *starting)


async def arrived(seen: Seen, wanted: set[str], count: int, *, timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while len(received_ids(seen) & wanted) < count:
            await asyncio.sleep(0.05)


def received_ids(seen: Seen) -> set[str]:
    return {request.headers["webhook-id"] for request in seen}


async def on_record(running: Road, wanted: set[str]) -> dict[str, list[Attempt]]:
    """The attempts by delivery, once every delivery has a success on record."""

    def all_succeeded(records: Sequence[KafkaRecord]) -> bool:
        return wanted <= {each.delivery_id for each in decoded(records) if each.outcome is Outcome.SUCCEEDED}

    topic = running.settings.topics().attempts
    records = await asyncio.to_thread(read_until, running.settings.bootstrap_servers, topic, all_succeeded)
    by_delivery: dict[str, list[Attempt]] = defaultdict(list)
    for each in decoded(records):
        by_delivery[each.delivery_id].append(each)
    return by_delivery


def decoded(records: Sequence[KafkaRecord]) -> list[Attempt]:
    return [CODEC.decode(record.value, Attempt) for record in records]
