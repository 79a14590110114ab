"""Before a replay looks what was never delivered, what is on its way must have come to be on record.

Else it would send once more what the fan-out has matched and a dispatcher has not sent yet.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from hookline.runtime.log import TopicPartition
from hookline.schemas.records import JobPosition
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.replay")
# A road that is further behind is in trouble, and what is sent twice then bears the same id.
_PATIENCE_S = 60.0
_LOOK_EVERY_S = 0.1


class Ends(Protocol):
    """Where a group is, and where topics end (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        """For each partition where the group's reading would begin, and where the partition ends; NotYet."""
        ...

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where each partition ends; NotYet."""
        ...

    async def partition(self, topic: str, key: bytes) -> TopicPartition:
        """The partition of this key; NotYet."""
        ...


class Store(Protocol):
    """The history store (`hookline.runtime.history.HistoryStore`)."""

    async def offsets(self, topic: str) -> Mapping[int, int]:
        """By partition of the topic, the offset where reading goes on; NotYet."""
        ...


class Settling:
    """Waits until fan-out, dispatchers and history have what lay before them when it began."""

    def __init__(
        self,
        *,
        fanout: Ends,
        dispatchers: Ends,
        replays: Ends,
        store: Store,
        topics: Topics,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._fanout = fanout
        self._dispatchers = dispatchers
        self._replays = replays
        self._store = store
        self._topics = topics
        self._patience_s = patience_s

    async def settled(self, subscription_id: str, positions: Sequence[JobPosition]) -> None:
        """Return when all that happened to events before their ends is on record, or after a minute at most. NotYet."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._settled(subscription_id.encode(), positions)
        except TimeoutError:
            _log.warning("job.not_settled", extra={"subscription_id": subscription_id, "waited_s": self._patience_s})

    async def _settled(self, key: bytes, positions: Sequence[JobPosition]) -> None:
        ends = {TopicPartition(each.topic, each.partition): each.end for each in positions}
        await self._until_committed(self._fanout, {each: end for each, end in ends.items() if end})
        for group, topic in ((self._dispatchers, self._topics.deliveries), (self._replays, self._topics.replays)):
            partition = await group.partition(topic, key)
            await self._until_committed(group, await group.ends([partition]))
        attempts = await self._dispatchers.partition(self._topics.attempts, key)
        end = (await self._dispatchers.ends([attempts]))[attempts]
        while True:
            stored = await self._store.offsets(self._topics.attempts)
            if stored.get(attempts.partition, 0) >= end:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _until_committed(self, group: Ends, ends: Mapping[TopicPartition, int]) -> None:
        left = dict(ends)
        while left:
            found = await group.backlog(tuple(left))
            left = {each: end for each, end in left.items() if found[each][0] < end}
            if left:
                await asyncio.sleep(_LOOK_EVERY_S)
