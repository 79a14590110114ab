"""What each source partition may commit: its events may finish in any order, the position moves in order."""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from hookline.runtime.log import TopicPartition

_Partition = TypeVar("_Partition", bound=Hashable)


def passed_over(
    before: Mapping[_Partition, int], after: Mapping[_Partition, int], read: Mapping[_Partition, int]
) -> Mapping[_Partition, int]:
    """Where reading is in each partition in which one look went past offsets that bear no record for us.

    `before` and `after` the look: the next offset to come, of the partitions where it is known. `read`: the first offset behind
    the last record that it found. The markers of transactions bear none, nor does what was aborted or has aged out.
    """
    return {each: at for each, at in after.items() if at > read.get(each, before.get(each, 0))}


class OpenEvent:
    """An event that was read and is not done. It belongs to one assignment of its partition."""

    __slots__ = ("_lane", "is_done", "offset")

    def __init__(self, lane: "_Lane", offset: int) -> None:
        self._lane = lane
        self.offset = offset
        self.is_done = False

    @property
    def is_ours(self) -> bool:
        """False once its partition was given up: whatever is still to be done for it is another process's work."""
        return self._lane.is_ours

    def finish(self) -> None:
        """Its effects are on record. Of an earlier assignment: no effect."""
        self.is_done = True
        self._lane.advance()


class _Lane:
    """One partition in one assignment."""

    __slots__ = ("_positions", "committed", "is_ours", "next_offset", "open", "received")

    def __init__(self, positions: "Positions") -> None:
        self._positions = positions
        self.open: deque[OpenEvent] = deque()
        self.next_offset: int | None = None  # what may be committed: everything below is done
        self.committed: int | None = None
        self.received: int | None = None  # the last offset that was read or passed over
        self.is_ours = True

    def advance(self) -> None:
        if not self.is_ours:
            return
        while self.open and self.open[0].is_done:
            self.next_offset = self.open.popleft().offset + 1
            self._positions.open_count -= 1


class Positions:
    """The open events of all partitions that are ours; `open_count` says how many they are."""

    def __init__(self) -> None:
        self.open_count = 0
        self._lanes: dict[TopicPartition, _Lane] = {}

    def open(self, partition: TopicPartition, offset: int) -> OpenEvent | None:
        """Note an event as read, in the order of offsets; None if this assignment has read it already."""
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = _Lane(self)
        if lane.received is not None and offset <= lane.received:
            return None
        lane.received = offset
        event = OpenEvent(lane, offset)
        lane.open.append(event)
        self.open_count += 1
        return event

    def partitions(self) -> Sequence[TopicPartition]:
        """Those that anything was read of in this assignment."""
        return tuple(self._lanes)

    def received(self) -> Mapping[TopicPartition, int]:
        """The last offset read or passed over, of each partition that anything was read of."""
        return {partition: lane.received for partition, lane in self._lanes.items() if lane.received is not None}

    def committable(self) -> Mapping[TopicPartition, int]:
        """The offsets to commit where they moved since `committed` was told: the first that is not done."""
        return {
            partition: lane.next_offset
            for partition, lane in self._lanes.items()
            if lane.next_offset is not None and lane.next_offset != lane.committed
        }

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The broker has these."""
        for partition, offset in offsets.items():
            if (lane := self._lanes.get(partition)) is not None:
                lane.committed = offset

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These went to somebody else, or come back in a new assignment: late results of them count for nothing."""
        for partition in partitions:
            if (lane := self._lanes.pop(partition, None)) is not None:
                lane.is_ours = False
                self.open_count -= len(lane.open)
