"""The open records of one partition in one assignment: what is open, what may be committed, what is a repeat."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from hookline.core.offsets import Progress, bits_of, read_bitmap, written_bitmap
from hookline.core.repeats import Copy, Repeats
from hookline.schemas.records import Delivery


class Arrival(Enum):
    """What a window says of a record that comes in."""

    FULL = auto()  # not taken: read no more of this partition for now
    START = auto()  # open: carry it out, then call `finish`
    REPEAT = auto()  # nothing to do: a copy of it is done, or open and answers for both
    HELD = auto()  # open: an earlier record asks for the same attempt, and closes this one or has `postpone` return it
    DONE = auto()  # nothing to do: it was done before this assignment


class Hold(Enum):
    """Whose the partition is."""

    OURS = auto()
    DRAINING = auto()  # ours for a last moment: nothing starts, what is in flight is finished and committed
    GONE = auto()  # another process's: a late result may be put on record, but neither retried nor committed


@dataclass(frozen=True, slots=True)
class Slot:
    """One open record: its window, where it lies, and how many bytes it holds."""

    window: "Window"
    offset: int
    size_bytes: int
    delivery: Delivery


class Window:
    """One partition, one assignment. Not one call awaits, so nothing here needs a lock.

    Invariants: at most `records_max` records from the first open one on; `position` never passes an open record; a record
    counts as done only when `finish` or `postpone` was called for it or for the copy that answers for it, in this
    assignment or, as `done_before` says, in an earlier one; `metadata` names done offsets only.
    """

    def __init__(
        self,
        *,
        lane: str,
        topic: str,
        partition: int,
        position: int,
        committed: int,
        records_max: int,
        keys_max: int,
        metadata: str = "",
    ) -> None:
        self.lane = lane
        self.topic = topic
        self.partition = partition
        self.committed = committed  # below it everything was done before this assignment
        self.hold = Hold.OURS
        self.open_bytes = 0
        self.dirty = False  # whether something was done since it was last committed
        self._done_before = set(read_bitmap(committed, metadata))
        self._progress = Progress(position)
        self._repeats = Repeats(keys_max)
        self._held: dict[int, Slot] = {}
        self._records_max = records_max

    @property
    def position(self) -> int:
        """The offset that may be committed."""
        position = max(self.committed, self._progress.position)
        while position in self._done_before:  # not read yet; a bitmap can't name the position itself
            position += 1
        return position

    @property
    def metadata(self) -> str:
        """What travels with the commit: which offsets beyond `position` are done, this assignment's and earlier ones'."""
        position = self.position
        return written_bitmap(self._progress.beyond(position) | bits_of(position, self._done_before))

    def arrive(self, delivery: Delivery, offset: int, size_bytes: int) -> Arrival:
        """A record of the partition was read, in order."""
        if self._progress.span() >= self._records_max:
            return Arrival.FULL
        if offset in self._done_before:
            self._done_before.remove(offset)
            self._repeats.remember(delivery)
            self._progress.open(offset)
            self._close(offset)
            return Arrival.DONE
        copy = self._repeats.arrive(delivery, offset)
        self._progress.open(offset)
        if copy is Copy.FIRST or copy is Copy.AFTER_OPEN:
            self.open_bytes += size_bytes
        if copy is Copy.FIRST:
            return Arrival.START
        if copy is Copy.AFTER_OPEN:
            self._held[offset] = Slot(self, offset, size_bytes, delivery)
            return Arrival.HELD
        if copy is Copy.OF_DONE:
            self._close(offset)
        return Arrival.REPEAT

    def remember(self, delivery: Delivery) -> None:
        """A record from before the committed position: done, but its copies may still come."""
        self._repeats.remember(delivery)

    def arrive_unreadable(self, offset: int) -> Arrival:
        """A record that is no delivery was read: open until `release`, when it is on record as that."""
        if self._progress.span() >= self._records_max:
            return Arrival.FULL
        self._progress.open(offset)
        if offset in self._done_before:
            self._done_before.remove(offset)
            self._close(offset)
            return Arrival.DONE
        return Arrival.START

    def release(self, offset: int) -> None:
        """An unreadable record is on record in dead letters."""
        self._close(offset)

    def finish(self, slot: Slot) -> None:
        """The record's outcome is acknowledged by Kafka: its attempt was made, or never will be."""
        self._close_all(slot, self._repeats.finish(slot.delivery))

    def postpone(self, slot: Slot) -> Slot | None:
        """Kafka has the record's successor, which asks for the same attempt later; returns it if it was read already."""
        copies, following = self._repeats.postpone(slot.delivery)
        self._close_all(slot, copies)
        return None if following is None else self._held.pop(following)

    def has_room(self) -> bool:
        """Whether reading should go on after `FULL`: at half, so that pausing is rare."""
        return self._progress.span() <= self._records_max // 2

    def is_tight(self) -> bool:
        """Whether it is nearly full, so that what has not started should make room for what comes after it."""
        return self._progress.span() >= self._records_max - self._records_max // 10

    def is_idle(self) -> bool:
        return self._progress.is_idle()

    def open_count(self) -> int:
        return self._progress.span()

    def _close_all(self, slot: Slot, copies: Iterable[int]) -> None:
        self.open_bytes -= slot.size_bytes
        self._close(slot.offset)
        for offset in copies:
            held = self._held.pop(offset, None)
            self.open_bytes -= 0 if held is None else held.size_bytes
            self._close(offset)

    def _close(self, offset: int) -> None:
        self._progress.close(offset)
        self.dirty = True
