"""The real forwarder on the memory broker, where writes can be made to fail: what waits is forwarded when due, in turns."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from fakes.configuration import delivery, short_settings, subscription
from hookline.dispatchers.forwarder import Forwarder
from hookline.dispatchers.recorder import Recorder
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import TopicPartition
from hookline.runtime.memory import MemoryBroker, MemoryReader, MemoryWriter
from hookline.runtime.metrics import Metrics, reading
from hookline.runtime.tasks import Tasks
from hookline.schemas.codec import Codec
from hookline.schemas.records import Attempt, DeadLetter, DeathReason, Delivery, Outcome

CODEC = Codec(load_catalogue())
SETTINGS = short_settings("memory", "t.", commit_interval_ms=10)
TOPICS = SETTINGS.topics()
SHORT, LONG = (TOPICS.retry(tier) for tier in SETTINGS.retry_tiers[:2])
TO = subscription("http://127.0.0.1:1/")


@dataclass(frozen=True, slots=True)
class Forwarding:
    broker: MemoryBroker
    reader: MemoryReader
    forwarder: Forwarder
    metrics: Metrics

    def wait_on(self, topic: str, *deliveries: Delivery) -> None:
        for each in deliveries:
            self.broker.append(topic, None, CODEC.encode(each))

    def forwarded(self) -> Sequence[Delivery]:
        return [CODEC.decode(each.value, Delivery) for each in self.broker.records(TOPICS.redeliveries)]

    def committed(self, topic: str) -> int:
        found = self.broker.committed("forwarders", TopicPartition(topic, 0))
        return 0 if found is None else found.offset

    def attempts(self) -> Sequence[Attempt]:
        return [CODEC.decode(each.value, Attempt) for each in self.broker.records(TOPICS.attempts)]

    def letters(self) -> Sequence[DeadLetter]:
        return [CODEC.decode(each.value, DeadLetter) for each in self.broker.records(TOPICS.dead_letters)]


@asynccontextmanager
async def forwarding(
    *, fails: Callable[[str], bool] = lambda _: False, bytes_max: Mapping[str, int] | None = None
) -> AsyncIterator[Forwarding]:
    """One forwarder on two tiers of one partition each; `start` the reader when what waits is there."""
    clock, metrics, failed = SystemClock(), Metrics(CollectorRegistry()), list[BaseException]()
    broker = MemoryBroker(clock)
    for topic in TOPICS.specifications():
        broker.create(topic.name)
    tasks = Tasks(on_fatal=failed.append)
    writer = MemoryWriter(broker, fails=fails, bytes_max=bytes_max)
    recorder = Recorder(writer=writer, codec=CODEC, topics=TOPICS, clock=clock, metrics=metrics)
    forwarder = Forwarder(
        settings=SETTINGS,
        topics=TOPICS,
        codec=CODEC,
        writer=writer,
        recorder=recorder,
        clock=clock,
        metrics=metrics,
        tasks=tasks,
    )
    reader = MemoryReader(broker, group="forwarders", topics=(SHORT, LONG), handler=forwarder)
    forwarder.read_by(reader)
    tasks.spawn(forwarder.forward_forever())
    tasks.spawn(forwarder.commit_forever())
    try:
        yield Forwarding(broker, reader, forwarder, metrics)
    finally:
        await tasks.cancel()
    assert not failed


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_nothing_is_forwarded_early_and_all_of_it_in_the_end() -> None:
    async with forwarding() as running:
        running.reader.start()
        sent = [delivery(TO) for _ in range(50)]
        running.wait_on(LONG, *sent[:25])
        running.wait_on(SHORT, *sent[25:])
        await until(lambda: len(running.forwarded()) == 50)
        await until(lambda: (running.committed(SHORT), running.committed(LONG)) == (25, 25))
    registry = running.metrics.registry
    by_topic = [{"tier": TOPICS.tier(topic)} for topic in (SHORT, LONG)]
    assert by_topic[0]["tier"].startswith("retry.")
    assert [reading(registry, "hookline_forwarded_total", labels) for labels in by_topic] == [25, 25]
    began_ms = running.broker.records(LONG)[0].timestamp_ms
    at_ms = [each.timestamp_ms - began_ms for each in running.broker.records(TOPICS.redeliveries)]
    assert min(at_ms[:25]) >= SETTINGS.retry_tiers[0]
    assert min(at_ms[25:]) >= SETTINGS.retry_tiers[1]
    assert [each.delivery_id for each in running.forwarded()] == [each.delivery_id for each in sent[25:] + sent[:25]]


async def test_a_write_that_failed_is_counted_and_written_again() -> None:
    left = iter([True, True, True])
    async with forwarding(fails=lambda topic: topic == TOPICS.redeliveries and next(left, False)) as running:
        running.wait_on(SHORT, *[delivery(TO) for _ in range(10)])
        running.reader.start()
        await until(lambda: running.committed(SHORT) == 10)
    retries = reading(running.metrics.registry, "hookline_write_retries_total", {"topic": TOPICS.redeliveries})
    assert (len(running.forwarded()), retries) == (10, 3)


async def test_what_the_second_lane_refuses_for_its_size_ends_on_record_and_as_a_letter_without_its_bytes() -> None:
    async with forwarding(bytes_max={TOPICS.redeliveries: 2_000}) as running:
        large = delivery(TO, body=b'"' + b"x" * 3_000 + b'"')
        running.wait_on(SHORT, large, delivery(TO))
        running.reader.start()
        await until(lambda: running.committed(SHORT) == 2)
    (letter,) = running.letters()
    assert (letter.reason, letter.delivery_id, letter.payload) == (DeathReason.TOO_LARGE, large.delivery_id, None)
    assert (letter.topic, letter.offset, letter.subscription_id) == (SHORT, 0, large.subscription_id)
    (ended,) = running.attempts()
    assert (ended.delivery_id, ended.outcome, ended.error) == (large.delivery_id, Outcome.CANCELLED, "too_large")
    assert ended.next_attempt_at_ms is None
    assert len(running.forwarded()) == 1


async def test_what_is_no_delivery_ends_as_a_dead_letter() -> None:
    async with forwarding() as running:
        running.broker.append(SHORT, None, b"what")
        running.wait_on(SHORT, delivery(TO))
        running.reader.start()
        await until(lambda: running.committed(SHORT) == 2)
    assert [each.reason for each in running.letters()] == [DeathReason.UNREADABLE]


async def test_a_long_backlog_delays_neither_another_tier_nor_the_loop() -> None:
    async with forwarding() as running:
        running.wait_on(LONG, *[delivery(TO)] * 20_000)
        await asyncio.sleep(SETTINGS.retry_tiers[1] / 1_000)  # until all of it is due
        running.reader.start()
        watched = asyncio.create_task(longest_turn_s())
        await until(lambda: len(running.broker.records(TOPICS.redeliveries)) > 1_000)
        marked = delivery(TO)
        running.wait_on(SHORT, marked)
        await until(lambda: running.committed(SHORT) == 1)
        behind = 20_001 - len(running.broker.records(TOPICS.redeliveries))
        await until(lambda: running.committed(LONG) == 20_000)
        watched.cancel()
        (longest_s,) = await asyncio.gather(watched)
    print(f"\n{behind} of the backlog were still to come; the loop's longest turn was {longest_s * 1_000:.0f} ms")
    assert behind > 2_000
    assert longest_s < 0.5


async def test_what_is_overdue_is_shown_as_work_and_moves() -> None:
    async with forwarding(fails=lambda topic: topic == TOPICS.redeliveries) as running:
        assert await running.forwarder.overdue() == {}
        running.wait_on(SHORT, delivery(TO))
        running.reader.start()
        async with asyncio.timeout(10):
            while not (shown := await running.forwarder.overdue()):
                await asyncio.sleep(0.01)
    assert shown == {"forwarding": 0}


async def longest_turn_s() -> float:
    """How long the loop was at work on something else at most, until cancelled; what others have of the machine does not count."""
    longest_s, last_s = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0)
            now_s = time.thread_time()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s
    except asyncio.CancelledError:
        return longest_s
