"""What the consumer runtime and the writer do when something is not as usual: another thread, lost positions, lowered limits."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient
from prometheus_client import CollectorRegistry

from fakes.configuration import delivery, short_settings, subscription
from fakes.endpoint import after, endpoint
from fakes.kafka import change_topic, make_topics, remove_topic, write
from hookline.dispatchers.run import run_dispatcher
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.kafka_reader import KafkaReader
from hookline.runtime.kafka_writer import open_writer
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.log import Commit, KafkaRecord, Position, TopicPartition, Writer
from hookline.runtime.metrics import Metrics, reading
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.errors import TooLarge

pytestmark = pytest.mark.kafka
CODEC = Codec(load_catalogue())


class Kept:
    """A handler that keeps what it gets and how its partitions came and went; all of it is done at once."""

    def __init__(self) -> None:
        self.records: list[KafkaRecord] = []
        self.seen: list[str] = []
        self.reader: KafkaReader | None = None

    def assigned(self, positions: Sequence[Position]) -> None:
        self.seen.extend(f"assigned at {each.start}" for each in positions if each.partition.partition == 0)

    def received(self, records: Sequence[KafkaRecord]) -> None:
        self.records.extend(records)
        last = records[-1]
        assert self.reader is not None
        self.reader.commit({TopicPartition(last.topic, last.partition): Commit(last.offset + 1)})

    async def revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        self.seen.extend("revoked" for each in partitions if each.partition == 0)
        return {}

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        raise AssertionError(partitions)

    def offsets(self) -> list[int]:
        return [each.offset for each in self.records]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def fatal(error: BaseException) -> None:
    raise AssertionError("the broker's client ended") from error


@pytest.fixture
async def settings(bootstrap: str, prefix: str) -> Settings:
    made = short_settings(bootstrap, prefix)
    await asyncio.to_thread(make_topics, bootstrap, made.topics())
    return made


@pytest.fixture
async def writer(settings: Settings) -> AsyncIterator[Writer]:
    async with open_writer(settings.bootstrap_servers, linger_ms=5, on_fatal=fatal) as opened:
        yield opened


@asynccontextmanager
async def reader_of(
    settings: Settings, topic: str, kept: Kept, metrics: Metrics, *, hears_ends: bool = False
) -> AsyncIterator[KafkaReader]:
    config = ReaderConfig(
        bootstrap_servers=settings.bootstrap_servers,
        group=settings.group("test"),
        topics=(topic,),
        session_timeout_s=settings.session_timeout_s,
        hears_ends=hears_ends,
    )
    kept.reader = KafkaReader(config, kept, metrics=metrics, on_fatal=fatal)
    kept.reader.start()
    try:
        yield kept.reader
    finally:
        await kept.reader.stop()


async def write_to(writer: Writer, topic: str, count: int, *, value: bytes = b"v") -> None:
    """Write to a topic of one partition, and wait for the broker's yes."""
    await asyncio.gather(*(writer.write(topic, key=b"k", value=value) for _ in range(count)))


def test_a_consumer_that_another_thread_touches_says_so_at_once() -> None:
    consumer = OwnedConsumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
    said: list[str] = []

    def touch() -> None:
        for call in (consumer.assignment, lambda: consumer.poll(0), lambda: consumer.pause([Place("t", 0)])):
            try:
                call()
            except RuntimeError as error:
                said.append(str(error))

    other = threading.Thread(target=touch, name="other")
    other.start()
    other.join()
    assert [each.partition(" was called by thread other; only MainThread")[0] for each in said] == [
        "Consumer.assignment",
        "Consumer.poll",
        "Consumer.pause",
    ]
    assert consumer.assignment() == []
    consumer.close()


async def test_behind_a_transactions_marker_there_is_nothing_left_to_read(settings: Settings) -> None:
    topic, kept, metrics = settings.topics().dead_letters, Kept(), Metrics(CollectorRegistry())
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "transactional.id": f"{topic}.test"})
    producer.init_transactions(30)
    async with reader_of(settings, topic, kept, metrics, hears_ends=True) as reader:
        for end in (2, 4):
            producer.begin_transaction()
            producer.produce(topic, b"v")
            producer.commit_transaction(30)
            await until(lambda end=end: list(reader.positions().values()) == [end])  # type: ignore[misc]
            await until(lambda: reader.lag() == {topic: 0})
    assert kept.offsets() == [0, 2]


