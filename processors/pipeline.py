"""What happens to a source record between Faust's hands and its position: wait for the configuration, compose, write, finish."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from hookline.core.fanout import Source
from hookline.processors.barrier import Barrier
from hookline.processors.composer import Composer
from hookline.processors.positions import OpenEvent, Positions
from hookline.processors.writes import Batch, Writes
from hookline.runtime.clock import Clock
from hookline.runtime.log import TopicPartition
from hookline.runtime.metrics import Metrics

_log = logging.getLogger("hookline.fanout")
# Read and not done: an event that waits for its predecessor's write is small, but there must be an end to them.
_OPEN_EVENTS_MAX = 20_000
# Read and waiting to be matched. Larger batches gain nothing: the question for the end of the configuration costs 1 ms.
_ARRIVED_MAX = 1_000
_ARRIVED_BYTES_MAX = 16 * 1024 * 1024
# A question costs 0.2 ms of CPU, an event comes every turn or two of the loop.
_GATHER_MAX = 200
_GATHER_TURNS = 3
_BREATHE_EVERY = 16  # events composed between two chances for the rest of the loop: about 2 ms


class Pipeline:
    """Takes source records in the order of reading and moves each partition's position in that order."""

    def __init__(self, *, barrier: Barrier, composer: Composer, writes: Writes, metrics: Metrics, clock: Clock) -> None:
        self._barrier = barrier
        self._composer = composer
        self._writes = writes
        self._metrics = metrics
        self._clock = clock
        self._positions = Positions()
        self._arrived: deque[tuple[Source, OpenEvent]] = deque()
        self._arrived_bytes = 0
        self._assignment = 0
        self._is_open = True
        self._came = asyncio.Event()
        self._moved = asyncio.Event()
        self._done_count = 0
        self._done_wanted = 0
        self._done_enough = asyncio.Event()

    # -- for the reading side -------------------------------------------------------------------------------------------

    async def take(self, source: Source) -> None:
        """Accept a record that was just read; waits while there is no room. Dropped if its partition went meanwhile."""
        event = await self._opened(TopicPartition(source.topic, source.partition), source.offset)
        if event is None:
            return
        self._arrived.append((source, event))
        self._arrived_bytes += len(source.value or b"")
        self._came.set()

    async def passed(self, partition: TopicPartition, position: int) -> None:
        """The next offset to come is this one: no record before it is still to be taken. Told in the order of reading, like `take`."""
        event = await self._opened(partition, position - 1)
        if event is not None:
            event.finish()
            self._moved.set()

    async def _opened(self, partition: TopicPartition, offset: int) -> OpenEvent | None:
        assignment = self._assignment
        while self.is_full():
            self._moved.clear()
            await self._moved.wait()
        if not self._is_open or assignment != self._assignment:
            return None
        return self._positions.open(partition, offset)

    @property
    def is_open(self) -> bool:
        """Whether anything is taken: not from a `drain` to the next `reopen`."""
        return self._is_open

    def is_full(self) -> bool:
        """Whether `take` would wait."""
        return (
            len(self._arrived) >= _ARRIVED_MAX
            or self._arrived_bytes >= _ARRIVED_BYTES_MAX
            or self._positions.open_count >= _OPEN_EVENTS_MAX
        )

    def is_idle(self) -> bool:
        """Whether everything that was taken is done."""
        return not self._positions.open_count

    def committable(self) -> Mapping[TopicPartition, int]:
        """Positions that moved since the last `committed`."""
        return self._positions.committable()

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The broker has these positions."""
        self._positions.committed(offsets)

    def received(self) -> Mapping[TopicPartition, int]:
        """The last offset taken or passed over, of each partition."""
        return self._positions.received()

    async def wait_done(self, events: int, *, within_s: float) -> None:
        """Return once this many more events are done, or the time is up."""
        self._done_wanted = self._done_count + events
        self._done_enough.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done_enough.wait(), within_s)

    async def drain(self, *, deadline_s: float) -> bool:
        """Take nothing more and finish what is open; False if the deadline came first."""
        self._is_open = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while not self.is_idle():
                    self._moved.clear()
                    await self._moved.wait()
        return self.is_idle()

    def forget(self, partitions: Iterable[TopicPartition] | None = None) -> None:
        """These partitions (None: all) are no longer ours, or not in this assignment; nothing more is done for them."""
        self._assignment += 1
        gone = list(self._positions.partitions() if partitions is None else partitions)
        self._positions.forget(gone)
        self._arrived = deque(each for each in self._arrived if each[1].is_ours)
        self._arrived_bytes = sum(len(source.value or b"") for source, _ in self._arrived)
        self._moved.set()

    def reopen(self) -> None:
        """A new assignment begins: take again."""
        self._is_open = True

    # -- the work -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._came.wait()
            await self._gather()
            batch = self._next()
            await self._barrier.passed()  # asked after all of the batch had come
            await self._fan_out_all(batch)

    async def _gather(self) -> None:
        """Under a backlog let a batch grow, so that one question serves many; an event that comes alone goes at once."""
        known = 0
        while known < len(self._arrived) < _GATHER_MAX:
            known = len(self._arrived)
            for _ in range(_GATHER_TURNS):
                await asyncio.sleep(0)

    def _next(self) -> Sequence[tuple[Source, OpenEvent]]:
        batch = tuple(self._arrived)
        self._arrived.clear()
        self._arrived_bytes = 0
        self._came.clear()
        self._moved.set()
        return batch

    async def _fan_out_all(self, batch: Sequence[tuple[Source, OpenEvent]]) -> None:
        for number, (source, event) in enumerate(batch, start=1):
            if event.is_ours:
                await self._fan_out(source, event)
            if not number % _BREATHE_EVERY:
                await asyncio.sleep(0)

    async def _fan_out(self, source: Source, event: OpenEvent) -> None:
        outgoing = self._composer.compose(source)
        done = partial(self._done, source, event, len(outgoing))
        if not outgoing:
            done()
            return
        substitute = partial(self._composer.refused, source, payload_bytes_max=0)
        await self._writes.write(outgoing, Batch(event, len(outgoing), done, substitute))

    def _done(self, source: Source, event: OpenEvent, records: int) -> None:
        event.finish()
        self._moved.set()
        self._done_count += 1
        if self._done_count >= self._done_wanted:
            self._done_enough.set()
        took_ms = self._clock.now_ms() - source.at_ms
        self._metrics.fanout_seconds.observe(max(0, took_ms) / 1_000)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(
                "event.fanned_out",
                extra={
                    "topic": source.topic,
                    "partition": source.partition,
                    "offset": source.offset,
                    "records": records,
                    "took_ms": took_ms,
                },
            )
