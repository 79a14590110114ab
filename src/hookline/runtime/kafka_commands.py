"""What passes between a consumer's owner thread and the event loop: wishes one way, records and news the other."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from hookline.runtime.log import Commit, KafkaRecord, Position, TopicPartition

Batch = Sequence[tuple[TopicPartition, int, Sequence[KafkaRecord]]]


# Each wish says which reading or assignment it is about: it may be overtaken by a rebalance, and then it is nobody's.


@dataclass(frozen=True, slots=True)
class Pause:
    partition: TopicPartition
    generation: int


@dataclass(frozen=True, slots=True)
class Resume:
    partition: TopicPartition
    offset: int
    before: int
    generation: int  # from now on


@dataclass(frozen=True, slots=True)
class CommitAll:
    commits: Mapping[TopicPartition, tuple[int, Commit]]  # with the generation that its assignment began with


class Stop:
    pass


Command = Pause | Resume | CommitAll | Stop


class LoopSide(Protocol):
    """What the owner thread tells the loop's half. Every method may be called from the thread."""

    def tell_assigned(
        self, positions: Sequence[Position], generation: int, resets: Sequence[TopicPartition]
    ) -> None: ...
    def tell_batch(self, batch: Batch, done: Callable[[], None]) -> None: ...
    def ask_revoking(self, partitions: Sequence[TopicPartition]) -> "Future[Mapping[TopicPartition, Commit]]": ...
    def ask_starts(self, partitions: Sequence[TopicPartition]) -> "Future[Mapping[TopicPartition, int]] | None": ...
    def tell_lost(self, partitions: Sequence[TopicPartition]) -> None: ...
    def tell_skipped(self, partition: TopicPartition, offset: int) -> None: ...
    def tell_end(self, partition: TopicPartition, generation: int, offset: int) -> None: ...
    def tell_passed(self, partition: TopicPartition, offset: int) -> None: ...
    def tell_highs(self, highs: Mapping[TopicPartition, int]) -> None: ...
    def tell_committed(self, error: str | None) -> None: ...
    def tell_fatal(self, error: BaseException) -> None: ...