async def test_records_trimmed_before_they_were_read_are_counted_shown_and_passed_over(
    settings: Settings, writer: Writer
) -> None:
    topic, kept, metrics = settings.topics().dead_letters, Kept(), Metrics(CollectorRegistry())
    async with reader_of(settings, topic, kept, metrics) as reader:
        await write_to(writer, topic, 5)
        await until(lambda: kept.offsets() == [0, 1, 2, 3, 4])
        assert reader.complaint() is None
        reader.pause(TopicPartition(topic, 0), resume_at=5)
        await write_to(writer, topic, 10)
        await asyncio.to_thread(trim, settings.bootstrap_servers, topic, 12)
        reader.resume(TopicPartition(topic, 0))
        await until(lambda: kept.offsets()[5:] == [12, 13, 14])
        assert f"{topic}: a position was out of range" in (reader.complaint() or "")
    assert kept.seen == ["assigned at 0", "revoked"]  # what was open before the gap stayed open
    assert reading(metrics.registry, "hookline_position_resets_total", {"topic": topic}) == 1


async def test_a_topic_made_anew_in_the_middle_of_reading_is_read_from_its_start(
    settings: Settings, writer: Writer
) -> None:
    topic, kept, metrics = settings.topics().dead_letters, Kept(), Metrics(CollectorRegistry())
    async with reader_of(settings, topic, kept, metrics) as reader:
        await write_to(writer, topic, 5)
        await until(lambda: len(kept.records) == 5)
        await asyncio.to_thread(make_anew, settings, topic)
        async with open_writer(settings.bootstrap_servers, on_fatal=fatal) as another:
            await write_to(another, topic, 3)
        await until(lambda: kept.offsets()[5:] == [0, 1, 2])
        assert "out of range" in (reader.complaint() or "")
    assert kept.seen == ["assigned at 0", "revoked", "assigned at 0", "revoked"]
    assert reading(metrics.registry, "hookline_position_resets_total", {"topic": topic}) == 1


async def test_a_dispatcher_goes_on_with_a_lane_that_was_made_anew_in_the_middle_of_its_work(
    settings: Settings,
) -> None:
    topics, lifetime = settings.topics(), Lifetime()
    async with endpoint(after(0.3, 200)) as (url, seen):
        to = subscription(url)
        key, config = to.subscription_id.encode(), CODEC.encode(to)
        await asyncio.to_thread(write, settings.bootstrap_servers, topics.subscriptions, [(key, config)])
        role = asyncio.create_task(run_dispatcher(settings, lifetime))
        try:
            before = [(key, CODEC.encode(delivery(to))) for _ in range(20)]
            await asyncio.to_thread(write, settings.bootstrap_servers, topics.deliveries, before)
            await seen.wait_for(5)
            await asyncio.to_thread(make_anew, settings, topics.deliveries)
            sent = delivery(to)
            await asyncio.to_thread(write, settings.bootstrap_servers, topics.deliveries, [(key, CODEC.encode(sent))])
            await until(lambda: sent.delivery_id in {each.headers["webhook-id"] for each in seen})
        finally:
            lifetime.stop()
            await asyncio.wait_for(role, 30)


async def test_records_of_a_batch_over_the_topics_limit_are_written_one_by_one(
    settings: Settings, writer: Writer
) -> None:
    topic = settings.topics().attempts
    small, large = os.urandom(1_000), os.urandom(4_000)  # nothing that compression could make smaller
    await asyncio.to_thread(change_topic, settings.bootstrap_servers, topic, "max.message.bytes", "3000")
    async with asyncio.timeout(30):
        while not await is_refused(writer, topic, large):
            pass  # the broker takes a moment to heed the new limit
    values = [*[small] * 20, large, *[small] * 20]
    refused = await asyncio.gather(*(is_refused(writer, topic, value) for value in values))
    assert refused == [value is large for value in values]
    assert not await is_refused(writer, topic, b"afterwards")


async def is_refused(writer: Writer, topic: str, value: bytes) -> bool:
    try:
        await writer.write(topic, key=b"k", value=value)
    except TooLarge:
        return True
    return False


def trim(bootstrap: str, topic: str, before: int) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap})
    for answer in client.delete_records([Place(topic, 0, before)]).values():
        answer.result(15)


def make_anew(settings: Settings, topic: str) -> None:
    remove_topic(settings.bootstrap_servers, topic)
    make_topics(settings.bootstrap_servers, settings.topics())
