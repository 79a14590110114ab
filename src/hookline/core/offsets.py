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
from functools import reduce
from operator import or_

_VERSION = "1"
_SHIFT_EVERY = 1_024  # so many bits below the position are kept, rather than moving all bits for each step of it
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
    # The same as one number, the lowest bit for `_lowest`: a commit that asks for thousands of offsets, one by one, takes
    # milliseconds, five times a second for each partition.
    _bits: int = 0
    _lowest: int = field(init=False)
    _has_gaps: bool = False  # some finished one was too far away for a bit

    def __post_init__(self) -> None:
        self._lowest = self.position

    def open(self, offset: int) -> None:
        """A record was read. Offsets only grow."""
        self._read.append(offset)

    def close(self, offset: int) -> None:
        """Its effects are all acknowledged."""
        self._done.add(offset)
        if offset - self._lowest < 2 * OFFSETS_MAX:
            self._bits |= 1 << (offset - self._lowest)
        else:
            self._has_gaps = True
        while self._read and self._read[0] in self._done:
            first = self._read.popleft()
            self._done.remove(first)
            self.position = first + 1
        if self.position - self._lowest >= _SHIFT_EVERY:
            self._shift()

    def beyond(self, position: int) -> int:
        """The offsets after this one (not below `self.position`) that are done, as bits: the lowest for the next offset."""
        if self._has_gaps:
            self._count_again()
        return self._bits >> (position + 1 - self._lowest)

    def _shift(self) -> None:
        self._bits >>= self.position - self._lowest
        self._lowest = self.position

    def _count_again(self) -> None:
        """Offsets that never came may have put others out of a bit's reach; some of them are in reach by now."""
        self._lowest = self.position
        near = [offset for offset in self._done if offset - self._lowest < 2 * OFFSETS_MAX]
        self._bits, self._has_gaps = bits_of(self._lowest - 1, near), len(near) < len(self._done)

    def span(self) -> int:
        """How many records there are from the first open one on, finished ones among them."""
        return len(self._read)

    def is_idle(self) -> bool:
        """Whether nothing is open."""
        return not self._read


def bits_of(position: int, done: Iterable[int]) -> int:
    """These offsets as bits, the lowest for the one after `position`; without those that are not after it."""
    return reduce(or_, (1 << (offset - position - 1) for offset in done if offset > position), 0)


def written_bitmap(done: int) -> str:
    """The metadata for a commit whose position is still open; `done`: what is done beyond it, as bits; empty when nothing is."""
    fitting = done & ((1 << OFFSETS_MAX) - 1)
    if not fitting:
        return ""
    return _VERSION + base64.b64encode(fitting.to_bytes((fitting.bit_length() + 7) // 8, "little")).decode("ascii")


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
