"""The dispatcher: reads deliveries, offers them to their lane, has them sent and judged, puts the outcome on record, commits."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

from hookline.core.isolation import Isolation
from hookline.core.limits import EIGHTHS, FRESH, REPLAYS, SECOND
from hookline.core.share import Postponed
from hookline.core.window import Arrival, Hold, Slot, Window
from hookline.dispatchers.deliverer import Closing, Deliverer
from hookline.dispatchers.health import HealthBook
from hookline.dispatchers.held_bytes import HeldBytes
from hookline.dispatchers.in_view import InView
from hookline.dispatchers.recorder import Recorder
from hookline.dispatchers.steady import SteadyClock
from hookline.runtime.clock import Clock
from hookline.runtime.log import Commit, KafkaRecord, Position, Reader, TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.newer import StoppedPartitions
from hookline.runtime.outbound_session import MayNotGoError, may_go
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, UnknownSchema
from hookline.schemas.records import Delivery
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.dispatcher")
# Keys remembered, all partitions together: two session timeouts (20 s) at 15,000 deliveries a second; 200 bytes each (measured).
_KEYS_MAX = 300_000
_KEYS_MIN = 2_000  # and for each partition, however many there are
_MEMBER_CHECK_S = 0.05
_WAKE_S = 0.001
_TICK_S = 0.1  # how soon an endpoint that hangs is noticed, at most, beyond its patience
# Postponements being written at a time: thousands come at once when a slow endpoint has a backlog, and all of them in one
# turn of the loop would hold everybody's requests for seconds (docs/performance.md).
_POSTPONING_MAX = 64


class Worker:
    """A `Handler` of the lanes' topics. Everything happens on the event loop; a delivery that started is one task."""

    def __init__(
        self,
        *,
        settings: Settings,
        topics: Topics,
        codec: Codec,
        view: View,
        deliverer: Deliverer,
        recorder: Recorder,
        health: HealthBook,
        clock: Clock,
        metrics: Metrics,
        tasks: Tasks,
    ) -> None:
        self._settings = settings
        self._codec = codec
        self._deliverer = deliverer
        self._recorder = recorder
        self._clock = clock
        self._metrics = metrics
        self._tasks = tasks
        self._reader: Reader | None = None
        self._windows: dict[TopicPartition, Window] = {}
        self._running: dict[Window, set[asyncio.Task[None]]] = {}
        self._lane_of = {topics.deliveries: FRESH, topics.redeliveries: SECOND, topics.replays: REPLAYS}
        self._isolation = Isolation(
            budgets={lane: max(1, settings.in_flight_max * part // 8) for lane, part in EIGHTHS.items()},
            endpoint_in_flight_max=settings.endpoint_in_flight_max,
            held_max=settings.window_records_max * 3 // 4,
            doubt_held_ms=settings.doubt_held_s * 1_000,
            limits_of=health.limits,
            is_over=lambda delivery: deliverer.called_off(delivery) is not None,
        )
        self._bytes = HeldBytes({lane: settings.window_bytes_max * part // 8 for lane, part in EIGHTHS.items()})
        self._full: set[TopicPartition] = set()
        self.stopped = StoppedPartitions(_log, says="delivery.of_newer_release")
        self._in_view = InView(view, topics, tasks, offer=self._offer, start=self._start_ready)
        self._to_postpone: deque[Postponed] = deque()  # open records all of them, so no more than the windows hold
        self._postponing = 0
        self._finished = 0
        self._steady = SteadyClock(clock, looked_at_every_s=_TICK_S)
        self._wake: asyncio.TimerHandle | None = None
        self._show()

    def read_by(self, reader: Reader) -> None:
        """The reader that calls this handler, for pausing and committing."""
        self._reader = reader

    async def commit_forever(self) -> None:
        """Commit what moved, at every interval; more often under load (see `_done`)."""
        while True:
            await asyncio.sleep(self._settings.commit_interval_ms / 1_000)
            self._commit()

    async def tick_forever(self) -> None:
        """Look at every endpoint anew, ten times a second: what hangs by now, and what waits too long."""
        while True:
            asked_s = self._clock.monotonic_s()
            await asyncio.sleep(_TICK_S)
            self._isolation.pace.felt((self._clock.monotonic_s() - asked_s - _TICK_S) * 1_000)
            now_ms = self._steady.now_ms()
            self._postpone_all(self._isolation.tick(now_ms))
            for window in [window for window in self._windows.values() if window.is_tight()]:
                self._postpone_all(self._isolation.make_room(window, now_ms))
            self._start_ready()

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, positions: Sequence[Position]) -> None:
        again = {each.partition: self._windows[each.partition] for each in positions if each.partition in self._windows}
        if again:  # a loop that was stuck for longer than the drain may get them back before it has given them up
            self._forget(again)
        for position in positions:
            window = Window(
                lane=self._lane_of[position.partition.topic],
                topic=position.partition.topic,
                partition=position.partition.partition,
                position=position.start,
                committed=position.start if position.committed is None else position.committed,
                records_max=self._settings.window_records_max,
                keys_max=max(_KEYS_MIN, _KEYS_MAX // (len(self._windows) + len(positions))),
                metadata=position.metadata,
            )
            self._isolation.assigned(window)
            self._windows[position.partition] = window
            self._running[window] = set()

    def received(self, records: Sequence[KafkaRecord]) -> None:
        partition = TopicPartition(records[0].topic, records[0].partition)
        window = self._windows[partition]
        for record in records:
            try:
                taken = self._take(window, record)
            except UnknownSchema as error:
                self.stopped.stop(self._the_reader(), record, error)
                break
            if not taken:
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
            commits = {each: _commit_of(window) for each, window in windows.items() if window.hold is not Hold.GONE}
            return {each: commit for each, commit in commits.items() if commit != Commit(windows[each].committed)}
        finally:
            self._forget(windows)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._forget({partition: self._windows[partition] for partition in partitions if partition in self._windows})

    def _forget(self, windows: Mapping[TopicPartition, Window]) -> None:
        for partition, window in windows.items():
            if self._windows.get(partition) is window:
                del self._windows[partition], self._running[window]
                self._full.discard(partition)
                self.stopped.forget([partition])
                self._bytes.give_back(window.lane, window.open_bytes)
            window.hold = Hold.GONE
            self._isolation.forget(window)
        self._resume_readers()  # what these held is free now
        self._start_ready()

    # -- taking -------------------------------------------------------------------------------------------------------

    def _take(self, window: Window, record: KafkaRecord) -> bool:
        """Whether the record was taken; False: no room now, read it again later. UnknownSchema: none of ours, but a newer release's."""
        try:
            delivery = readable(self._codec.decode(record.value or b"", Delivery))
        except UnknownSchema:
            if record.offset < window.committed:
                return True
            raise
        except ContractError as error:
            return self._take_unreadable(window, record, str(error))
        if record.offset < window.committed:
            window.remember(delivery)
            return True
        return self._take_delivery(window, record, delivery)

    def _take_delivery(self, window: Window, record: KafkaRecord, delivery: Delivery) -> bool:
        if self._bytes.are_full(window.lane):
            return False
        size_bytes = len(record.value or b"")
        match window.arrive(delivery, record.offset, size_bytes):
            case Arrival.FULL:
                return False
            case Arrival.REPEAT:
                self._metrics.repeats_dropped.labels(window.lane).inc()
            case Arrival.START:
                self._bytes.take(window.lane, size_bytes)
                self._in_view.take(Slot(window, record.offset, size_bytes, delivery))
            case Arrival.HELD:
                self._bytes.take(window.lane, size_bytes)
            case Arrival.DONE:
                pass
        return True

    def _offer(self, slot: Slot) -> None:
        postponed = self._isolation.offer(slot, self._steady.now_ms())
        if postponed is not None:
            self._postpone_all([postponed])

    def _take_unreadable(self, window: Window, record: KafkaRecord, reason: str) -> bool:
        if record.offset < window.committed:
            return True
        arrival = window.arrive_unreadable(record.offset)
        if arrival is not Arrival.START:
            return arrival is Arrival.DONE
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
        for lane, held in self._isolation.lanes.items():
            held.cramped = self._bytes.are_cramped(lane)
        if not self._the_reader().is_member():
            return  # what starts now would wait, and that is no endpoint's fault; the next tick looks again
        for slot in self._isolation.start(self._steady.now_ms()):
            self._run(slot.window, self._deliver(slot))
        self._wake_when_due()

    def _wake_when_due(self) -> None:
        """Start again when a rate limit lets the next one go."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        due_ms = self._isolation.wake_ms()
        if due_ms != inf:
            wait_s = max(_WAKE_S, (due_ms - self._steady.now_ms()) / 1_000)
            self._wake = asyncio.get_running_loop().call_later(wait_s, self._start_ready)

    def _run(self, window: Window, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.spawn(coroutine)
        running = self._running[window]
        running.add(task)
        task.add_done_callback(running.discard)

    async def _deliver(self, slot: Slot) -> None:
        closing = None  # still open: whoever owns the partition next reads it again
        may_go.set(lambda: slot.window.hold is not Hold.GONE and self._the_reader().is_member())
        try:
            if await self._may_start(slot.window):
                with suppress(MayNotGoError):  # it had no connection yet when we were paused: who knows for how long
                    closing = await self._deliverer.carry_out(slot, partial(self._answered, slot), self._may_start)
        finally:
            self._isolation.finish(slot, self._steady.now_ms())
        if closing is not None:
            self._done(slot, closing)
        elif slot.window.hold is Hold.OURS:
            self._offer(slot)  # its turn comes again: to wait for it here would look like an endpoint that hangs
        self._start_ready()

    def _answered(self, slot: Slot, succeeded: bool) -> None:
        self._isolation.answered(slot, succeeded=succeeded, now_ms=self._steady.now_ms())

    def _postpone_all(self, postponed: Iterable[Postponed]) -> None:
        self._to_postpone.extend(postponed)
        self._postpone_some()

    def _postpone_some(self) -> None:
        while self._to_postpone and self._postponing < _POSTPONING_MAX:
            postponed = self._to_postpone.popleft()
            if postponed.slot.window.hold is Hold.OURS:
                self._postponing += 1
                self._run(postponed.slot.window, self._postpone(postponed))

    async def _postpone(self, postponed: Postponed) -> None:
        slot, held, wait_ms = postponed
        try:
            if await self._may_start(slot.window):
                self._done(slot, await self._deliverer.postpone(slot, held, wait_ms))
                self._start_ready()
        finally:
            self._postponing -= 1
        self._postpone_some()

    async def _may_start(self, window: Window) -> bool:
        """Not while the group may have given our partitions away behind our back, and never once it has."""
        while window.hold is Hold.OURS and not self._the_reader().is_member():  # noqa: ASYNC110 - membership is a time, not an event
            await asyncio.sleep(_MEMBER_CHECK_S)
        return window.hold is Hold.OURS

    def _done(self, slot: Slot, closing: Closing) -> None:
        window = slot.window
        if window.hold is Hold.GONE:
            return
        held_bytes, following = window.open_bytes, None
        if closing is Closing.POSTPONED:
            following = window.postpone(slot)
        else:
            window.finish(slot)
        self._bytes.give_back(window.lane, held_bytes - window.open_bytes)
        if following is not None:
            self._in_view.take(following)
        self._finished += 1
        if self._finished >= self._settings.commit_records:
            self._commit()
        self._resume_readers()

    # -- flow and commits ---------------------------------------------------------------------------------------------

    def _resume_readers(self) -> None:
        for partition in list(self._full):
            window = self._windows[partition]
            if window.has_room() and not self._bytes.are_cramped(window.lane):
                self._full.discard(partition)
                self._the_reader().resume(partition)

    def _commit(self) -> None:
        self._finished = 0
        moved = {partition: window for partition, window in self._windows.items() if window.dirty}
        if not moved:
            return
        for window in moved.values():
            window.dirty = False
        self._the_reader().commit({partition: _commit_of(window) for partition, window in moved.items()})

    def _show(self) -> None:
        for name, lane in self._isolation.lanes.items():
            self._metrics.in_flight.labels(name).set_function(partial(getattr, lane, "in_flight"))
            self._metrics.doubtful_in_flight.labels(name).set_function(lane.doubtful)
            self._metrics.open_records.labels(name).set_function(partial(self._open_records, name))
            self._metrics.waiting_records.labels(name).set_function(partial(self._isolation.waiting, name))
            self._metrics.open_bytes.labels(name).set_function(partial(self._bytes.open.__getitem__, name))

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


def _commit_of(window: Window) -> Commit:
    return Commit(window.position, window.metadata)
