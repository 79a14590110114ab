"""A broker in memory: the same roles as `kafka_reader` and `kafka_writer` play, for tests that inject failures.

It passes the same contract suite as Apache Kafka (tests/contract/test_log.py). One member per group, one event loop.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hookline.runtime.clock import Clock
from hookline.runtime.log import Commit, Handler, KafkaRecord, Position, TopicPartition, Written
from hookline.schemas.errors import HooklineError, NotYet, TooLarge

_BATCH_MAX = 500

# Says whether a write fails now, with its topic.
Failing = Callable[[str], bool]


def _never(_topic: str) -> bool:
    return False


@dataclass(slots=True)
class MemoryBroker:
    """Topics with their partitions, and what groups committed."""

    clock: Clock
    _topics: dict[str, list[list[KafkaRecord]]] = field(default_factory=dict)
    _commits: dict[tuple[str, TopicPartition], Commit] = field(default_factory=dict)
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def create(self, topic: str, partitions: int = 1) -> None:
        self._topics[topic] = [[] for _ in range(partitions)]

    def append(self, topic: str, key: bytes | None, value: bytes | None) -> Written:
        """Append a record; keyed ones go to the same partition each time."""
        partitions = self._topics[topic]
        number = 0 if key is None else zlib.crc32(key) % len(partitions)
        log, now_ms = partitions[number], self.clock.now_ms()
        log.append(KafkaRecord(topic, number, len(log), now_ms, key, value))
        for listener in self._listeners:
            listener()
        return Written(topic, number, len(log) - 1, now_ms)

    def records(self, topic: str) -> Sequence[KafkaRecord]:
        """Everything on a topic, partition by partition."""
        return [record for log in self._topics[topic] for record in log]

    def slice(self, partition: TopicPartition, start: int, count: int) -> Sequence[KafkaRecord]:
        return self._topics[partition.topic][partition.partition][start : start + count]

    def partitions(self, topics: Sequence[str]) -> Sequence[TopicPartition]:
        return [TopicPartition(topic, number) for topic in topics for number in range(len(self._topics[topic]))]

    def committed(self, group: str, partition: TopicPartition) -> Commit | None:
        return self._commits.get((group, partition))

    def commit(self, group: str, commits: Mapping[TopicPartition, Commit]) -> None:
        self._commits |= {(group, partition): commit for partition, commit in commits.items()}

    def listen(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)


class MemoryWriter:
    """A `Writer` on a memory broker; `fails` is asked before each write. `bytes_max`: the limits of topics that have one."""

    def __init__(
        self, broker: MemoryBroker, *, fails: Failing = _never, bytes_max: Mapping[str, int] | None = None
    ) -> None:
        self._broker = broker
        self._fails = fails
        self._bytes_max = {} if bytes_max is None else bytes_max

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> "asyncio.Future[Written]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Written] = loop.create_future()
        size_bytes, bytes_max = len(key or b"") + len(value or b""), self._bytes_max.get(topic)
        if bytes_max is not None and size_bytes > bytes_max:
            loop.call_soon(
                _fail, future, TooLarge(f"{topic}: the record's {size_bytes} bytes are over the topic's limit")
            )
        elif self._fails(topic):
            loop.call_soon(_fail, future, NotYet(f"{topic}: the write was made to fail"))
        else:
            loop.call_soon(_settle, future, self._broker.append(topic, key, value))
        return future


def _settle(future: "asyncio.Future[Written]", written: Written) -> None:
    if not future.done():
        future.set_result(written)


def _fail(future: "asyncio.Future[Written]", error: HooklineError) -> None:
    if not future.done():
        future.set_exception(error)


@dataclass(slots=True)
class _Reading:
    position: int
    paused: bool = False


class MemoryReader:
    """A `Reader` on a memory broker, the only member of its group."""

    def __init__(self, broker: MemoryBroker, *, group: str, topics: Sequence[str], handler: Handler) -> None:
        self._broker = broker
        self._group = group
        self._topics = topics
        self._handler = handler
        self._reading: dict[TopicPartition, _Reading] = {}
        self._scheduled = False
        self.member = True
        broker.listen(self._wake)

    def start(self) -> None:
        """Take over all partitions where the group's commits say."""
        positions = [self._position(partition) for partition in self._broker.partitions(self._topics)]
        self._reading = {each.partition: _Reading(each.start) for each in positions}
        self._handler.assigned(positions)
        self._wake()

    async def stop(self) -> None:
        """Drain through the handler and commit."""
        partitions = tuple(self._reading)
        for reading in self._reading.values():
            reading.paused = True
        commits = await self._handler.revoking(partitions)
        self._broker.commit(self._group, commits)
        self._reading = {}

    def lose(self) -> None:
        """Another process has the partitions now, and nobody asked."""
        partitions = tuple(self._reading)
        self._reading = {}
        self._handler.lost(partitions)

    def pause(self, partition: TopicPartition, *, resume_at: int) -> None:
        if (reading := self._reading.get(partition)) is not None:
            reading.paused, reading.position = True, resume_at

    def resume(self, partition: TopicPartition) -> None:
        if (reading := self._reading.get(partition)) is not None:
            reading.paused = False
            self._wake()

    def commit(self, commits: Mapping[TopicPartition, Commit]) -> None:
        self._broker.commit(self._group, {each: commit for each, commit in commits.items() if each in self._reading})

    def is_member(self) -> bool:
        return self.member

    def _position(self, partition: TopicPartition) -> Position:
        commit = self._broker.committed(self._group, partition)
        if commit is None:
            return Position(partition, 0, None, "")
        return Position(partition, commit.offset, commit.offset, commit.metadata)

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._scheduled = False
        for partition, reading in list(self._reading.items()):
            records = [] if reading.paused else self._broker.slice(partition, reading.position, _BATCH_MAX)
            if records:
                reading.position += len(records)
                self._handler.received(records)
                self._wake()
