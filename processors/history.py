"""From `webhooks.attempts` and `webhooks.audit` into the history store, rows and positions in one transaction: exactly once."""

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from hookline.core.fanout import Source, unreadable
from hookline.processors.storable import Storable, storable
from hookline.runtime.clock import Clock
from hookline.runtime.log import Commit, KafkaRecord, Position, Reader, TopicPartition, Writer, persisted
from hookline.runtime.metrics import Metrics
from hookline.runtime.newer import StoppedPartitions
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, NotYet, TooLarge, UnknownSchema
from hookline.schemas.records import DeadLetter
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.history")
# Records in one transaction, when as many wait: each page of the store's indexes is then written once for many of them.
BATCH_MAX = 20_000
# Read and waiting for a transaction. At it reading stops, until a transaction has taken its part.
_WAITING_MAX = 2 * BATCH_MAX
_WAITING_BYTES_MAX = 32 * 1024 * 1024
_PAYLOAD_BYTES_MAX = 64 * 1024  # of what can't be read; an attempt holds at most 4 KiB of an answer
_AGAIN_S = 1.0
# A transaction and its commit cost milliseconds however small they are: at 200 attempts/s history took 1.7 ms of CPU for each
# without a wait, and 0.3 ms with it.
_GATHER_S = 0.05
# More than what waits and a batch on its way are made of: in 100,000 attempts it was never reached. They go when nobody needs them
# any more, as they have no cycles; to look through them every 50,000 objects, as other roles do, was 13 % of what an attempt costs.
_COLLECTED_AFTER = 1_000_000


