"""What one partition may commit: never past work that is still open; what is done beyond that travels as a bitmap.

The bitmap is the commit's metadata, so position and bitmap change in one step: a version character, then base64 of bits,
the first of them for the offset after the position (the position itself is open). Bits that no longer fit are left out,
which can only repeat work, never lose it.
"""

import base64
import binascii
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

_VERSION = "1"
METADATA_CHARACTERS_MAX = 4_095  # Kafka's `offset.metadata.max.bytes` is 4,096
OFFSETS_MAX = (METADATA_CHARACTERS_MAX - len(_VERSION)) // 4 * 3 * 8  # 24,552: more than the largest window


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

    def beyond(self) -> Iterable[int]:
        """The offsets that are done although an earlier one is open."""
        return self._done

    def span(self) -> int:
        """How many records there are from the first open one on, finished ones among them."""
        return len(self._read)

    def is_idle(self) -> bool:
        """Whether nothing is open."""
        return not self._read


def written_bitmap(position: int, done: Iterable[int]) -> str:
    """The metadata for a commit at `position` (still open) with these offsets beyond it done; empty when there are none."""
    bits = bytearray()
    for offset in done:
        place = offset - position - 1
        if 0 <= place < OFFSETS_MAX:
            at = place >> 3
            if at >= len(bits):
                bits.extend(bytes(at + 1 - len(bits)))
            bits[at] |= 1 << (place & 7)
    return _VERSION + base64.b64encode(bits).decode("ascii") if bits else ""


def read_bitmap(position: int, metadata: str) -> frozenset[int]:
    """The offsets beyond `position` that are done; none for metadata that is not ours, which can only repeat work."""
    if not metadata.startswith(_VERSION):
        return frozenset()
    try:
        bits = base64.b64decode(metadata[len(_VERSION) :], validate=True)
    except (binascii.Error, ValueError):
        return frozenset()
    return frozenset(
        position + 1 + 8 * at + bit for at, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1
    )
