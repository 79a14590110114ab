"""What every broker must do, on Apache Kafka and in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import pytest
from prometheus_client import CollectorRegistry

from fakes.configuration import short_settings
from fakes.kafka import make_topics
from hookline.runtime.clock import SystemClock
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_reader import KafkaReader
from hookline.runtime.kafka_writer import open_writer
from hookline.runtime.log import Commit, Handler, KafkaRecord, Position, Reader, TopicPartition, Writer
from hookline.runtime.memory import MemoryBroker, MemoryReader, MemoryWriter
from hookline.runtime.metrics import Metrics


class Kept:
    """A handler that keeps what it gets, and pauses when told to."""

    def __init__(self) -> None:
        self.positions: list[Position] = []
        self.records: list[KafkaRecord] = []
        self.done: dict[TopicPartition, Commit] = {}
        self.reader: Reader | None = None
        self.pause_after = 0
        self.paused: set[TopicPartition] = set()

    def assigned(self, positions: Sequence[Position]) -> None:
        self.positions.extend(positions)

    def received(self, records: Sequence[KafkaRecord]) -> None:
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if self.pause_after and len(self.records) >= self.pause_after:
                assert self.reader is not None
                self.paused.add(partition)
                self.reader.pause(partition, resume_at=record.offset)
                return
            self.records.append(record)
            self.done[partition] = Commit(record.offset + 1, "kept")

    async def revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        return {each: self.done[each] for each in partitions if each in self.done}

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        raise AssertionError(partitions)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.01)

    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]


class Broker(Protocol):
    topic: str
    writer: Writer

    def reading(self, handler: Kept, *, group: str = "g") -> AbstractAsyncContextManager[Reader]: ...


class InMemory:
    topic = "t"

    def __init__(self) -> None:
        self._broker = MemoryBroker(SystemClock())
        self._broker.create(self.topic, 8)
        self.writer: Writer = MemoryWriter(self._broker)

    @asynccontextmanager
    async def reading(self, handler: Handler, *, group: str = "g") -> AsyncIterator[Reader]:
        reader = MemoryReader(self._broker, group=group, topics=(self.topic,), handler=handler)
        reader.start()
        yield reader
        await reader.stop()


class OnKafka:
    def __init__(self, bootstrap: str, prefix: str, writer: Writer) -> None:
        self._bootstrap, self._prefix = bootstrap, prefix
        self.topic = short_settings(bootstrap, prefix).topics().deliveries
        self.writer = writer

    @asynccontextmanager
    async def reading(self, handler: Handler, *, group: str = "g") -> AsyncIterator[Reader]:
        config = ReaderConfig(
            bootstrap_servers=self._bootstrap, group=f"{self._prefix}{group}", topics=(self.topic,), session_timeout_s=6
        )
        reader = KafkaReader(config, handler, metrics=Metrics(CollectorRegistry()), on_fatal=_fatal)
        reader.start()
        yield reader
        await reader.stop()


def _fatal(error: BaseException) -> None:
    raise AssertionError("the broker's client ended") from error


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    if request.param == "memory":
        yield InMemory()
        return
    bootstrap, prefix = request.getfixturevalue("bootstrap"), request.getfixturevalue("prefix")
    await asyncio.to_thread(make_topics, bootstrap, short_settings(bootstrap, prefix).topics())
    async with open_writer(bootstrap, on_fatal=_fatal) as writer:
        yield OnKafka(bootstrap, prefix, writer)


async def test_what_is_written_is_read_with_its_place(broker: Broker) -> None:
    kept = Kept()
    async with broker.reading(kept):
        written = await broker.writer.write(broker.topic, key=b"k", value=b"v")
        await kept.until(lambda: len(kept.records) == 1)
    (record,) = kept.records
    assert (record.topic, record.partition, record.offset) == (written.topic, written.partition, written.offset)
    assert (record.key, record.value) == (b"k", b"v")
    assert record.timestamp_ms == written.timestamp_ms


async def test_one_key_stays_in_order(broker: Broker) -> None:
    kept = Kept()
    async with broker.reading(kept):
        await asyncio.gather(
            *(broker.writer.write(broker.topic, key=b"k", value=b"%d" % number) for number in range(1_000))
        )
        await kept.until(lambda: len(kept.records) == 1_000)
    assert kept.values() == [b"%d" % number for number in range(1_000)]


async def test_a_null_value_is_told_from_an_empty_one(broker: Broker) -> None:
    kept = Kept()
    async with broker.reading(kept):
        for value in (None, b""):
            await broker.writer.write(broker.topic, key=b"k", value=value)
        await kept.until(lambda: len(kept.records) == 2)
    assert kept.values() == [None, b""]


async def test_a_new_group_begins_at_the_start_with_nothing_committed(broker: Broker) -> None:
    await broker.writer.write(broker.topic, key=b"k", value=b"early")
    kept = Kept()
    async with broker.reading(kept):
        await kept.until(lambda: len(kept.records) == 1)
    assert {each.committed for each in kept.positions} == {None}
    assert len(kept.positions) == 8


async def test_what_was_committed_is_not_read_again(broker: Broker) -> None:
    first, second = Kept(), Kept()
    async with broker.reading(first):
        await broker.writer.write(broker.topic, key=b"k", value=b"1")
        await first.until(lambda: len(first.records) == 1)
    async with broker.reading(second):
        await broker.writer.write(broker.topic, key=b"k", value=b"2")
        await second.until(lambda: len(second.records) == 1)
    assert second.values() == [b"2"]
    (committed,) = [each for each in second.positions if each.committed is not None]
    assert (committed.start, committed.committed, committed.metadata) == (1, 1, "kept")


async def test_a_commit_while_reading_holds_as_well(broker: Broker) -> None:
    first, second = Kept(), Kept()
    async with broker.reading(first) as reader:
        for value in (b"1", b"2"):
            await broker.writer.write(broker.topic, key=b"k", value=value)
        await first.until(lambda: len(first.records) == 2)
        reader.commit({TopicPartition(first.records[0].topic, first.records[0].partition): Commit(1, "half")})
        first.done.clear()
    async with broker.reading(second):
        await second.until(lambda: len(second.records) == 1)
    assert second.values() == [b"2"]


async def test_groups_do_not_know_of_each_other(broker: Broker) -> None:
    one, other = Kept(), Kept()
    async with broker.reading(one, group="one"), broker.reading(other, group="other"):
        await broker.writer.write(broker.topic, key=b"k", value=b"v")
        await one.until(lambda: len(one.records) == 1)
        await other.until(lambda: len(other.records) == 1)


async def test_a_paused_partition_goes_on_where_it_was_told(broker: Broker) -> None:
    kept = Kept()
    kept.pause_after = 10
    async with broker.reading(kept) as reader:
        kept.reader = reader
        await asyncio.gather(
            *(broker.writer.write(broker.topic, key=b"k", value=b"%d" % number) for number in range(100))
        )
        await kept.until(lambda: len(kept.paused) == 1)
        assert len(kept.records) == 10
        for pause_after in (20, 50, 0):
            kept.pause_after = pause_after
            (paused,) = kept.paused
            kept.paused.clear()
            reader.resume(paused)
            await kept.until(lambda: len(kept.paused) == 1 or len(kept.records) == 100)
    assert kept.values() == [b"%d" % number for number in range(100)]


async def test_a_reader_that_polls_is_a_member(broker: Broker) -> None:
    kept = Kept()
    async with broker.reading(kept) as reader:
        await kept.until(reader.is_member)


@pytest.mark.kafka
async def test_a_handler_that_breaks_ends_the_role_and_nothing_is_committed_past_it(
    bootstrap: str, prefix: str
) -> None:
    class Broken(Kept):
        def received(self, records: Sequence[KafkaRecord]) -> None:
            super().received(records[:1])
            raise ZeroDivisionError(len(records))

    settings, failed = short_settings(bootstrap, prefix), asyncio.get_running_loop().create_future()
    await asyncio.to_thread(make_topics, bootstrap, settings.topics())
    topic = settings.topics().deliveries
    config = ReaderConfig(bootstrap_servers=bootstrap, group=f"{prefix}g", topics=(topic,), session_timeout_s=6)
    broken = Broken()
    reader = KafkaReader(config, broken, metrics=Metrics(CollectorRegistry()), on_fatal=failed.set_result)
    reader.start()
    async with open_writer(bootstrap, on_fatal=_fatal) as writer:
        await writer.write(topic, key=b"k", value=b"1")
        assert isinstance(await asyncio.wait_for(failed, 30), ZeroDivisionError)
        await writer.write(topic, key=b"k", value=b"2")
    await reader.stop()
    assert broken.values() == [b"1"]
    kept = Kept()
    again = KafkaReader(config, kept, metrics=Metrics(CollectorRegistry()), on_fatal=_fatal)
    again.start()
    await kept.until(lambda: len(kept.records) == 2)
    await again.stop()
    assert kept.values() == [b"1", b"2"]
