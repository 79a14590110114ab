"""Tells a topic that was deleted and made anew from the one whose positions are known: the same offsets mean other records."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from hookline.runtime.metrics import Metrics
from hookline.schemas.errors import NotYet

_log = logging.getLogger("hookline.fanout")
LOOK_EVERY_S = 5.0
_MARK = "topic-id:"  # other tools commit other things with a position, librdkafka for one a zero byte


class _Partition(Protocol):
    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...


_Any = TypeVar("_Any", bound=_Partition)


class Ids(Protocol):
    """Says which topic a name stands for now (`hookline.runtime.topic_ids.TopicIds`)."""

    async def of(self, topics: Iterable[str]) -> Mapping[str, str]:
        """The id of each of these topics that is there; NotYet."""
        ...


class TopicWatch:
    """Knows the ids of the topics as they were when reading began, and sees when they change."""

    def __init__(
        self, ids: Ids, *, topics: Sequence[str], metrics: Metrics, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._ids = ids
        self._topics = topics
        self._metrics = metrics
        self._look_every_s = look_every_s
        self._known: dict[str, str] = {}  # also of what is not read now: it may come back
        self._read: frozenset[str] = frozenset()

    def mark_of(self, topic: str) -> str:
        """What is committed with each position: the topic's id as this assignment found it; "" where the broker knew none."""
        return f"{_MARK}{self._known[topic]}" if topic in self._known else ""

    async def begun(self, committed: Mapping[_Any, str]) -> Sequence[_Any]:
        """Reading begins: the partitions whose position belongs to an earlier topic of the name, counted and said; NotYet.

        `committed`: the mark that was committed with each partition's position. Where it is none of ours, what this process found
        before counts; where that is not known either, the position is believed.
        """
        now = await self._ids.of(self._topics)
        anew = [each for each, mark in committed.items() if self._is_other(each.topic, mark, now)]
        self._read = frozenset(each.topic for each in committed)
        self._known |= {topic: topic_id for topic, topic_id in now.items() if topic in self._read}
        for each in anew:
            self._metrics.position_resets.labels(each.topic).inc()
            _log.error("kafka.topic_made_anew", extra={"topic": each.topic, "partition": each.partition})
        return anew

    def _is_other(self, topic: str, mark: str, now: Mapping[str, str]) -> bool:
        earlier = mark if mark.startswith(_MARK) else self.mark_of(topic)
        return bool(earlier) and topic in now and earlier != _MARK + now[topic]

    async def run(self, on_change: Callable[[], Awaitable[None]]) -> None:
        """Look until cancelled, and tell whenever a topic that is read is another one than when reading began."""
        while True:
            await asyncio.sleep(self._look_every_s)
            try:
                now = await self._ids.of(self._topics)
            except NotYet:
                continue
            if any(self._is_other(topic, "", now) for topic in self._read):
                await on_change()
