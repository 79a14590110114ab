"""The dispatcher: reads deliveries, offers them to their lane, has them sent and judged, puts the outcome on record, commits."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Any

from hookline.core.lane import Lane
from hookline.core.verdict import judge
from hookline.core.window import Arrival, Hold, Slot, Window
from hookline.dispatchers.recorder import Recorder, Source
from hookline.dispatchers.sender import Sender
from hookline.runtime.clock import Clock
from hookline.runtime.log import Commit, KafkaRecord, Position, Reader, TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import Delivery, Subscription, SubscriptionStatus
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.dispatcher")
FRESH, SECOND = "fresh", "second"
# Keys remembered, all partitions together: two session timeouts (20 s) at 10,000 deliveries a second; 200 bytes each (measured).
_KEYS_MAX = 200_000
_KEYS_MIN = 2_000  # and for each partition, however many there are
_MEMBER_CHECK_S = 0.05
_VIEW_WAIT_S = 5.0


class Closing(Enum):
    """How a record was closed."""

    FINISHED = auto()  # its attempt was made, or never will be
    POSTPONED = auto()  # its successor waits on a tier


class Worker:
    """A `Handler` of the lanes' topics. Everything happens on the event loop; a delivery that started is one task."""

    def __init__(
        self,
        *,
        settings: Settings,
        topics: Topics,
        codec: Codec,
        view: View,
        sender: Sender,
        recorder: Recorder,
        clock: Clock,
        metrics: Metrics,
        tasks: Tasks,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._codec = codec
        self._view = view
        self._sender = sender
        self._recorder = recorder
        self._clock = clock
        self._metrics = metrics
        self._tasks = tasks
        self._reader: Reader | None = None
        self._windows: dict[TopicPartition, Window] = {}
        self._running: dict[Window, set[asyncio.Task[None]]] = {}
        self._lanes = {FRESH: _lane(settings, 3), SECOND: _lane(settings, 1)}
        self._open_bytes = 0
        for name, lane in self._lanes.items():
            metrics.in_flight.labels(name).set_function(partial(getattr, lane, "in_flight"))
            metrics.open_records.labels(name).set_function(partial(self._open_records, name))
        metrics.open_bytes.set_function(lambda: self._open_bytes)
        self._full: set[TopicPartition] = set()
        self._finished = 0

    def read_by(self, reader: Reader) -> None:
        """The reader that calls this handler, for pausing and committing."""
        self._reader = reader

    async def commit_forever(self) -> None:
        """Commit what moved, at every interval; more often under load (see `_done`)."""
        while True:
            await asyncio.sleep(self._settings.commit_interval_ms / 1_000)
            self._commit()

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, positions: Sequence[Position]) -> None:
        for position in positions:
            lane = FRESH if position.partition.topic == self._topics.deliveries else SECOND
            window = Window(
                lane=lane,
                topic=position.partition.topic,
                partition=position.partition.partition,
                position=position.start,
                committed=position.start if position.committed is None else position.committed,
                records_max=self._settings.window_records_max,
                keys_max=max(_KEYS_MIN, _KEYS_MAX // (len(self._windows) + len(positions))),
            )
            self._windows[position.partition] = window
            self._running[window] = set()

    def received(self, records: Sequence[KafkaRecord]) -> None:
        partition = TopicPartition(records[0].topic, records[0].partition)
        window = self._windows[partition]
        for record in records:
            if not self._take(window, record):
                self._full.add(partition)
                self._the_reader().pause(partition, resume_at=record.offset)
                break
        self._start_ready()

    async def revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        windows = {partition: self._windows[partition] for partition in partitions if partition in self._windows}
        for window in windows.values():
            window.hold = Hold.DRAINING
        try:
            running = [task for window in windows.values() for task in self._running[window]]
            if running:
                await asyncio.wait(running, timeout=self._settings.drain_s)
            # Also what was committed before, for that commit may have failed.
            return {
                each: Commit(window.position)
                for each, window in windows.items()
                if window.position > window.committed and window.hold is not Hold.GONE
            }
        finally:
            self._forget(windows)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._forget({partition: self._windows[partition] for partition in partitions if partition in self._windows})

    def _forget(self, windows: Mapping[TopicPartition, Window]) -> None:
        for partition, window in windows.items():
            if self._windows.get(partition) is window:
                del self._windows[partition], self._running[window]
                self._full.discard(partition)
                self._open_bytes -= window.open_bytes
            window.hold = Hold.GONE
        self._resume_readers()  # what these held is free now
        self._start_ready()

    # -- taking -------------------------------------------------------------------------------------------------------

    def _take(self, window: Window, record: KafkaRecord) -> bool:
        """Whether the record was taken; False: no room now, read it again later."""
        try:
            delivery = readable(self._codec.decode(record.value or b"", Delivery))
        except ContractError as error:
            return self._take_unreadable(window, record, str(error))
        if record.offset < window.committed:
            window.remember(delivery)
            return True
        return self._take_delivery(window, record, delivery)

    def _take_delivery(self, window: Window, record: KafkaRecord, delivery: Delivery) -> bool:
        if self._open_bytes >= self._settings.window_bytes_max:
            return False
        size_bytes = len(record.value or b"")
        arrival = window.arrive(delivery, record.offset, size_bytes)
        if arrival is Arrival.FULL:
            return False
        if arrival is Arrival.REPEAT:
            self._metrics.repeats_dropped.labels(window.lane).inc()
            return True
        self._open_bytes += size_bytes
        self._offer(Slot(window, record.offset, size_bytes, delivery))
        return True

    def _offer(self, slot: Slot) -> None:
        if slot.delivery.config_offset > self._view.applied:
            self._tasks.spawn(self._offer_when_seen(slot))
        else:
            self._lanes[slot.window.lane].offer(slot)

    async def _offer_when_seen(self, slot: Slot) -> None:
        """Our view is behind the one that fanned this out: only when it has caught up may "no subscription" mean cancelled."""
        while slot.window.hold is Hold.OURS:
            try:
                wanted = slot.delivery.config_offset - 1
                await self._view.wait_applied(self._topics.subscriptions, wanted, timeout_s=_VIEW_WAIT_S)
            except NotYet:
                continue
            self._lanes[slot.window.lane].offer(slot)
            self._start_ready()
            return

    def _take_unreadable(self, window: Window, record: KafkaRecord, reason: str) -> bool:
        if record.offset < window.committed:
            return True
        if window.arrive_unreadable(record.offset) is Arrival.FULL:
            return False
        _log.error(
            "delivery.unreadable",
            extra={"topic": record.topic, "partition": record.partition, "offset": record.offset, "reason": reason},
        )
        self._run(window, self._bury_unreadable(window, record, reason))
        return True

    async def _bury_unreadable(self, window: Window, record: KafkaRecord, reason: str) -> None:
        await self._recorder.unreadable(record, reason)
        if window.hold is not Hold.GONE:
            window.release(record.offset)
            self._resume_readers()

    # -- carrying out -------------------------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        for lane in self._lanes.values():
            for slot in lane.start():
                self._run(slot.window, self._deliver(lane, slot))

    def _run(self, window: Window, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.spawn(coroutine)
        running = self._running[window]
        running.add(task)
        task.add_done_callback(running.discard)

    async def _deliver(self, lane: Lane, slot: Slot) -> None:
        closing = None  # still open: whoever owns the partition next reads it again
        try:
            if await self._may_start(slot.window):
                closing = await self._carry_out(slot)
        finally:
            lane.finish(slot)
        if closing is not None:
            self._done(slot, closing)
        self._start_ready()

    async def _may_start(self, window: Window) -> bool:
        """Not while the group may have given our partitions away behind our back, and never once it has."""
        while window.hold is Hold.OURS and not self._the_reader().is_member():  # noqa: ASYNC110 - membership is a time, not an event
            await asyncio.sleep(_MEMBER_CHECK_S)
        return window.hold is Hold.OURS

    async def _carry_out(self, slot: Slot) -> Closing:
        delivery, source = slot.delivery, Source(slot.window.topic, slot.window.partition, slot.offset)
        subscription = self._view.subscription(delivery.subscription_id)
        if self._view.cannot_read(delivery.subscription_id):
            return await self._hold_back(delivery, source)  # written by a newer release: this one must not judge
        if subscription is None or subscription.account_id != delivery.account_id:
            await self._recorder.cancelled(delivery, source)
        elif subscription.status is SubscriptionStatus.PAUSED and not delivery.is_test:
            return await self._hold_back(delivery, source)
        else:
            await self._attempt(slot, source, subscription)
        return Closing.FINISHED

    async def _hold_back(self, delivery: Delivery, source: Source) -> Closing:
        age_ms = self._clock.now_ms() - delivery.created_at_ms
        if age_ms > self._settings.delivery_age_max_s * 1_000:
            await self._recorder.expired(delivery, source)
            return Closing.FINISHED
        await self._recorder.postponed(delivery, source)
        return Closing.POSTPONED

    async def _attempt(self, slot: Slot, source: Source, subscription: Subscription) -> None:
        sent = await self._sender.send(slot.delivery, subscription)
        verdict = judge(sent.reply, attempt=slot.delivery.attempt, tiers_ms=self._topics.retry_tiers_ms)
        if slot.window.hold is Hold.GONE:
            await self._recorder.attempted_late(slot.delivery, source, sent, verdict)
        else:
            await self._recorder.attempted(slot.delivery, source, sent, verdict)

    def _done(self, slot: Slot, closing: Closing) -> None:
        window = slot.window
        if window.hold is Hold.GONE:
            return
        if closing is Closing.POSTPONED:
            window.postpone(slot)
        else:
            window.finish(slot)
        self._open_bytes -= slot.size_bytes
        self._finished += 1
        if self._finished >= self._settings.commit_records:
            self._commit()
        self._resume_readers()

    # -- flow and commits ---------------------------------------------------------------------------------------------

    def _resume_readers(self) -> None:
        if not self._full or self._open_bytes > self._settings.window_bytes_max // 2:
            return
        for partition in [each for each in self._full if self._windows[each].has_room()]:
            self._full.discard(partition)
            self._the_reader().resume(partition)

    def _commit(self) -> None:
        self._finished = 0
        moved = {partition: window for partition, window in self._windows.items() if window.dirty}
        if not moved:
            return
        for window in moved.values():
            window.dirty = False
        self._the_reader().commit({partition: Commit(window.position) for partition, window in moved.items()})

    def _open_records(self, lane: str) -> int:
        return sum(window.open_count() for window in self._windows.values() if window.lane == lane)

    def _the_reader(self) -> Reader:
        if self._reader is None:
            raise RuntimeError("a worker was called before `read_by`")
        return self._reader


def readable(delivery: Delivery) -> Delivery:
    """The delivery; ContractError for numbers that no delivery has."""
    if delivery.attempt < 1 or delivery.postponed < 0:
        raise ContractError(
            f"attempt is {delivery.attempt} and postponed {delivery.postponed}; they must be at least 1 and 0"
        )
    return delivery


def _lane(settings: Settings, quarters: int) -> Lane:
    # Three quarters of the requests in flight, and of each endpoint's, are for first attempts, so retries never delay them.
    return Lane(
        in_flight_max=max(1, settings.in_flight_max * quarters // 4),
        endpoint_in_flight_max=max(1, settings.endpoint_in_flight_max * quarters // 4),
    )
