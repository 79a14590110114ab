"""The consumer runtime's half on the event loop: hands records to a handler and takes its wishes."""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_commands import Batch, CommitAll, Pause, Resume, Stop
from hookline.runtime.kafka_owner import Owner
from hookline.runtime.log import Commit, Handler, Position, TopicPartition
from hookline.runtime.metrics import Metrics

__all__ = ["KafkaReader", "Starts", "reading"]

_log = logging.getLogger("hookline.kafka")
_STOP_S = 60.0
_COMMIT_AGAIN_S = 1.0
_RESET_SHOWN_S = 60.0  # long enough for whoever asks every quarter of a minute
_DEAF_S = 120.0  # far longer than any single question to the broker takes

Starts = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
Reached = Callable[[TopicPartition, int], None]


@dataclass(slots=True)
class _Reading:
    """What the loop knows of one assigned partition."""

    assignment: int
    generation: int
    position: int  # the next record to come
    read: int  # the first behind the last record that was handed over
    paused: bool = False
    resume_at: int = 0
    committed: int = 0
    high: int = -1
    wanted: Commit | None = None

    @property
    def done(self) -> int:
        """Everything below is done: with the last record also what lies behind it and is none."""
        return max(self.committed, self.position) if self.committed >= self.read else self.committed


class KafkaReader:
    """A `Reader` on Apache Kafka; `handler` gets the records on the event loop.

    `starts` says where to begin instead of the group's commits. Without a group `passed` hears how far reading is, and `ended`
    when it has reached an end: both count what bears no record for us (compacted, aborted, markers of transactions).
    `on_fatal` is called when reading is over for good: the process must end.
    """

    def __init__(
        self,
        config: ReaderConfig,
        handler: Handler,
        *,
        metrics: Metrics,
        on_fatal: Callable[[BaseException], None],
        starts: Starts | None = None,
        ended: Reached | None = None,
        passed: Reached | None = None,
    ) -> None:
        self._handler = handler
        self._metrics = metrics
        self._on_fatal = on_fatal
        self._starts = starts
        self._ended = ended
        self._passed = passed
        self._commits = config.group is not None
        self._loop = asyncio.get_running_loop()
        self._generations = itertools.count(1)  # shared with the owner thread; next() is atomic
        self._reading: dict[TopicPartition, _Reading] = {}
        self._broken = False
        self._reset: tuple[str, float] | None = None
        self._committing_again = False
        self._owner = Owner(config, self, self._generations)

    def start(self) -> None:
        """Begin to read. The handler must be ready for its first call."""
        self._owner.start()

    async def stop(self) -> None:
        """Drain through the handler, commit, and leave. Bounded by the drain deadline."""
        self._owner.commands.put(Stop())
        await asyncio.to_thread(self._owner.join, _STOP_S)

    def pause(self, partition: TopicPartition, *, resume_at: int) -> None:
        reading = self._reading.get(partition)
        if reading is None or reading.paused:
            return
        reading.paused, reading.resume_at = True, resume_at
        self._owner.commands.put(Pause(partition, reading.generation))

    def resume(self, partition: TopicPartition) -> None:
        reading = self._reading.get(partition)
        if reading is None or not reading.paused:
            return
        # What was read before the seek still bears the old generation, and is dropped when it comes in.
        before, reading.paused, reading.generation = reading.generation, False, next(self._generations)
        reading.position = reading.resume_at
        self._owner.commands.put(Resume(partition, reading.resume_at, before, reading.generation))

    def commit(self, commits: Mapping[TopicPartition, Commit]) -> None:
        for partition, commit in commits.items():
            if (reading := self._reading.get(partition)) is not None:
                reading.committed, reading.wanted = commit.offset, commit
        self._ask_commit([each for each in commits if each in self._reading])

    def _ask_commit(self, partitions: Iterable[TopicPartition]) -> None:
        readings = {each: self._reading[each] for each in partitions}
        asked = {each: (of.assignment, of.wanted) for each, of in readings.items() if of.wanted is not None}
        if asked and not self._broken:
            self._owner.commands.put(CommitAll(asked))

    def _commit_again(self) -> None:
        """A commit failed, and nothing new may come for long: ask for all of them once more."""
        self._committing_again = False
        self._ask_commit(self._reading)

    def is_member(self) -> bool:
        return self._owner.membership.believes(time.monotonic())

    def is_deaf(self) -> str | None:
        """What is wrong for good: only a new process will read again. None before reading has begun."""
        if self._owner.ident is None:
            return None
        if not self._owner.is_alive():
            return "reading has ended"
        silent_s = self._owner.silent_s()
        return f"the thread that reads has been stuck for {silent_s:.0f} s" if silent_s > _DEAF_S else None

    def complaint(self) -> str | None:
        """What is wrong with reading now; None when all is well. A position that was out of range is named for a minute."""
        if self._owner.ident is None:
            return "reading has not begun"
        if (deaf := self.is_deaf()) is not None:
            return deaf
        if not self.is_member():
            return "the broker was not polled lately"
        return self._reset_lately()

    def _reset_lately(self) -> str | None:
        if self._reset is None:
            return None
        topic, at_s = self._reset
        ago_s = time.monotonic() - at_s
        if ago_s > _RESET_SHOWN_S:
            return None
        return f"{topic}: a position was out of range {ago_s:.0f} s ago; reading went on from the oldest record"

    def assigned(self) -> Sequence[TopicPartition]:
        """The partitions that are ours now."""
        return tuple(self._reading)

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset to come, for each of our partitions that the handler does not hold back."""
        return {each: of.position for each, of in self._reading.items() if not of.paused}

    def wanted(self) -> Mapping[TopicPartition, Commit]:
        """The last commit that the handler asked for, by partition; without those that it asked none for yet."""
        return {each: of.wanted for each, of in self._reading.items() if of.wanted is not None}

    def lag(self) -> Mapping[str, int]:
        """By topic: records on the broker that are not committed yet, as last heard of."""
        lag: dict[str, int] = {}
        for partition, reading in self._reading.items():
            if reading.high >= 0:
                lag[partition.topic] = lag.get(partition.topic, 0) + max(0, reading.high - reading.done)
        return lag

    # -- called by the owner thread -------------------------------------------------------------------------------------

    def tell_assigned(self, positions: Sequence[Position], generation: int, resets: Sequence[TopicPartition]) -> None:
        self._loop.call_soon_threadsafe(self._or_end, self._take_assigned, positions, generation, resets)

    def tell_batch(self, batch: Batch, done: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(self._or_end, self._take_batch, batch, done)

    def ask_revoking(self, partitions: Sequence[TopicPartition]) -> "Future[Mapping[TopicPartition, Commit]]":
        return asyncio.run_coroutine_threadsafe(self._revoking(partitions), self._loop)

    def ask_starts(self, partitions: Sequence[TopicPartition]) -> "Future[Mapping[TopicPartition, int]] | None":
        if self._starts is None:
            return None
        return asyncio.run_coroutine_threadsafe(_awaited(self._starts(partitions)), self._loop)

    def tell_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._loop.call_soon_threadsafe(self._or_end, self._take_lost, partitions)

    def tell_skipped(self, partition: TopicPartition, offset: int) -> None:
        self._loop.call_soon_threadsafe(self._or_end, self._take_skipped, partition, offset)

    def tell_end(self, partition: TopicPartition, generation: int, offset: int) -> None:
        self._loop.call_soon_threadsafe(self._or_end, self._take_end, partition, generation, offset)

    def tell_passed(self, partition: TopicPartition, offset: int) -> None:
        if self._passed is not None:
            self._loop.call_soon_threadsafe(self._or_end, self._passed, partition, offset)

    def tell_highs(self, highs: Mapping[TopicPartition, int]) -> None:
        self._loop.call_soon_threadsafe(self._or_end, self._take_highs, highs)

    def tell_committed(self, error: str | None) -> None:
        self._metrics.commits.labels("ok" if error is None else "failed").inc()
        if error is not None:
            _log.warning("kafka.commit_failed", extra={"error": error})
            self._loop.call_soon_threadsafe(self._commit_later)

    def _commit_later(self) -> None:
        if not self._committing_again:
            self._committing_again = True
            self._loop.call_later(_COMMIT_AGAIN_S, self._commit_again)

    def tell_fatal(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(self._on_fatal, error)

    # -- on the loop ------------------------------------------------------------------------------------------------------

    def _or_end(self, take: Callable[..., None], *told: object) -> None:
        """Hand something over; a bug that it meets ends the process, for what was not taken must not be passed over."""
        try:
            take(*told)
        except Exception as error:  # noqa: BLE001 - the loop would only log it, and later offsets would be committed
            self._broken = True  # nothing more is handed over or committed, not even by the stop that follows
            self._on_fatal(error)

    def _take_assigned(self, positions: Sequence[Position], generation: int, resets: Sequence[TopicPartition]) -> None:
        for partition in resets:
            self._note_reset(partition)
        for position in positions:
            at = position.start if position.committed is None else position.committed
            self._reading[position.partition] = _Reading(
                generation, generation, position.start, position.start, committed=at
            )
        self._handler.assigned(positions)

    def _take_skipped(self, partition: TopicPartition, offset: int) -> None:
        self._note_reset(partition)
        if (reading := self._reading.get(partition)) is not None:
            reading.position = offset

    def _note_reset(self, partition: TopicPartition) -> None:
        self._reset = partition.topic, time.monotonic()
        self._metrics.position_resets.labels(partition.topic).inc()
        _log.error("kafka.position_out_of_range", extra={"topic": partition.topic, "partition": partition.partition})

    def _take_batch(self, batch: Batch, done: Callable[[], None]) -> None:
        try:
            for partition, generation, records in batch:
                reading = self._reading.get(partition)
                if reading is None or reading.generation != generation or reading.paused:
                    continue
                if not self._broken:
                    reading.position = reading.read = records[-1].offset + 1
                    self._handler.received(records)
        finally:
            done()

    def _take_end(self, partition: TopicPartition, generation: int, offset: int) -> None:
        reading = self._reading.get(partition)
        if reading is not None and reading.generation == generation and not reading.paused:
            reading.position = offset
        if self._ended is not None:
            self._ended(partition, offset)

    async def _revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        ours = {each: self._reading[each] for each in partitions if each in self._reading}
        for of in ours.values():
            of.paused = True
        try:
            commits = await self._handler.revoking(tuple(ours))
            return {} if self._broken else commits
        finally:
            # By now a partition may have come back, if this took longer than the owner could wait.
            self._drop([each for each, of in ours.items() if self._reading.get(each) is of])

    def _take_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._drop(partitions)
        self._handler.lost(partitions)

    def _drop(self, partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            self._reading.pop(partition, None)
            if self._commits:
                self._metrics.lag.labels(partition.topic).set(0)  # what others own by now is theirs to show
        if self._commits:
            self._show_lag()

    def _show_lag(self) -> None:
        for topic, lag in self.lag().items():
            self._metrics.lag.labels(topic).set(lag)

    def _take_highs(self, highs: Mapping[TopicPartition, int]) -> None:
        for partition, high in highs.items():
            if (reading := self._reading.get(partition)) is not None:
                reading.high = high
        if self._commits:  # else nothing is ever committed: "all" would be no lag
            self._show_lag()


async def _awaited(starts: Awaitable[Mapping[TopicPartition, int]]) -> Mapping[TopicPartition, int]:
    return await starts


@asynccontextmanager
async def reading(reader: KafkaReader) -> AsyncIterator[KafkaReader]:
    """Read while the block runs; at its end drain, commit and leave."""
    reader.start()
    try:
        yield reader
    finally:
        await reader.stop()
