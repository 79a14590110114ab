"""A subscription that was paused while events happened catches up: each of them once, an entity's in their order."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import short_settings, subscription
from fakes.endpoint import endpoint
from fakes.kafka import read, write
from fakes.replaying import (
    NOW_MS,
    ask,
    commit_ends,
    configure,
    dispatchers_that_keep_up,
    event_ids,
    events,
    job_for,
    outcome,
    publish,
    sent,
    until_over,
)
from fakes.road import CODEC, Road, road
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Attempt, Event, Job, JobState, Outcome, Subscription, SubscriptionStatus

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_800)]
ENTITIES = 20
LIVE = 50
RATE = 1_000


async def test_what_a_paused_webhook_missed_is_written_for_it_once_and_nothing_that_it_got(
    bootstrap: str, prefix: str, tmp_path: Path, missed_count: int
) -> None:
    settings = short_settings(bootstrap, prefix)
    async with road(settings, tmp_path, roles=("fanout", "history", "replay")) as running:
        to, missed, live, job = await paused_and_back(running, "http://127.0.0.1:1/", missed_count)
        async with dispatchers_that_keep_up(running.settings):
            await fanned_out(running.settings)
            delivered(running.settings, to, live)
            ask(running.settings, job)
            ended = await until_over(running.settings, job, timeout_s=60 + missed_count / 300)
        found = sent(running.settings, job=job)
    assert (ended.state, ended.sent, ended.lost) == (JobState.DONE, missed_count, 0)
    in_order_of_entities(event_ids(found), missed)
    assert {each.run for each in found} == {job.run}


async def test_a_paused_webhook_catches_up_completely(
    bootstrap: str, prefix: str, tmp_path: Path, missed_count: int
) -> None:
    settings = short_settings(bootstrap, prefix)
    async with (
        endpoint(200) as (url, seen),
        road(settings, tmp_path, roles=("fanout", "dispatcher", "history", "replay")) as running,
    ):
        _, missed, _, job = await paused_and_back(running, url, missed_count)
        ask(running.settings, job)
        await until_over(running.settings, job, timeout_s=60 + missed_count / 300)
        requests = await seen.wait_for(missed_count + LIVE, 60 + missed_count / 100)
        attempts = await on_record(running.settings, missed_count + LIVE)
    assert len({each.headers["webhook-id"] for each in requests}) == len(requests) == missed_count + LIVE
    assert Counter(each.outcome for each in attempts) == {Outcome.SUCCEEDED: missed_count + LIVE}
    assert {each.job_id for each in attempts if each.run} == {job.job_id}
    started = sorted((each for each in attempts if each.run), key=lambda each: each.started_at_ms)
    began_ms = {each.event_id: each.started_at_ms for each in started}
    for entity in range(ENTITIES):
        times = [began_ms[each] for each in event_ids(missed[entity::ENTITIES])]
        assert times == sorted(times)


async def paused_and_back(
    running: Road, url: str, count: int
) -> tuple[Subscription, Sequence[Event], Sequence[Event], Job]:
    """So many events while the subscription was paused, and some more since it is active; then the job to ask for."""
    settings = running.settings
    to = subscription(url, "order.created")
    configure(settings, replace(to, status=SubscriptionStatus.PAUSED))
    missed, live = events(count), events(LIVE)
    of_entities(settings, missed)
    await fanned_out(settings)
    configure(settings, replace(to, version=2))
    of_entities(settings, live)
    now_ms = NOW_MS + 3_600_000
    return to, missed, live, job_for(to, rate=RATE, until_ms=now_ms)


def of_entities(settings: Settings, published: Sequence[Event]) -> None:
    for entity in range(ENTITIES):
        publish(settings, published[entity::ENTITIES], at_ms=NOW_MS, key=f"order_{entity}".encode())


async def fanned_out(settings: Settings) -> None:
    """Wait until the fan-out has committed all there is."""
    topic = settings.topics().events("order.created")
    partitions = [TopicPartition(topic, number) for number in range(4)]
    ends = EndOffsets(settings.bootstrap_servers, group=settings.group("fanout"))
    try:
        async with asyncio.timeout(120):
            while True:
                with suppress(NotYet):
                    if all(at >= end for at, end in (await ends.backlog(partitions)).values()):
                        return
                await asyncio.sleep(0.1)
    finally:
        await ends.close()


def delivered(settings: Settings, to: Subscription, live: Sequence[Event]) -> None:
    """In the place of dispatchers: what was fanned out is on record as delivered, and then committed."""
    topics = settings.topics()
    records = [outcome(each, to, at_ms=NOW_MS) for each in live]
    write(
        settings.bootstrap_servers,
        topics.attempts,
        [(to.subscription_id.encode(), CODEC.encode(each)) for each in records],
    )
    commit_ends(settings, "dispatchers", topics.deliveries)


def in_order_of_entities(found: Sequence[str], happened: Sequence[Event]) -> None:
    """Each once, and those of an entity one after the other."""
    place = {event_id: number for number, event_id in enumerate(found)}
    assert len(found) == len(place) == len(happened)
    for entity in range(ENTITIES):
        places = [place[each] for each in event_ids(happened[entity::ENTITIES])]
        assert places == sorted(places)


async def on_record(settings: Settings, count: int) -> Sequence[Attempt]:
    async with asyncio.timeout(120):
        while True:
            lying = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().attempts)
            if len(lying) >= count:
                return [CODEC.decode(each.value, Attempt) for each in lying]
            await asyncio.sleep(0.2)
