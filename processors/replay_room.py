"""How far a job may be ahead of the dispatchers, so that a pause or a cancellation acts soon, and a slow endpoint fills no tier."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from hookline.runtime.clock import Clock
from hookline.runtime.log import TopicPartition, Written
from hookline.schemas.errors import NotYet

# Two seconds at the highest rate: dispatchers never wait for a job, and little is left of one that was cancelled.
AHEAD_MAX = 2_000
_ASK_EVERY_S = 0.1


class Committed(Protocol):
    """What a group has committed (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        """For each partition where the group's reading would begin, and where the partition ends; NotYet."""
        ...


class Room:
    """Counts from what a job wrote last back to what the dispatchers have committed, also what other jobs wrote between."""

    def __init__(self, committed: Committed, *, clock: Clock, ahead_max: int = AHEAD_MAX) -> None:
        self._committed = committed
        self._clock = clock
        self._ahead_max = ahead_max
        self._partition: TopicPartition | None = None  # its subscription's, known from the first write on
        self._next = self._done = 0
        self._asked_s = float("-inf")

    @property
    def ahead(self) -> int:
        """Records on the way, as last heard of."""
        return max(0, self._next - self._done)

    def wrote(self, written: Written) -> None:
        """This was written."""
        partition = TopicPartition(written.topic, written.partition)
        if partition != self._partition:  # the first, or the topic has more of them by now
            self._partition, self._next, self._done = partition, 0, 0
        self._next = max(self._next, written.offset + 1)

    async def has_room(self, count: int) -> bool:
        """Whether so many more may be written now. The first batch may: where it goes is not known before."""
        if self._partition is None:
            return True
        now_s = self._clock.monotonic_s()
        if self.ahead + count > self._ahead_max and now_s - self._asked_s >= _ASK_EVERY_S:
            self._asked_s = now_s
            await self.look()
        return self.ahead + count <= self._ahead_max

    async def look(self) -> None:
        """Ask how far the dispatchers are."""
        if self._partition is None:
            return
        try:
            self._done, _ = (await self._committed.backlog([self._partition]))[self._partition]
        except NotYet:
            return  # what was known holds: the job waits
