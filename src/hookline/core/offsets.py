"""What one partition may commit: never past work that is still open."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """Offsets open and done in one partition, from one assignment on.

    Invariant: every offset below `position` was closed, or never read (compacted away, or a transaction's marker).
    """

    position: int
    _read: deque[int] = field(default_factory=deque)  # from the first open one on, in reading order
    _done: set[int] = field(default_factory=set)  # of these, the finished ones

    def open(self, offset: int) -> None:
        """A record was read. Offsets only grow."""
        self._read.append(offset)

    def close(self, offset: int) -> None:
        """Its effects are all acknowledged."""
        self._done.add(offset)
        while self._read and self._read[0] in self._done:
            first = self._read.popleft()
            self._done.remove(first)
            self.position = first + 1

    def span(self) -> int:
        """How many records there are from the first open one on, finished ones among them."""
        return len(self._read)

    def is_idle(self) -> bool:
        """Whether nothing is open."""
        return not self._read
