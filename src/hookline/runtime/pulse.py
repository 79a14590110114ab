"""Whether the broker answers, and whether what it has is worked on: what `/readyz` says of both."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Protocol

from hookline.core.standstill import Standstill
from hookline.runtime.clock import Clock
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import NotYet

_BEAT_EVERY_S = 1.0
_SILENT_S = 5.0  # a question may take 2 s; a leader's election less than this
_LOOK_EVERY_S = 5.0
STILL_S = 60.0  # twice as long as the longest request

# What is to be done, by name, with a value that changes whenever some of it gets done; NotYet when it can't be known.
Signs = Callable[[], Awaitable[Mapping[str, Hashable]]]


class Ends(Protocol):
    """Says where topics end (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def of(self, topic: str) -> int:
        """The offset that the next record will have; NotYet if the broker does not say."""
        ...

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The same for many partitions; NotYet."""
        ...


class Pulse:
    """Asks the broker every second where a topic ends: a broker that hangs is noticed like one that is gone."""

    def __init__(self, ends: Ends, *, topic: str, clock: Clock, beat_every_s: float = _BEAT_EVERY_S) -> None:
        self._ends = ends
        self._topic = topic
        self._clock = clock
        self._beat_every_s = beat_every_s
        self._answered_s: float | None = None
        self._said = "the broker has not been asked yet"
        self.end = 0

    async def beat_forever(self) -> None:
        """Ask until cancelled."""
        while True:
            await self._ask()
            await asyncio.sleep(self._beat_every_s)

    def complaint(self) -> str | None:
        """What is wrong with the broker; None while it answers."""
        if self._answered_s is None:
            return self._said
        silent_s = self._clock.monotonic_s() - self._answered_s
        return f"{self._said} ({silent_s:.0f} s ago it did)" if silent_s > _SILENT_S else None

    async def _ask(self) -> None:
        try:
            self.end = await self._ends.of(self._topic)
        except NotYet as error:
            self._said = str(error)
        else:
            self._answered_s = self._clock.monotonic_s()
            self._said = "the broker does not answer"


class Watch:
    """Looks every few seconds whether what there is to do is being done. Time without a broker does not count."""

    def __init__(
        self,
        pulse: Pulse,
        *signs: Signs,
        clock: Clock,
        still_s: float = STILL_S,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._pulse = pulse
        self._signs = signs
        self._clock = clock
        self._still_s = still_s
        self._look_every_s = look_every_s
        self._standstill = Standstill(gap_max_s=3 * look_every_s)

    async def look_forever(self) -> None:
        """Look until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(self._look_every_s)

    def complaint(self) -> str | None:
        """What has not moved for a minute although there is something to do; None when all is well."""
        name, still_s = self._standstill.longest()
        return (
            f"{name}: nothing was done for {still_s:.0f} s although there is something to do"
            if still_s >= self._still_s
            else None
        )

    async def _look(self) -> None:
        if self._pulse.complaint() is not None:
            self._standstill.forget()
            return
        signs: dict[str, Hashable] = {}
        try:
            for ask in self._signs:
                signs |= await ask()
        except NotYet:
            self._standstill.forget()
        else:
            self._standstill.look(signs, now_s=self._clock.monotonic_s())


class Positions(Protocol):
    """What is read, and how far (`hookline.runtime.kafka_reader.KafkaReader`)."""

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset to come of each partition that is not held back."""
        ...


async def unread(reading: Positions, ends: Ends) -> Mapping[str, Hashable]:
    """The partitions that have records to read, with the position of each. NotYet."""
    positions = reading.positions()
    found = await ends.ends(tuple(positions))
    return {
        f"{each.topic}[{each.partition}]": position
        for each, position in positions.items()
        if position < found.get(each, 0)
    }
