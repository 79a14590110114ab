"""What every broker can do for us, as roles. `kafka.py` plays them on Apache Kafka, `memory.py` in memory.

A handler lives on the event loop; a reader hands it records and takes its wishes (pause, resume, commit).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hookline.schemas.errors import NotYet

_REWRITE_FIRST_S = 0.05
_REWRITE_MAX_S = 2.0


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class KafkaRecord(NamedTuple):
    """One record as the broker keeps it. `timestamp_ms` is the append time on topics that say so, else the producer's."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Written(NamedTuple):
    """The broker's yes: where a record went, and the time it bears."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading of an assigned partition begins.

    `committed` is the first offset whose effects are not all on record (None: nothing committed yet); `start` may lie
    before it, when the reader was asked to go back: those records are for the memory of repeats only.
    """

    partition: TopicPartition
    start: int
    committed: int | None
    metadata: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything below `offset` is done; `metadata` (at most 4,095 characters) travels with it."""

    offset: int
    metadata: str = ""


class Handler(Protocol):
    """Takes what a reader reads. All calls come on the event loop, those of one partition in order."""

    def assigned(self, positions: Sequence[Position], /) -> None:
        """These partitions are ours from now on."""
        ...

    def received(self, records: Sequence[KafkaRecord], /) -> None:
        """The next records, in order within each partition."""
        ...

    async def revoking(self, partitions: Sequence[TopicPartition], /) -> Mapping[TopicPartition, Commit]:
        """These partitions are about to go: finish what is open and say what to commit. Has a deadline."""
        ...

    def lost(self, partitions: Sequence[TopicPartition], /) -> None:
        """These partitions are gone already: forget them, commit nothing."""
        ...


class Reader(Protocol):
    """Reads partitions for one handler."""

    def pause(self, partition: TopicPartition, *, resume_at: int) -> None:
        """Hand over nothing more of this partition; the record at `resume_at` is the first after `resume`."""
        ...

    def resume(self, partition: TopicPartition) -> None:
        """Go on reading a paused partition where `pause` said."""
        ...

    def commit(self, commits: Mapping[TopicPartition, Commit]) -> None:
        """Commit soon; of several for one partition the last holds."""
        ...

    def is_member(self) -> bool:
        """Whether this process polled lately enough to be sure that its partitions are still its own."""
        ...


class Writer(Protocol):
    """Writes records, and says for each when the broker has it."""

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> "asyncio.Future[Written]":
        """Write one record. The future fails with NotYet when the broker did not say yes: write it again.

        It fails with TooLarge when the topic takes no record of this size, today or ever.
        """
        ...


async def persisted(
    writer: Writer, topic: str, *, key: bytes | None, value: bytes | None, on_retry: Callable[[str], None] | None = None
) -> Written:
    """Write until the broker says yes, however long it is away. Everything outside it stays as it is meanwhile.

    Raises TooLarge when the topic's limit is below the record's size: write something smaller instead.
    """
    wait_s = _REWRITE_FIRST_S
    while True:
        try:
            return await writer.write(topic, key=key, value=value)
        except NotYet:
            if on_retry is not None:
                on_retry(topic)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _REWRITE_MAX_S)