class Store(Protocol):
    """Where records go (`hookline.runtime.history.HistoryStore`)."""

    async def ingest(
        self,
        records: Sequence[Storable],
        offsets: Mapping[TopicPartition, int],
        *,
        left_at: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        """Take in records and positions in one transaction; NotYet when the store does not answer.

        `left_at`: where it must stand before that. If it does not, what it raises ends the process, which begins again.
        """
        ...

    async def offsets(self, topic: str) -> Mapping[int, int]:
        """By partition, where reading goes on."""
        ...


class _Unreadable(NamedTuple):
    """A record that is none of ours, and why."""

    record: KafkaRecord
    detail: str


class _Waiting(NamedTuple):
    """What is to be stored, and where it was read."""

    partition: TopicPartition
    offset: int
    size: int
    found: Storable | _Unreadable


class Ingest:
    """A `Handler` of the topics that history keeps. Reading begins where the store says (`starts`), not where the broker does."""

    def __init__(
        self, *, store: Store, writer: Writer, topics: Topics, codec: Codec, metrics: Metrics, clock: Clock
    ) -> None:
        self._store = store
        self._writer = writer
        self._dead_letters = topics.dead_letters
        self._codec = codec
        self._reads = storable(topics, codec)
        self._metrics = metrics
        self._clock = clock
        self._reader: Reader | None = None
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._next: dict[TopicPartition, int] = {}
        self._left_at: dict[TopicPartition, int] = {}  # where the store stood when we last heard of it
        self._paused: set[TopicPartition] = set()
        self.stopped = StoppedPartitions(_log, says="record.of_newer_release")
        self._came = asyncio.Event()
        self._storing = asyncio.Lock()

    @property
    def is_idle(self) -> bool:
        """Whether all that was received is in the store."""
        return not self._waiting and not self._storing.locked()

    def topics(self) -> Sequence[str]:
        """The topics to read."""
        return tuple(self._reads)

    def read_by(self, reader: Reader) -> None:
        """Name the reader that takes this handler's wishes."""
        self._reader = reader

    async def starts(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where the store wants reading to begin, for those of the partitions it knows."""
        async with self._storing:  # what is being stored now moves it
            known = {topic: await self._known(topic) for topic in {each.topic for each in partitions}}
        found = {each: known[each.topic][each.partition] for each in partitions if each.partition in known[each.topic]}
        for each in partitions:
            self._left_at.pop(each, None)
        self._left_at |= found
        return found

    async def _known(self, topic: str) -> Mapping[int, int]:
        while True:
            try:
                return await self._store.offsets(topic)
            except NotYet as error:
                _log.warning("history.store_awaited", extra={"error": str(error)})
                await asyncio.sleep(_AGAIN_S)

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, positions: Sequence[Position]) -> None:
        for each in positions:
            self._next[each.partition] = each.start
            self._paused.discard(each.partition)
        self.stopped.forget(each.partition for each in positions)

    def received(self, records: Sequence[KafkaRecord]) -> None:
        # Read here and not when it is stored: meanwhile the database works on what came before.
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition not in self.stopped:
                self._take_in(partition, record)
        self._came.set()
        if self._is_over(1.0):
            self._pause()

    def _take_in(self, partition: TopicPartition, record: KafkaRecord) -> None:
        size = len(record.value or b"")
        try:
            found = self._read(record)
        except UnknownSchema as error:
            self.stopped.stop(self._reader, record, error)
            return
        self._waiting.append(_Waiting(partition, record.offset, size, found))
        self._waiting_bytes += size
        self._next[partition] = record.offset + 1

    async def revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        """What waits is another process's work; only a transaction that has begun is waited for."""
        self.lost(partitions)
        async with self._storing:
            return {}

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        gone = set(partitions)
        for each in gone:
            self._next.pop(each, None)
        self._paused -= gone
        self.stopped.forget(gone)
        self._waiting = deque(each for each in self._waiting if each.partition not in gone)
        self._waiting_bytes = sum(each.size for each in self._waiting)

    # -- the work -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            await self._came.wait()
            if len(self._waiting) < BATCH_MAX:
                await asyncio.sleep(_GATHER_S)
            async with self._storing:
                await self._store_next()

    async def _store_next(self) -> None:
        taken = self._take()
        if not self._is_over(0.75):
            self._resume()  # what comes next is read while the database works on this
        if not taken:
            return
        for each in taken:
            if isinstance(each.found, _Unreadable):
                await self._bury(each.found)
        records = [each.found for each in taken if not isinstance(each.found, _Unreadable)]
        offsets = {each.partition: each.offset + 1 for each in taken}
        await self._stored(records, offsets)
        if self._reader is not None:
            # For the tools that show lag; nobody reads from these.
            self._reader.commit({each: Commit(offset) for each, offset in offsets.items() if each in self._next})

    def _take(self) -> Sequence[_Waiting]:
        taken = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        self._waiting_bytes -= sum(each.size for each in taken)
        if not self._waiting:
            self._came.clear()
        return taken

    def _read(self, record: KafkaRecord) -> Storable | _Unreadable:
        """What is to be stored of it; UnknownSchema for what a newer release wrote."""
        try:
            return self._reads[record.topic](record.value)
        except UnknownSchema:
            raise
        except ContractError as error:
            return _Unreadable(record, str(error))

    async def _bury(self, unread: _Unreadable) -> None:
        record, detail = unread
        source = Source(record.topic, record.partition, record.offset, record.timestamp_ms, record.value)
        letter = unreadable(source, detail=detail, payload_bytes_max=_PAYLOAD_BYTES_MAX, now_ms=self._clock.now_ms())
        _log.error(
            "record.unreadable",
            extra={"topic": record.topic, "partition": record.partition, "offset": record.offset, "detail": detail},
        )
        try:
            await self._write_letter(letter)
        except TooLarge:  # the topic's limit was lowered
            await self._write_letter(replace(letter, payload=None))
        self._metrics.dead_letters.labels(letter.reason).inc()

    async def _write_letter(self, letter: DeadLetter) -> None:
        retried = partial(_count_retry, self._metrics)
        value = self._codec.encode(letter)
        await persisted(self._writer, self._dead_letters, key=None, value=value, on_retry=retried)

    async def _stored(self, records: Sequence[Storable], offsets: Mapping[TopicPartition, int]) -> None:
        """Into the store, however long it is away."""
        complained = False
        while True:
            began_s = self._clock.monotonic_s()
            try:
                await self._store.ingest(records, offsets, left_at=self._left_at)
            except NotYet as error:
                if not complained:
                    _log.warning("history.store_awaited", extra={"error": str(error)})
                complained = True
                await asyncio.sleep(_AGAIN_S)
            else:
                self._left_at |= offsets
                self._metrics.history_rows.inc(len(records))
                self._metrics.history_batch_seconds.observe(self._clock.monotonic_s() - began_s)
                return

    def _is_over(self, part: float) -> bool:
        return len(self._waiting) >= part * _WAITING_MAX or self._waiting_bytes >= part * _WAITING_BYTES_MAX

    def _pause(self) -> None:
        if self._reader is None:
            return
        for partition, resume_at in self._next.items():
            if partition not in self._paused and partition not in self.stopped:
                self._reader.pause(partition, resume_at=resume_at)
                self._paused.add(partition)

    def _resume(self) -> None:
        if self._reader is None:
            return
        for partition in self._paused:
            self._reader.resume(partition)
        self._paused.clear()


def collect_rarely() -> None:
    """Have this process look for garbage in cycles only after as many objects as a backlog never has at a time."""
    gc.set_threshold(_COLLECTED_AFTER, 20, 20)


def _count_retry(metrics: Metrics, topic: str) -> None:
    metrics.write_retries.labels(topic).inc()
