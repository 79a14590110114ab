"""What one dispatcher judges of endpoints, beside what is on record: the real book and view, on the memory broker."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from fakes.clock import SetClock
from fakes.configuration import subscription
from fakes.dispatching import CODEC, SETTINGS, TOPICS, until
from fakes.judgements import health
from hookline.core.breaker import Breaker
from hookline.core.verdict import Answer, Delivered, NoAnswer, RetryAfter, Trouble
from hookline.dispatchers.health import HealthBook
from hookline.dispatchers.sender import Sent
from hookline.runtime.log import KafkaRecord
from hookline.runtime.memory import MemoryBroker, MemoryReader, MemoryWriter
from hookline.runtime.metrics import Metrics, reading
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.records import EndpointHealth, Subscription

DAY_MS = 86_400_000
TO = subscription("https://example.com/hook")
SILENT = Sent(NoAnswer(Trouble.TIMEOUT), started_at_ms=0, duration_ms=1)
TAKEN = Sent(Answer(200, b""), started_at_ms=0, duration_ms=1)


class Bench:
    """A book whose view reads what is on record only when it is told to."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.failed: list[BaseException] = []
        self.broker = MemoryBroker(self.clock)
        self.broker.create(TOPICS.endpoint_state)
        self.metrics = Metrics(CollectorRegistry())
        self.view = View(topics=TOPICS, codec=CODEC, metrics=self.metrics)
        self.tasks = Tasks(on_fatal=self.failed.append)
        self.book = HealthBook(
            settings=SETTINGS,
            topics=TOPICS,
            codec=CODEC,
            view=self.view,
            writer=MemoryWriter(self.broker),
            clock=self.clock,
            metrics=self.metrics,
            tasks=self.tasks,
        )
        self.configure(TO, 0)

    def configure(self, wanted: Subscription | None, offset: int) -> None:
        value = None if wanted is None else CODEC.encode(wanted)
        self.view.received([KafkaRecord(TOPICS.subscriptions, 0, offset, 0, TO.subscription_id.encode(), value)])

    def read_back(self) -> None:
        """From now on the view reads what is on record."""
        MemoryReader(self.broker, group="view", topics=(TOPICS.endpoint_state,), handler=self.view).start()

    def on_record(self) -> list[EndpointHealth]:
        return [CODEC.decode(each.value, EndpointHealth) for each in self.broker.records(TOPICS.endpoint_state)]

    async def fail(self, times: int) -> None:
        for _ in range(times):
            self.clock.s += 0.001
            await self.book.attempted(TO, SILENT, RetryAfter(1_000))

    async def succeed(self) -> None:
        self.clock.s += 0.001
        await self.book.attempted(TO, TAKEN, Delivered())

    def breaker(self) -> Breaker:
        return self.book.limits(TO.subscription_id).breaker


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.tasks.cancel()
    assert made.failed == []


async def test_a_record_from_the_future_overrules_no_judgement_that_comes_after_it(bench: Bench) -> None:
    ahead = replace(health(TO), at_ms=bench.clock.now_ms() + DAY_MS)
    bench.view.received([KafkaRecord(TOPICS.endpoint_state, 0, 0, 0, TO.subscription_id.encode(), CODEC.encode(ahead))])
    await bench.fail(5)
    assert bench.breaker() is Breaker.OPEN


async def test_a_breaker_that_closed_stays_so_while_its_record_is_not_read_back(bench: Bench) -> None:
    await bench.fail(5)
    await until(lambda: len(bench.on_record()) == 1)
    opened = bench.broker.records(TOPICS.endpoint_state)[0]
    bench.view.received([opened])
    bench.clock.s += 6
    await bench.succeed()
    await until(lambda: len(bench.on_record()) == 2)
    await bench.fail(1)
    assert bench.breaker() is Breaker.CLOSED


async def test_what_is_well_is_forgotten_once_its_record_is_read_back(bench: Bench) -> None:
    bench.read_back()
    await bench.fail(5)
    assert bench.breaker() is Breaker.OPEN
    await bench.succeed()
    await until(lambda: reading(bench.metrics.registry, "hookline_failing_endpoints", {}) == 0)
    assert bench.breaker() is Breaker.CLOSED


async def test_a_deleted_webhook_is_no_failing_endpoint(bench: Bench) -> None:
    await bench.fail(5)
    assert reading(bench.metrics.registry, "hookline_open_breakers", {}) == 1
    bench.configure(None, 1)
    assert reading(bench.metrics.registry, "hookline_open_breakers", {}) == 0
    assert reading(bench.metrics.registry, "hookline_failing_endpoints", {}) == 0
