"""Before a replay looks what was never delivered, what is on its way must have come to be on record.

Else it would send once more what the fan-out has matched and a dispatcher has not sent yet. And as long as it looks, history must
have that: a store that is behind, or was emptied and is being filled again, would have everything sent once more.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hookline.runtime.history_reach import HistoryReach, Recorded
from hookline.runtime.log import TopicPartition
from hookline.schemas.records import JobPosition
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.replay")
_SAY_EVERY_S = 60.0  # a road that is further behind is in trouble
_LOOK_EVERY_S = 0.1


@dataclass(slots=True)
class Goals:
    """What a replay waits for before it looks, as far as it is fixed.

    One that gives its place up while it waits begins again with the same goals. Else it would have later ones whenever it begins,
    and on a road that is further behind than a turn lasts it would never come to look.
    """

    topics: Sequence[str] = ()  # whose stretches the positions are
    positions: Sequence[JobPosition] = ()
    lanes: dict[TopicPartition, int] = field(default_factory=dict)  # where those of the dispatchers ended
    recorded: Recorded | None = None

    def aim(self, topics: Sequence[str], positions: Sequence[JobPosition]) -> None:
        """Begin anew with these stretches of the log."""
        self.topics, self.positions, self.recorded = topics, positions, None
        self.lanes.clear()


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


class Settling:
    """Waits until fan-out and dispatchers have what lay before them when it began, and says whether history has it."""

    def __init__(
        self,
        *,
        fanout: Ends,
        dispatchers: Ends,
        replays: Ends,
        reach: HistoryReach,
        topics: Topics,
        say_every_s: float = _SAY_EVERY_S,
    ) -> None:
        self._fanout = fanout
        self._dispatchers = dispatchers
        self._replays = replays
        self._reach = reach
        self._topics = topics
        self._say_every_s = say_every_s

    async def settled(
        self, subscription_id: str, positions: Sequence[JobPosition], lanes: dict[TopicPartition, int]
    ) -> None:
        """Return when fan-out and dispatchers are past what happened to events before their ends, however long it takes. NotYet.

        `lanes` keeps the ends of the lanes as they are fixed: with those of a call that was given up the same is waited for.
        """
        key, topics = subscription_id.encode(), self._topics
        ends = {TopicPartition(each.topic, each.partition): each.end for each in positions}
        await self._until_committed(self._fanout, {each: end for each, end in ends.items() if end})
        for group, topic in ((self._dispatchers, topics.deliveries), (self._replays, topics.replays)):
            partition = await group.partition(topic, key)
            if partition not in lanes:
                lanes |= await group.ends([partition])
            await self._until_committed(group, {partition: lanes[partition]})

    async def recording(self, subscription_id: str) -> Recorded:
        """What says NotYet while history has not all that is on record of the subscription now. NotYet."""
        partition = await self._dispatchers.partition(self._topics.attempts, subscription_id.encode())
        return await self._reach.recording(partition.partition)

    async def _until_committed(self, group: Ends, ends: Mapping[TopicPartition, int]) -> None:
        left, clock = dict(ends), asyncio.get_running_loop().time
        say_s = clock() + self._say_every_s
        while left:
            found = await group.backlog(tuple(left))
            left = {each: end for each, end in left.items() if found[each][0] < end}
            if left and clock() >= say_s:
                _log.warning("job.not_settled", extra={"awaits": [f"{each.topic}[{each.partition}]" for each in left]})
                say_s = clock() + self._say_every_s
            if left:
                await asyncio.sleep(_LOOK_EVERY_S)
