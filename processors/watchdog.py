"""Ends a fan-out that reads nothing although there is something: Faust's consumers are known to stop silently.

https://github.com/faust-streaming/faust/issues/175, 523 and 629. A new process reads on from the committed positions.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hookline.runtime.clock import Clock
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import HooklineError, NotYet

LOOK_EVERY_S = 5.0
STALL_S = 60.0  # as long as the longest rebalance may take
_WARN_PART = 0.5  # of this, until it is said on /readyz
_GOOD_FOR_LOOKS = 3


class Stalled(HooklineError):  # noqa: N818 - a state, and its message says the error
    """The fan-out reads nothing although there is something to read. Start it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at one time, in monotonic seconds. `ends` holds, by partition, where reading begins and where it ends."""

    at_s: float
    ends: Mapping[TopicPartition, tuple[int, int]]
    received: Mapping[TopicPartition, int]
    is_excused: bool
    is_rebalancing: bool


@dataclass(slots=True)
class Stall:
    """For how long each partition has had records that were not read. Only time between two looks that worked counts."""

    _last: Look | None = None
    _seconds: dict[TopicPartition | None, float] = field(default_factory=dict)

    def missed(self) -> None:
        """The broker did not answer: this time does not count."""
        self._last = None

    def longest_s(self, look: Look) -> float:
        """Add a look; the longest stall there is now, in seconds."""
        last, self._last = self._last, look
        if last is None or look.at_s - last.at_s > _GOOD_FOR_LOOKS * LOOK_EVERY_S:
            return 0.0
        passed_s = look.at_s - last.at_s
        stuck = _stuck(last, look)
        self._seconds = {each: self._seconds.get(each, 0.0) + passed_s for each in stuck}
        return max(self._seconds.values(), default=0.0)


def _stuck(last: Look, look: Look) -> set[TopicPartition | None]:
    """Partitions with records at both looks and nothing read between them; None stands for a rebalance that does not end."""
    if look.is_excused:
        return set()
    if look.is_rebalancing:
        return {None} if last.is_rebalancing else set()
    return {
        each
        for each in look.ends
        if _is_behind(last, each) and _is_behind(look, each) and last.received.get(each) == look.received.get(each)
    }


def _is_behind(look: Look, partition: TopicPartition) -> bool:
    if partition not in look.ends:
        return False
    start, end = look.ends[partition]
    return max(start, look.received.get(partition, -1) + 1) < end


class Ends(Protocol):
    """Says where partitions end (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        """For each partition where the group's reading would begin, and where it ends; NotYet."""
        ...


class Reading(Protocol):
    """What is watched (`hookline.processors.fanout.Fanout`)."""

    @property
    def is_rebalancing(self) -> bool: ...

    def assigned(self) -> Sequence[TopicPartition]: ...


class Progress(Protocol):
    """How far it came (`hookline.processors.pipeline.Pipeline`)."""

    def received(self) -> Mapping[TopicPartition, int]: ...

    def is_full(self) -> bool: ...


def lag_of(ends: Mapping[TopicPartition, tuple[int, int]]) -> Mapping[str, int]:
    """By topic: the records between where reading would begin and where the partitions end."""
    lag: dict[str, int] = {}
    for partition, (start, end) in ends.items():
        lag[partition.topic] = lag.get(partition.topic, 0) + max(0, end - start)
    return lag


def _unheard(_lag: Mapping[str, int]) -> None:
    """Nobody wants to know."""


class Watchdog:
    """Looks every few seconds and calls `on_stall` when a stall has lasted `stall_s`; tells `on_lag` what it saw."""

    def __init__(
        self,
        *,
        ends: Ends,
        reading: Reading,
        progress: Progress,
        clock: Clock,
        on_stall: Callable[[BaseException], None],
        on_lag: Callable[[Mapping[str, int]], None] = _unheard,
        stall_s: float = STALL_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._ends = ends
        self._reading = reading
        self._progress = progress
        self._clock = clock
        self._on_stall = on_stall
        self._on_lag = on_lag
        self._stall_s = stall_s
        self._look_every_s = look_every_s
        self._stall = Stall()
        self._longest_s = 0.0

    def complaint(self) -> str | None:
        """What has stalled for so long that it may soon end the process; None when all is well."""
        if self._longest_s < _WARN_PART * self._stall_s:
            return None
        return f"nothing was read for {self._longest_s:.0f} s although there is something to read"

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._look_every_s)
            try:
                self._longest_s = self._stall.longest_s(await self._look())
            except NotYet:
                self._stall.missed()
                self._longest_s = 0.0
                continue
            if self._longest_s >= self._stall_s:
                self._on_stall(Stalled(self.complaint() or ""))

    async def _look(self) -> Look:
        ends = await self._ends.backlog(self._reading.assigned())
        self._on_lag(lag_of(ends))
        return Look(
            at_s=self._clock.monotonic_s(),
            ends=ends,
            received=self._progress.received(),
            is_excused=self._progress.is_full(),
            is_rebalancing=self._reading.is_rebalancing,
        )
