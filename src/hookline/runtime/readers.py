"""Several readers that one handler takes for one."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from hookline.runtime.kafka_reader import KafkaReader
from hookline.runtime.log import Commit, Reader, TopicPartition


class Readers:
    """A `Reader` over readers of one topic each.

    A group shares out partitions evenly, but not those of each topic: of two processes that read two topics in one
    group, cooperative-sticky gave all of the first topic to one and all of the second to the other (measured).
    """

    def __init__(self, by_topic: Mapping[str, Reader]) -> None:
        self._by_topic = by_topic

    def pause(self, partition: TopicPartition, *, resume_at: int) -> None:
        self._by_topic[partition.topic].pause(partition, resume_at=resume_at)

    def resume(self, partition: TopicPartition) -> None:
        self._by_topic[partition.topic].resume(partition)

    def commit(self, commits: Mapping[TopicPartition, Commit]) -> None:
        for topic, reader in self._by_topic.items():
            if ours := {each: commit for each, commit in commits.items() if each.topic == topic}:
                reader.commit(ours)

    def is_member(self) -> bool:
        """Whether all of them are: a process that was paused was so for every group."""
        return all(reader.is_member() for reader in self._by_topic.values())


@asynccontextmanager
async def reading_all(readers: Sequence[KafkaReader]) -> AsyncIterator[None]:
    """Read while the block runs; at its end all drain at once, so that it takes no longer than one of them."""
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        await asyncio.gather(*(reader.stop() for reader in readers))
