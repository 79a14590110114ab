"""The forwarder: holds what waits on the tiers' topics until it is due, then writes it to the second lane.

Every record of a topic waits equally long from the broker's append time on, so each partition is in due order and only
its head matters. Pausing is flow control, never the timer: a resumed partition may take long to deliver.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hookline.core.offsets import Progress
from hookline.dispatchers.recorder import Recorder
from hookline.runtime.clock import Clock
from hookline.runtime.log import Commit, KafkaRecord, Position, Reader, TopicPartition, Writer, persisted
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Delivery
from hookline.schemas.tiers import tier_name
from hookline.schemas.topics import Topics, waiting_ms

_log = logging.getLogger("hookline.forwarder")
_TICK_S = 0.05  # how late a step of the wall clock is noticed at most
# Held for one partition: a bound for large bodies, and many times what is due at once on a partition.
_WAITING_BYTES_MAX = 4 * 1024 * 1024
_UNACKNOWLEDGED_MAX = 2_000  # forwarded and not yet acknowledged, all partitions together


@dataclass(slots=True)
class _Waiting:
    """One partition of one tier, in one assignment."""

    delay_ms: int
    progress: Progress
    committed: int
    records: deque[KafkaRecord] = field(default_factory=deque)
    forwarding: set[asyncio.Task[None]] = field(default_factory=set)
    size_bytes: int = 0
    dirty: bool = False
    ours: bool = True

    def put(self, record: KafkaRecord) -> None:
        self.records.append(record)
        self.size_bytes += len(record.value or b"")

    def take(self) -> KafkaRecord:
        record = self.records.popleft()
        self.size_bytes -= len(record.value or b"")
        return record

    def clear(self) -> None:
        self.records.clear()
        self.size_bytes = 0

    def is_full(self, records_max: int, *, part: float = 1.0) -> bool:
        return len(self.records) >= part * records_max or self.size_bytes >= part * _WAITING_BYTES_MAX

    def due_ms(self) -> int:
        return self.records[0].timestamp_ms + self.delay_ms


class Forwarder:
    """A `Handler` of all tier topics there are, also of tiers that are no longer in the settings."""

    def __init__(
        self,
        *,
        settings: Settings,
        topics: Topics,
        codec: Codec,
        writer: Writer,
        recorder: Recorder,
        clock: Clock,
        metrics: Metrics,
        tasks: Tasks,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._codec = codec
        self._writer = writer
        self._recorder = recorder
        self._clock = clock
        self._metrics = metrics
        self._tasks = tasks
        self._reader: Reader | None = None
        self._partitions: dict[TopicPartition, _Waiting] = {}
        self._full: set[TopicPartition] = set()
        self._unacknowledged = asyncio.Semaphore(_UNACKNOWLEDGED_MAX)
        self._arrived = asyncio.Event()

    def read_by(self, reader: Reader) -> None:
        """The reader that calls this handler, for pausing and committing."""
        self._reader = reader

    async def forward_forever(self) -> None:
        """Forward each record when its time has come."""
        while True:
            if self._the_reader().is_member():  # else another process may forward the same by now
                await self._forward_due()
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), self._wait_s())
            except TimeoutError:
                continue

    async def commit_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.commit_interval_ms / 1_000)
            self._commit()

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, positions: Sequence[Position]) -> None:
        for position in positions:
            self._partitions[position.partition] = _Waiting(
                waiting_ms(position.partition.topic), Progress(position.start), position.start
            )

    def received(self, records: Sequence[KafkaRecord]) -> None:
        partition = TopicPartition(records[0].topic, records[0].partition)
        waiting = self._partitions[partition]
        for record in records:
            if waiting.is_full(self._settings.waiting_records_max):
                self._full.add(partition)
                self._the_reader().pause(partition, resume_at=record.offset)
                break
            waiting.progress.open(record.offset)
            waiting.put(record)
        self._arrived.set()

    async def revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        waitings = {each: self._partitions[each] for each in partitions if each in self._partitions}
        for waiting in waitings.values():
            waiting.clear()
        forwarding = [task for waiting in waitings.values() for task in waiting.forwarding]
        try:
            if forwarding:
                await asyncio.wait(forwarding, timeout=self._settings.drain_s)
            return {
                each: Commit(waiting.progress.position)
                for each, waiting in waitings.items()
                if waiting.ours and waiting.progress.position > waiting.committed
            }
        finally:
            self._forget(waitings)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._forget({each: self._partitions[each] for each in partitions if each in self._partitions})

    def _forget(self, waitings: Mapping[TopicPartition, _Waiting]) -> None:
        for partition, waiting in waitings.items():
            if self._partitions.get(partition) is waiting:
                del self._partitions[partition]
                self._full.discard(partition)
            waiting.ours = False
            waiting.clear()

    # -- forwarding ---------------------------------------------------------------------------------------------------

    def _wait_s(self) -> float:
        """Until the next record is due, but no longer than a tick: the wall clock may be set meanwhile."""
        dues_ms = [waiting.due_ms() for waiting in self._partitions.values() if waiting.records]
        if not dues_ms or not self._the_reader().is_member():
            return _TICK_S
        return min(_TICK_S, max(0, min(dues_ms) - self._clock.now_ms()) / 1_000)

    async def _forward_due(self) -> None:
        for partition, waiting in list(self._partitions.items()):
            while waiting.records and waiting.due_ms() <= self._clock.now_ms():
                await self._unacknowledged.acquire()
                if not waiting.records:  # the partition went while we waited
                    self._unacknowledged.release()
                    break
                self._start(waiting, waiting.take())
            self._resume(partition, waiting)

    def _start(self, waiting: _Waiting, record: KafkaRecord) -> None:
        task = self._tasks.spawn(self._forward(waiting, record))
        waiting.forwarding.add(task)
        task.add_done_callback(waiting.forwarding.discard)

    async def _forward(self, waiting: _Waiting, record: KafkaRecord) -> None:
        try:
            await self._write(waiting, record)
        finally:
            self._unacknowledged.release()
        if waiting.ours:
            waiting.progress.close(record.offset)
            waiting.dirty = True

    async def _write(self, waiting: _Waiting, record: KafkaRecord) -> None:
        try:
            delivery = self._codec.decode(record.value or b"", Delivery)
        except ContractError as error:
            _log.error(
                "delivery.unreadable", extra={"topic": record.topic, "offset": record.offset, "reason": str(error)}
            )
            await self._recorder.unreadable(record, str(error))
            return
        key = delivery.subscription_id.encode()
        await persisted(self._writer, self._topics.redeliveries, key=key, value=record.value)
        self._metrics.forwarded.labels(tier_name(waiting.delay_ms)).inc()
        late_ms = self._clock.now_ms() - record.timestamp_ms - waiting.delay_ms
        self._metrics.forward_late_seconds.observe(max(0, late_ms) / 1_000)

    def _resume(self, partition: TopicPartition, waiting: _Waiting) -> None:
        if partition in self._full and not waiting.is_full(self._settings.waiting_records_max, part=0.5):
            self._full.discard(partition)
            self._the_reader().resume(partition)

    def _commit(self) -> None:
        moved = {each: waiting for each, waiting in self._partitions.items() if waiting.dirty}
        for waiting in moved.values():
            waiting.dirty = False
        self._the_reader().commit({each: Commit(waiting.progress.position) for each, waiting in moved.items()})

    def _the_reader(self) -> Reader:
        if self._reader is None:
            raise RuntimeError("a forwarder was called before `read_by`")
        return self._reader
