"""The forwarder: holds what waits on the tiers' topics until it is due, then writes it to the second lane, or the replays'.

Every record of a topic waits equally long from the broker's append time on, so each partition is in due order and only
its head matters. Pausing is flow control, never the timer: a resumed partition may take long to deliver.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prometheus_client import Counter

from hookline.core.offsets import Progress
from hookline.dispatchers.entries import Source
from hookline.dispatchers.recorder import Recorder
from hookline.runtime.clock import Clock
from hookline.runtime.log import Commit, KafkaRecord, Position, Reader, TopicPartition, Writer, Written, persisted
from hookline.runtime.metrics import Metrics
from hookline.runtime.newer import StoppedPartitions
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, NotYet, TooLarge, UnknownSchema
from hookline.schemas.records import Delivery
from hookline.schemas.topics import Topics, waiting_ms

_log = logging.getLogger("hookline.forwarder")
_TICK_S = 0.05  # how late a step of the wall clock is noticed at most
# Held for one partition: a bound for large bodies, and many times what is due at once on a partition.
_WAITING_BYTES_MAX = 4 * 1024 * 1024
_UNACKNOWLEDGED_MAX = 2_000  # forwarded and not yet acknowledged, all partitions together
_TURN_RECORDS = 64  # forwarded, of all partitions together, before the rest of the loop gets a chance: about 2 ms
_GATHER_S = 0.004  # a wake-up for each record would cost more than the record
_OVERDUE_MS = 1_000  # what was not forwarded by then is shown as work to do


@dataclass(slots=True)
class _Waiting:
    """One partition of one tier, in one assignment."""

    delay_ms: int
    forwarded: Counter
    progress: Progress
    committed: int
    records: deque[KafkaRecord] = field(default_factory=deque)
    forwarding: set["asyncio.Future[Written] | asyncio.Task[None]"] = field(default_factory=set)
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
        self.stopped = StoppedPartitions(_log, says="delivery.of_newer_release")
        self._unacknowledged = 0
        self._forwarded = 0
        self._wake: asyncio.Future[None] | None = None

    def read_by(self, reader: Reader) -> None:
        """The reader that calls this handler, for pausing and committing."""
        self._reader = reader

    async def forward_forever(self) -> None:
        """Forward each record when its time has come."""
        while True:
            left = self._the_reader().is_member() and self._forward_due()  # else another may forward the same by now
            await (asyncio.sleep(0) if left else self._slept(self._wait_s()))

    async def overdue(self) -> Mapping[str, Hashable]:
        """What should have been forwarded by now, with a value that changes when some of it was."""
        before_ms = self._clock.now_ms() - _OVERDUE_MS
        is_overdue = any(each.records and each.due_ms() < before_ms for each in self._partitions.values())
        return {"forwarding": self._forwarded} if is_overdue or self._unacknowledged else {}

    async def commit_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.commit_interval_ms / 1_000)
            self._commit()

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, positions: Sequence[Position]) -> None:
        for position in positions:
            delay_ms = waiting_ms(position.partition.topic)
            forwarded = self._metrics.forwarded.labels(self._topics.tier(position.partition.topic))
            progress = Progress(position.start)
            self._partitions[position.partition] = _Waiting(delay_ms, forwarded, progress, position.start)

    def received(self, records: Sequence[KafkaRecord]) -> None:
        partition = TopicPartition(records[0].topic, records[0].partition)
        waiting = self._partitions[partition]
        for record in records if partition not in self.stopped else ():
            if waiting.is_full(self._settings.waiting_records_max):
                self._full.add(partition)
                self._the_reader().pause(partition, resume_at=record.offset)
                break
            waiting.progress.open(record.offset)
            waiting.put(record)
        self._awake()

    async def revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        waitings = {each: self._partitions[each] for each in partitions if each in self._partitions}
        for waiting in waitings.values():
            waiting.clear()
        try:
            await self._drained(waitings.values())
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
                self.stopped.forget([partition])
            waiting.ours = False
            waiting.clear()

    # -- forwarding ---------------------------------------------------------------------------------------------------

    def _wait_s(self) -> float:
        """Until the next record is due, but no longer than a tick: the wall clock may be set meanwhile."""
        dues_ms = [waiting.due_ms() for waiting in self._partitions.values() if waiting.records]
        if not dues_ms or self._unacknowledged >= _UNACKNOWLEDGED_MAX or not self._the_reader().is_member():
            return _TICK_S
        return min(_TICK_S, max(_GATHER_S, (min(dues_ms) - self._clock.now_ms()) / 1_000))

    async def _slept(self, wait_s: float) -> None:
        """Until that time is over, or something came."""
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(wait_s, self._awake)
        await self._wake
        timer.cancel()

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _forward_due(self) -> bool:
        """Forward some of what is due, of each partition the same number at most; whether there is more."""
        due = {partition: each for partition, each in self._partitions.items() if self._is_due(each)}
        if not due:
            return False
        # The first is the last next time: what is acknowledged makes room for all of them in turn.
        first = next(iter(due))
        self._partitions[first] = self._partitions.pop(first)
        share = max(1, _TURN_RECORDS // len(due))
        left = [self._forward_of(partition, waiting, share) for partition, waiting in due.items()]
        return any(left) and self._unacknowledged < _UNACKNOWLEDGED_MAX

    def _is_due(self, waiting: _Waiting) -> bool:
        return bool(waiting.records) and waiting.due_ms() <= self._clock.now_ms()

    def _forward_of(self, partition: TopicPartition, waiting: _Waiting, records_max: int) -> bool:
        """Forward this many records of a partition at most; whether there are more."""
        for _ in range(records_max):
            if self._unacknowledged >= _UNACKNOWLEDGED_MAX or not self._is_due(waiting):
                break
            record = waiting.take()
            try:
                self._forward(waiting, record)
            except UnknownSchema as error:
                self._stop(partition, waiting, record, error)
        self._resume(partition, waiting)
        return self._is_due(waiting)

    def _stop(self, partition: TopicPartition, waiting: _Waiting, record: KafkaRecord, error: UnknownSchema) -> None:
        """Keep it and all behind it open: they wait on the broker for who can read them."""
        waiting.clear()
        self._full.discard(partition)
        self.stopped.stop(self._the_reader(), record, error)

    def _forward(self, waiting: _Waiting, record: KafkaRecord) -> None:
        try:
            delivery = self._codec.decode(record.value or b"", Delivery)
        except UnknownSchema:
            raise
        except ContractError as error:
            self._unacknowledged += 1
            self._spawn(waiting, record, self._buried(record, str(error)))
            return
        key, topic = delivery.subscription_id.encode(), self._lane(delivery)
        self._unacknowledged += 1
        # A task for each record would cost as much as the rest of it: there is one only when the first write fails.
        future = self._writer.write(topic, key=key, value=record.value)
        waiting.forwarding.add(future)
        future.add_done_callback(partial(self._written, waiting, record, delivery))

    def _lane(self, delivery: Delivery) -> str:
        """What is due again of a job stays out of live traffic's way."""
        return self._topics.redeliveries if delivery.job_id is None else self._topics.replays

    def _written(
        self, waiting: _Waiting, record: KafkaRecord, delivery: Delivery, future: "asyncio.Future[Written]"
    ) -> None:
        waiting.forwarding.discard(future)
        if future.cancelled():
            return  # the process ends
        match future.exception():
            case None:
                self._count(waiting, record)
                self._close(waiting, record)
            case NotYet():
                self._count_retry(self._lane(delivery))
                self._spawn(waiting, record, self._written_again(waiting, record, delivery))
            case error:
                self._spawn(waiting, record, self._refused(record, delivery, error))

    async def _written_again(self, waiting: _Waiting, record: KafkaRecord, delivery: Delivery) -> None:
        key, topic = delivery.subscription_id.encode(), self._lane(delivery)
        try:
            await persisted(self._writer, topic, key=key, value=record.value, on_retry=self._count_retry)
        except TooLarge as error:
            await self._refused(record, delivery, error)
        else:
            self._count(waiting, record)

    async def _refused(self, record: KafkaRecord, delivery: Delivery, error: BaseException) -> None:
        if not isinstance(error, TooLarge):
            raise error
        await self._recorder.too_large(delivery, Source(record.topic, record.partition, record.offset), str(error))

    async def _buried(self, record: KafkaRecord, reason: str) -> None:
        _log.error("delivery.unreadable", extra={"topic": record.topic, "offset": record.offset, "reason": reason})
        await self._recorder.unreadable(record, reason)

    def _spawn(self, waiting: _Waiting, record: KafkaRecord, work: Coroutine[Any, Any, None]) -> None:
        async def until_closed() -> None:
            await work
            self._close(waiting, record)

        task = self._tasks.spawn(until_closed())
        waiting.forwarding.add(task)
        task.add_done_callback(waiting.forwarding.discard)

    def _close(self, waiting: _Waiting, record: KafkaRecord) -> None:
        self._forwarded += 1
        self._unacknowledged -= 1
        if self._unacknowledged == _UNACKNOWLEDGED_MAX // 2:
            self._awake()
        if waiting.ours:
            waiting.progress.close(record.offset)
            waiting.dirty = True

    async def _drained(self, waitings: Iterable[_Waiting]) -> None:
        """Until all that was forwarded is acknowledged, or the drain's time is over."""
        deadline_s = self._clock.monotonic_s() + self._settings.drain_s
        while forwarding := [each for waiting in waitings for each in waiting.forwarding]:
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0:
                return
            await asyncio.wait(forwarding, timeout=left_s)

    def _count(self, waiting: _Waiting, record: KafkaRecord) -> None:
        waiting.forwarded.inc()
        late_ms = self._clock.now_ms() - record.timestamp_ms - waiting.delay_ms
        self._metrics.forward_late_seconds.observe(max(0, late_ms) / 1_000)

    def _count_retry(self, topic: str) -> None:
        self._metrics.write_retries.labels(topic).inc()

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
