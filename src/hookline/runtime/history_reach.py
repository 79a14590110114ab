"""Whether the history store has what is on record of deliveries: one that is behind, or was emptied, knows nothing of what was delivered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from hookline.schemas.errors import NotYet

Recorded = Callable[[], Awaitable[None]]  # NotYet while history lacks what was on record when it was asked for
_WAIT_S = 5.0  # history is a tenth of a second behind, as a rule; one that is further behind may be so for hours
_LOOK_EVERY_S = 0.1


class Bounds(Protocol):
    """Where partitions begin and end (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def bounds(self, topic: str, partitions: Sequence[int] = ()) -> Mapping[int, tuple[int, int]]:
        """For each of these partitions, or of all, the first record that is still there, and where the partition ends; NotYet."""
        ...


class Store(Protocol):
    """The history store (`hookline.runtime.history.HistoryStore`)."""

    async def offsets(self, topic: str) -> Mapping[int, int]:
        """By partition of the topic, the offset where reading goes on; NotYet."""
        ...


class HistoryReach:
    """Compares the store's offsets of `topic` with where its partitions end."""

    def __init__(self, *, ends: Bounds, store: Store, topic: str, wait_s: float = _WAIT_S) -> None:
        self._ends = ends
        self._store = store
        self._topic = topic
        self._wait_s = wait_s

    async def caught_up(self) -> Recorded:
        """Return when the store has all that is on record now; NotYet if it has not within some seconds.

        What is returned says NotYet if the store has it no more: what was emptied meanwhile answered that nothing was ever sent.
        """
        wanted = await self._wanted()
        clock = asyncio.get_running_loop().time
        until_s = clock() + self._wait_s
        while lacking := await self._lacking(wanted):
            if clock() >= until_s:
                raise self._not_yet(lacking)
            await asyncio.sleep(_LOOK_EVERY_S)
        return partial(self._check, wanted)

    async def recording(self, partition: int) -> Recorded:
        """What says NotYet while the store has not all that is on record in this partition now. NotYet."""
        return partial(self._check, await self._wanted(partition))

    async def _wanted(self, *partitions: int) -> Mapping[int, int]:
        bounds = await self._ends.bounds(self._topic, partitions)
        return {partition: end for partition, (_, end) in bounds.items()}

    async def _check(self, wanted: Mapping[int, int]) -> None:
        if lacking := await self._lacking(wanted):
            raise self._not_yet(lacking)

    async def _lacking(self, wanted: Mapping[int, int]) -> Mapping[int, int]:
        """Where each partition ended that the store has not read so far; what has all aged out is never stored any more."""
        stored = await self._store.offsets(self._topic)
        behind = [partition for partition, end in wanted.items() if stored.get(partition, 0) < end]
        bounds = await self._ends.bounds(self._topic, behind) if behind else {}
        return {partition: wanted[partition] for partition, (first, _) in bounds.items() if first < wanted[partition]}

    def _not_yet(self, lacking: Mapping[int, int]) -> NotYet:
        partition, end = next(iter(lacking.items()))
        return NotYet(f"the history store is not at offset {end} of {self._topic}[{partition}] yet")
