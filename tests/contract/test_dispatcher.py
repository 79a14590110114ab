"""The dispatcher role on a real broker, with real endpoints; deliveries are written as the fan-out writes them."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from fakes.configuration import delivery, short_settings, subscription
from fakes.endpoint import after, answer, endpoint, hang
from fakes.jobs import job
from fakes.kafka import change_topic, make_topics, read, read_until, write
from hookline.core.resending import resent
from hookline.dispatchers.run import run_dispatcher
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.log import KafkaRecord
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ConfigError
from hookline.schemas.records import (
    Attempt,
    DeadLetter,
    DeathReason,
    Delivery,
    Job,
    JobState,
    Outcome,
    Subscription,
    SubscriptionStatus,
)

pytestmark = pytest.mark.kafka
CODEC = Codec(load_catalogue())


@asynccontextmanager
async def dispatching(settings: Settings) -> AsyncIterator[Lifetime]:
    lifetime = Lifetime()
    role = asyncio.create_task(run_dispatcher(settings, lifetime))
    try:
        yield lifetime
    finally:
        lifetime.stop()
        await asyncio.wait_for(role, 30)


class Broker:
    """What lies on the topics of one test."""

    def __init__(self, settings: Settings) -> None:
        self.topics = settings.topics()
        self._bootstrap = settings.bootstrap_servers

    async def make(self) -> None:
        await asyncio.to_thread(make_topics, self._bootstrap, self.topics)

    async def configure(self, *subscriptions: Subscription) -> None:
        pairs = [(each.subscription_id.encode(), CODEC.encode(each)) for each in subscriptions]
        await asyncio.to_thread(write, self._bootstrap, self.topics.subscriptions, pairs)

    async def remove(self, gone: Subscription) -> None:
        await asyncio.to_thread(
            write, self._bootstrap, self.topics.subscriptions, [(gone.subscription_id.encode(), None)]
        )

    async def deliver(self, *deliveries: Delivery) -> None:
        pairs = [(each.subscription_id.encode(), CODEC.encode(each)) for each in deliveries]
        await asyncio.to_thread(write, self._bootstrap, self.topics.deliveries, pairs)

    async def ask(self, *records: Job) -> None:
        pairs = [(each.job_id.encode(), CODEC.encode(each)) for each in records]
        await asyncio.to_thread(write, self._bootstrap, self.topics.jobs, pairs)

    async def replay(self, count: int, *to: Subscription) -> Sequence[Delivery]:
        """So many new deliveries of a job for each, as it writes them."""
        made = [
            resent(delivery(each), run=1_000, config_offset=1, now_ms=number, job_id="job_1")
            for number in range(count)
            for each in to
        ]
        pairs = [(each.subscription_id.encode(), CODEC.encode(each)) for each in made]
        await asyncio.to_thread(write, self._bootstrap, self.topics.replays, pairs)
        return made

    async def write(self, topic: str, value: bytes | None) -> None:
        await asyncio.to_thread(write, self._bootstrap, topic, [(b"k", value)])

    async def attempts(self, enough: Callable[[Sequence[Attempt]], bool]) -> list[Attempt]:
        def decoded(records: Sequence[KafkaRecord]) -> list[Attempt]:
            return [CODEC.decode(each.value, Attempt) for each in records]

        records = await asyncio.to_thread(
            read_until, self._bootstrap, self.topics.attempts, lambda found: enough(decoded(found))
        )
        return sorted(decoded(records), key=lambda each: (each.attempt, each.started_at_ms))

    async def letters(self, count: int) -> list[DeadLetter]:
        records = await asyncio.to_thread(
            read_until, self._bootstrap, self.topics.dead_letters, lambda found: len(found) >= count
        )
        return [CODEC.decode(record.value, DeadLetter) for record in records]


@pytest.fixture
async def broker(bootstrap: str, prefix: str) -> Broker:
    made = Broker(short_settings(bootstrap, prefix))
    await made.make()
    return made


@pytest.fixture
def settings(bootstrap: str, prefix: str) -> Settings:
    return short_settings(bootstrap, prefix)


async def test_a_delivery_is_posted_and_put_on_record(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen), dispatching(settings):
        to = subscription(url)
        sent = delivery(to)
        await broker.configure(to)
        await broker.deliver(sent)
        (request,) = await seen.wait_for(1)
        (attempt,) = await broker.attempts(lambda found: len(found) == 1)
    assert request.body == sent.body
    assert request.headers["webhook-id"] == sent.delivery_id
    assert request.headers["X-Webhook-Attempt"] == "1"
    assert request.headers["Content-Type"] == "application/json"
    assert (attempt.outcome, attempt.response_code, attempt.delivery_id) == (Outcome.SUCCEEDED, 200, sent.delivery_id)


async def test_failures_wait_for_their_tier_and_are_tried_again_with_the_same_id(
    broker: Broker, settings: Settings
) -> None:
    async with endpoint(500, 500, 200) as (url, seen), dispatching(settings):
        to = subscription(url)
        sent = delivery(to)
        await broker.configure(to)
        await broker.deliver(sent)
        requests = await seen.wait_for(3)
        attempts = await broker.attempts(lambda found: len(found) == 3)
    assert {request.headers["webhook-id"] for request in requests} == {sent.delivery_id}
    assert [request.headers["X-Webhook-Attempt"] for request in requests] == ["1", "2", "3"]
    assert [each.outcome for each in attempts] == [Outcome.FAILED, Outcome.FAILED, Outcome.SUCCEEDED]
    for before, later, tier_ms in zip(attempts, attempts[1:], settings.retry_tiers, strict=False):
        assert before.next_attempt_at_ms is not None
        assert later.started_at_ms >= before.next_attempt_at_ms >= before.started_at_ms + tier_ms
    assert len({each.origin for each in attempts}) == 1


async def test_an_exhausted_delivery_ends_in_dead_letters(broker: Broker, settings: Settings) -> None:
    async with endpoint(503) as (url, seen), dispatching(settings):
        to = subscription(url)
        sent = delivery(to)
        await broker.configure(to)
        await broker.deliver(sent)
        (letter,) = await broker.letters(1)
        attempts = await broker.attempts(lambda found: len(found) == 4)
    assert len(seen) == 4
    assert (letter.reason, letter.delivery_id, letter.attempts) == (DeathReason.EXHAUSTED, sent.delivery_id, 4)
    assert CODEC.decode(letter.payload, Delivery).body == sent.body
    assert attempts[-1].next_attempt_at_ms is None


async def test_an_endpoint_that_asks_for_time_gets_a_tier_as_long(broker: Broker, settings: Settings) -> None:
    busy = answer(429, headers={"Retry-After": "1"})
    async with endpoint(busy, 200) as (url, seen), dispatching(settings):
        to = subscription(url)
        await broker.configure(to)
        await broker.deliver(delivery(to))
        await seen.wait_for(2)
        first, second = await broker.attempts(lambda found: len(found) == 2)
    assert (first.response_code, second.response_code, second.attempt) == (429, 200, 2)
    assert first.next_attempt_at_ms is not None
    assert first.next_attempt_at_ms >= first.started_at_ms + max(settings.retry_tiers)
    assert second.started_at_ms >= first.next_attempt_at_ms


async def test_an_endpoint_that_is_gone_is_not_tried_again_and_makes_no_dead_letter(
    broker: Broker, settings: Settings
) -> None:
    async with endpoint(410) as (url, seen), endpoint(500) as (other_url, _), dispatching(settings):
        to, other = subscription(url), subscription(other_url)
        await broker.configure(to, other)
        await broker.deliver(delivery(to), delivery(other))
        (letter,) = await broker.letters(1)
        attempts = await broker.attempts(lambda found: len(found) == 5)
    (gone,) = [each for each in attempts if each.subscription_id == to.subscription_id]
    assert (gone.outcome, gone.error, gone.next_attempt_at_ms) == (Outcome.FAILED, "gone", None)
    assert letter.subscription_id == other.subscription_id  # though it took 4 attempts to get there
    assert len(seen) == 1


async def test_a_subscription_s_own_time_limit_ends_its_attempts(broker: Broker, settings: Settings) -> None:
    async with endpoint(hang) as (url, _), dispatching(settings):
        to = replace(subscription(url), timeout_s=1)
        await broker.configure(to)
        await broker.deliver(delivery(to))
        attempts = await broker.attempts(lambda found: len(found) >= 1)
    assert attempts[0].error == "timeout"
    assert 1_000 <= attempts[0].duration_ms < 10_000  # the limit of all is 30 s


async def test_a_second_copy_is_not_sent_again(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen), dispatching(settings):
        to = subscription(url)
        sent, other = delivery(to), delivery(to)
        await broker.configure(to)
        await broker.deliver(sent, sent, sent, other)
        await broker.attempts(lambda found: len({each.delivery_id for each in found}) == 2)
    assert len(seen) == 2


async def test_a_restart_repeats_nothing_that_was_done(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen):
        to = subscription(url)
        deliveries = [delivery(to) for _ in range(50)]
        await broker.configure(to)
        async with dispatching(settings):
            await broker.deliver(*deliveries)
            await seen.wait_for(50)
            await broker.attempts(lambda found: len(found) == 50)
        async with dispatching(settings):
            last = delivery(to)
            await broker.deliver(deliveries[-1], last)  # a copy from before the restart is still known
            await broker.attempts(lambda found: last.delivery_id in {each.delivery_id for each in found})
    assert len(seen) == 51


async def test_a_deleted_subscription_cancels(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen), dispatching(settings):
        to = subscription(url)
        await broker.configure(to)
        await broker.remove(to)
        await broker.deliver(delivery(to, config_offset=2))
        (attempt,) = await broker.attempts(lambda found: len(found) == 1)
    assert attempt.outcome is Outcome.CANCELLED
    assert not len(seen)


async def test_a_paused_subscription_holds_and_goes_on_at_resume(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen), dispatching(settings):
        to = subscription(url)
        held, test = delivery(to, config_offset=1), delivery(to, config_offset=1, is_test=True)
        await broker.configure(replace(to, status=SubscriptionStatus.PAUSED))
        await broker.deliver(held, test)
        await broker.attempts(lambda found: Outcome.POSTPONED in {each.outcome for each in found})
        (only,) = await seen.wait_for(1)
        await broker.configure(replace(to, version=2))
        requests = await seen.wait_for(2)
    assert only.headers["webhook-id"] == test.delivery_id
    assert requests[1].headers["webhook-id"] == held.delivery_id
    assert requests[1].headers["X-Webhook-Attempt"] == "1"


async def test_a_held_delivery_expires(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen), dispatching(replace(settings, delivery_age_max_s=5)):
        first, paused = subscription(url), subscription(url, status=SubscriptionStatus.PAUSED)
        await broker.configure(first, paused)
        await broker.deliver(delivery(first, config_offset=2))
        await seen.wait_for(1)  # from here on the time counts, not from the start of the process
        await broker.deliver(delivery(paused, config_offset=2))
        (letter,) = await broker.letters(1)
        attempts = await broker.attempts(lambda found: Outcome.EXPIRED in {each.outcome for each in found})
    assert letter.reason is DeathReason.EXPIRED
    of_paused = [each.outcome for each in attempts if each.subscription_id == paused.subscription_id]
    assert of_paused == [Outcome.POSTPONED, Outcome.EXPIRED]


async def test_live_deliveries_are_sent_while_replays_fill_their_lane(broker: Broker, settings: Settings) -> None:
    async with endpoint(hang) as (bad, hung), endpoint(200) as (good, seen), dispatching(settings):
        stuck, healthy = [subscription(f"{bad}/{number}") for number in range(40)], subscription(good)
        await broker.configure(healthy, *stuck)
        await broker.replay(5, *stuck)
        await hung.wait_for(20)
        await broker.deliver(*(delivery(healthy) for _ in range(100)))
        await seen.wait_for(100)
        assert len(hung) <= 37  # three quarters of the 50 requests of their lane: nobody knows these endpoints


async def test_replays_start_in_order_and_what_fails_of_them_comes_back_to_their_lane(
    broker: Broker, settings: Settings
) -> None:
    async with endpoint(500, 200) as (url, seen), dispatching(settings):
        to = subscription(url)
        await broker.configure(to)
        made = await broker.replay(30, to)
        await seen.wait_for(31)
        attempts = await broker.attempts(lambda found: len(found) == 31)
        lying = await asyncio.to_thread(read, settings.bootstrap_servers, broker.topics.replays)
        assert not await asyncio.to_thread(read, settings.bootstrap_servers, broker.topics.redeliveries)
    first = {each.delivery_id: each for each in attempts if each.attempt == 1}
    started = [first[each.delivery_id].started_at_ms for each in made]
    assert started == sorted(started)
    places = [first[each.delivery_id].origin for each in made]
    assert [(each.offset, each.in_replays) for each in places] == [(number, True) for number in range(30)]
    assert [CODEC.decode(each.value, Delivery).attempt for each in lying] == [1] * 30 + [2]
    assert {each.job_id for each in attempts} == {"job_1"}


async def test_a_job_that_is_cancelled_ends_on_record_and_a_restart_sends_none_of_it(
    broker: Broker, settings: Settings
) -> None:
    async with endpoint(after(0.05, 200)) as (url, seen):
        to = subscription(url)
        await broker.configure(to)
        async with dispatching(settings):
            made = await broker.replay(500, to)
            await seen.wait_for(10)
            await broker.ask(job(to, state=JobState.CANCELLED))
            attempts = await broker.attempts(lambda found: len(found) == 500)
        sent = len(seen)
        async with dispatching(settings):
            last = delivery(to)
            await broker.deliver(last)
            await seen.wait_for(sent + 1)
    outcomes = Counter((each.outcome, each.error) for each in attempts)
    assert outcomes == {(Outcome.SUCCEEDED, None): sent, (Outcome.CANCELLED, "job_cancelled"): 500 - sent}
    assert {each.delivery_id for each in attempts} == {each.delivery_id for each in made}
    assert len(seen) == sent + 1


async def test_an_unreadable_record_is_buried_and_the_next_delivered(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen), dispatching(settings):
        to = subscription(url)
        await broker.configure(to)
        for value in (b"nonsense", b"", None):
            await broker.write(broker.topics.deliveries, value)
        await broker.write(broker.topics.retry(settings.retry_tiers[0]), b"nonsense too")
        await broker.deliver(delivery(to))
        await seen.wait_for(1)
        letters = await broker.letters(4)
    assert {each.reason for each in letters} == {DeathReason.UNREADABLE}
    assert {each.topic for each in letters} == {broker.topics.deliveries, broker.topics.retry(settings.retry_tiers[0])}


async def test_a_delivery_waits_for_a_view_that_is_behind(broker: Broker, settings: Settings) -> None:
    async with endpoint(200) as (url, seen), dispatching(settings):
        to = subscription(url)
        await broker.deliver(delivery(to, config_offset=1))  # fanned out by somebody who saw what is not written yet
        other = subscription(url)
        await broker.attempts(lambda found: not found)
        await broker.configure(to, other)
        await seen.wait_for(1)
        (attempt,) = await broker.attempts(lambda found: len(found) == 1)
    assert attempt.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("name", "value"),
    [("retention.ms", "100"), ("message.timestamp.type", "CreateTime")],
    ids=["retention", "timestamps"],
)
async def test_a_tier_that_would_lose_what_waits_is_refused(
    broker: Broker, settings: Settings, name: str, value: str
) -> None:
    topic = broker.topics.retry(settings.retry_tiers[0])
    await asyncio.to_thread(change_topic, settings.bootstrap_servers, topic, name, value)
    with pytest.raises(ConfigError, match=f"{re.escape(topic)}: {re.escape(name)} is {value}"):
        await asyncio.wait_for(run_dispatcher(settings, Lifetime()), 30)
