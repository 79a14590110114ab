"""A resend is a new run of a delivery: it is sent at once, whatever became of the runs before. A repeat of a run is not."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import delivery, short_settings, subscription
from fakes.endpoint import Request, endpoint
from fakes.kafka import read_until, write
from fakes.road import CODEC, Road, road
from hookline.runtime.log import KafkaRecord
from hookline.schemas.records import Attempt, Delivery, Outcome, Subscription

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
AT_ONCE_S = 10


async def test_a_delivery_that_succeeded_is_sent_again_by_a_resend_and_not_by_a_repeat(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    settings = short_settings(bootstrap, prefix)
    async with endpoint(200) as (url, seen), road(settings, tmp_path, roles=("dispatcher",)) as running:
        to = configured(running, url)
        first, later = delivery(to), delivery(to)
        deliver(running, first)
        await on_record(running, 1)
        deliver(running, first, later)  # one subscription, so one partition: `later` lies behind the repeat
        await on_record(running, 2)
        assert ids(await seen.wait_for(2)) == [first.delivery_id, later.delivery_id]
        deliver(running, replace(first, run=1))
        await seen.wait_for(3, AT_ONCE_S)
        deliver(running, replace(first, run=1), replace(later, run=1))
        requests = await seen.wait_for(4, AT_ONCE_S)
        attempts = await on_record(running, 4)
    assert ids(requests) == [first.delivery_id, later.delivery_id] * 2
    assert [(each.delivery_id, each.run, each.attempt) for each in attempts] == [
        (first.delivery_id, 0, 1),
        (later.delivery_id, 0, 1),
        (first.delivery_id, 1, 1),
        (later.delivery_id, 1, 1),
    ]
    assert {each.outcome for each in attempts} == {Outcome.SUCCEEDED}


async def test_a_resend_of_an_exhausted_delivery_has_a_schedule_of_its_own(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    settings = short_settings(bootstrap, prefix, retry_tiers=(200,))
    async with endpoint(500, 500, 500, 200) as (url, seen), road(settings, tmp_path, roles=("dispatcher",)) as running:
        to = configured(running, url)
        first = delivery(to)
        deliver(running, first)
        await on_record(running, 2)
        deliver(running, replace(first, run=1))
        requests = await seen.wait_for(4, AT_ONCE_S)
        attempts = await on_record(running, 4)
    assert ids(requests) == [first.delivery_id] * 4
    assert [(each.run, each.attempt) for each in attempts] == [(0, 1), (0, 2), (1, 1), (1, 2)]


def configured(running: Road, url: str) -> Subscription:
    to = subscription(url)
    topic = running.settings.topics().subscriptions
    write(running.settings.bootstrap_servers, topic, [(to.subscription_id.encode(), CODEC.encode(to))])
    return to


def deliver(running: Road, *deliveries: Delivery) -> None:
    # Each bears the position behind the one configuration record: the dispatcher waits for its view to know the subscription.
    records = [(each.subscription_id.encode(), CODEC.encode(replace(each, config_offset=1))) for each in deliveries]
    write(running.settings.bootstrap_servers, running.settings.topics().deliveries, records)


def ids(requests: Sequence[Request]) -> list[str]:
    return [request.headers["webhook-id"] for request in requests]


async def on_record(running: Road, count: int) -> list[Attempt]:
    """The attempts of the one subscription, in the order of their partition, once there are so many."""

    def enough(records: Sequence[KafkaRecord]) -> bool:
        return len(records) >= count

    topic = running.settings.topics().attempts
    records = await asyncio.to_thread(read_until, running.settings.bootstrap_servers, topic, enough)
    return [CODEC.decode(record.value, Attempt) for record in records]
