"""Another list of tiers while records wait on the old ones: every role restarts with it, and nothing is lost."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import delivery, short_settings, subscription
from fakes.endpoint import endpoint
from fakes.kafka import make_topics, read, read_until, write
from fakes.road import CODEC, road, sample

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
EVENTS = 8  # fewer than make a breaker open


async def test_records_that_wait_on_tiers_no_longer_in_the_list_are_delivered(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    old = short_settings(bootstrap, prefix, retry_tiers=(5_000, 7_000), postponed_tiers=(6_000,))
    async with endpoint(*[503] * EVENTS, 200) as (url, seen), road(old, tmp_path) as running:
        webhook = await running.subscribe(url, "order.created")
        await running.publish(*[sample("order.created") for _ in range(EVENTS)])
        await seen.wait_for(EVENTS)
        waiting = old.topics().retry(5_000)
        await asyncio.to_thread(read_until, bootstrap, waiting, lambda found: len(found) == EVENTS)
        assert set((await running.stop_all()).values()) == {0}
        postponed = await wait_postponed(running.settings.bootstrap_servers, old.topics().postponed(6_000), url)
        await asyncio.to_thread(write, bootstrap, old.topics().subscriptions, [postponed])

        running.settings = replace(running.settings, retry_tiers=(400, 900), postponed_tiers=(300,))
        await asyncio.to_thread(make_topics, bootstrap, running.settings.topics())
        assert len(await asyncio.to_thread(read, bootstrap, waiting)) == EVENTS
        await asyncio.gather(*(running.start(name) for name in ("api", "fanout", "dispatcher", "history")))
        await seen.wait_for(2 * EVENTS + 1)
        await running.deliveries(
            webhook["id"], lambda found: len(found) > 0 and {each["status"] for each in found} == {"succeeded"}
        )
    received = Counter(request.headers["webhook-id"] for request in seen)
    assert sorted(received.values()) == [1] + [2] * EVENTS
    assert Counter(request.headers["X-Webhook-Attempt"] for request in seen) == {"1": EVENTS + 1, "2": EVENTS}


async def wait_postponed(bootstrap: str, topic: str, url: str) -> tuple[bytes, bytes]:
    """One delivery that was held back waits on the topic; returns its subscription's record."""
    to = subscription(url)
    value = CODEC.encode(replace(delivery(to), postponed=1))
    await asyncio.to_thread(write, bootstrap, topic, [(None, value)])
    return to.subscription_id.encode(), CODEC.encode(to)
