"""Where topics end now, and what a group has committed: questions to the broker that need no membership."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import confluent_kafka
from confluent_kafka import OFFSET_END, KafkaException

from hookline.runtime.kafka_client import RECONNECT_MS, at, partition_of
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import NotYet

_T = TypeVar("_T")


class EndOffsets:
    """Asks on a thread of its own, one question at a time. `of` takes 0.3 to 0.5 ms here (an AdminClient: 0.6 to 0.7).

    The consumer joins no group and reads nothing. It is read-committed: an open transaction's records are not there yet.
    """

    def __init__(self, bootstrap_servers: str, *, group: str = "hookline.no-group", timeout_s: float = 2.0) -> None:
        self._timeout_s = timeout_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="end-offsets")
        configuration = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "enable.auto.commit": False,
            "allow.auto.create.topics": False,
            "reconnect.backoff.max.ms": RECONNECT_MS,
            # A consumer that reads nothing never hears that a partition's leader changed: with the default of 5 minutes it
            # went on asking a broker that had been killed, and the fan-out stood still for 49 to 113 s (3 nodes, measured).
            "topic.metadata.refresh.interval.ms": 1_000,
            "log_level": 0,
        }
        self._consumer = self._thread.submit(OwnedConsumer, configuration).result()

    async def of(self, topic: str, partition: int = 0) -> int:
        """The offset that the next record of this partition will have, as the broker says now; NotYet if it doesn't."""
        return await self._ask(lambda: self._end(topic, partition))

    async def backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        """For each partition where the group's reading would begin, and where the partition ends; NotYet."""
        return await self._ask(lambda: self._backlog(partitions))

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset that the next record of each partition will have, in one question; NotYet if the broker leaves one out."""
        return await self._ask(lambda: self._ends(partitions)) if partitions else {}

    async def bounds(self, topic: str, partitions: Sequence[int] = ()) -> Mapping[int, tuple[int, int]]:
        """For each of these partitions, or of all, the first record that is still there, and where the partition ends; NotYet."""
        return await self._ask(lambda: self._bounds(topic, partitions))

    async def partition(self, topic: str, key: bytes) -> TopicPartition:
        """The partition of the topic that our producers write this key to; NotYet."""
        return await self._ask(lambda: self._partition(topic, key))

    async def close(self) -> None:
        """End the thread, after the question that is being asked."""
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._consumer.close)
        await closing
        self._thread.shutdown(wait=False)

    async def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, question)
        except KafkaException as error:
            raise NotYet(f"the broker did not say where topics end: {error.args[0].str()}") from error

    def _end(self, topic: str, partition: int) -> int:
        # A time of -1 means the end. One request; the watermarks are two: 0.05 ms of the broker's CPU instead of 0.10.
        asked = confluent_kafka.TopicPartition(topic, partition, OFFSET_END)
        found = self._consumer.offsets_for_times([asked], timeout=self._timeout_s)[0]
        if found.error is not None:
            raise KafkaException(found.error)
        if found.offset < 0:
            raise NotYet(f"the broker did not say where {topic} ends")
        return found.offset

    def _watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        asked = confluent_kafka.TopicPartition(topic, partition)
        found = self._consumer.get_watermark_offsets(asked, timeout=self._timeout_s)
        if found is None:
            raise NotYet(f"the broker did not say within {self._timeout_s} s where {topic} ends")
        low, high = found
        return low, high

    def _bounds(self, topic: str, partitions: Sequence[int]) -> Mapping[int, tuple[int, int]]:
        return {each: self._watermarks(topic, each) for each in partitions or range(self._partitions(topic))}

    def _backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        asked = [confluent_kafka.TopicPartition(each.topic, each.partition) for each in partitions]
        found = {}
        for committed in self._consumer.committed(asked, timeout=self._timeout_s):
            if committed.error is not None:
                raise KafkaException(committed.error)  # -1001 would read as "nothing committed"
            low, high = self._watermarks(committed.topic, committed.partition)
            found[TopicPartition(committed.topic, committed.partition)] = max(low, committed.offset), high
        return _complete(found, partitions)

    def _partition(self, topic: str, key: bytes) -> TopicPartition:
        return TopicPartition(topic, confluent_kafka.murmur2(key, self._partitions(topic)))

    def _partitions(self, topic: str) -> int:
        """How many the topic has."""
        known = self._consumer.list_topics(topic, timeout=self._timeout_s).topics.get(topic)
        if known is None or known.error is not None or not known.partitions:
            raise NotYet(f"the broker did not say which partitions {topic} has")
        return len(known.partitions)

    def _ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        # A time of -1 asks for the end, and all partitions of one broker are one request.
        found = self._consumer.offsets_for_times([at(each, OFFSET_END) for each in partitions], timeout=self._timeout_s)
        ends = {partition_of(each): each.offset for each in found if each.error is None and each.offset >= 0}
        return _complete(ends, partitions)


def _complete(found: Mapping[TopicPartition, _T], partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, _T]:
    """What was found, if it is of all partitions: one that is left out would pass for one without records."""
    if missing := [each for each in partitions if each not in found]:
        raise NotYet(f"the broker did not say where {missing[0].topic}[{missing[0].partition}] ends")
    return found
