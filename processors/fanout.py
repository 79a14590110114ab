"""The fan-out: Faust reads the event topics, the pipeline does the rest. The only file that imports faust.

Faust is held to one pattern, found by killing it: raw bytes in, one agent that hands each event on and never
raises, no tables, no topics of Faust's own, none of its web server. Its own account of what is done is not used: it acknowledges
an event that raised or that a rebalance skipped, and forgets at a rebalance what was done and not committed. What is
committed here are the pipeline's positions, which move in order.

Only what is committed is read: an aborted transaction of a source system sends nothing. Offsets that bear no record for us are told
to the pipeline by a stand-in, which takes the road of the records, so that it passes none of them and is lost with them.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import faust
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, OffsetOutOfRangeError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata
from aiokafka.structs import TopicPartition as AIOKafkaPartition
from faust.sensors.monitor import Monitor
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as AIOKafkaConsumer
from faust.transport.drivers.aiokafka import Transport as AIOKafkaTransport
from faust.types import TP
from mode.threads import WorkerThread

from hookline.core.fanout import Source
from hookline.processors.pace import Pace
from hookline.processors.pipeline import Pipeline
from hookline.processors.positions import passed_over
from hookline.processors.topic_watch import LOOK_EVERY_S, TopicWatch
from hookline.runtime.lifecycle import EXIT_FATAL, Lifetime
from hookline.runtime.log import TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.runtime.topic_ids import TopicIds
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.fanout")
_faust_log = logging.getLogger("faust")  # what Faust says in our subclasses is still Faust's: heard from `warning` on
_COMMIT_S = 5.0
_STOP_S = 8.0
_STOP_AT_LAST_S = 15.0  # the writer's last flush may take 10
_DAY_S = 86_400.0
_PACE_S = 0.008  # of a latency that is several times this when 1,000 events a second are fetched one by one
_FETCH_WAIT_MS = 500
# What is read ahead: so much of each partition, and so many events between Faust's fetcher and its agent.
_FETCH_BYTES_MAX = 512 * 1024
_FAUST_BUFFER_RECORDS = 256
_BUFFER_FULL_S = 0.002
_PASSED: Final = bytes(bytearray(b"passed"))  # known by its identity: no record's value is this object


def build_app(settings: Settings, *, topics: Topics, pipeline: Pipeline, metrics: Metrics) -> faust.App:
    """The Faust app that feeds the pipeline. Create it inside the running loop; `Fanout` starts and stops it."""
    app = _App(
        settings.group("fanout"),
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")],
        consumer_group_instance_id=settings.instance_id or None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=_FETCH_BYTES_MAX,
        consumer_metadata_max_age_ms=round(LOOK_EVERY_S * 1_000),  # else a topic that comes back waits for 5 minutes
        broker_session_timeout=float(settings.session_timeout_s),
        broker_heartbeat_interval=settings.session_timeout_s / 3,
        broker_request_timeout=max(40.0, settings.session_timeout_s + 5.0),
        broker_commit_interval=_DAY_S,  # `Fanout` commits by time and by number
        broker_max_poll_interval=_DAY_S,  # a Kafka that takes no deliveries is waited for; the watchdog knows a stall from that
        stream_buffer_maxsize=_FAUST_BUFFER_RECORDS,
        stream_wait_empty=False,  # the pipeline drains itself, before Faust forgets what is done
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
        cython_optimizations=True,
        Monitor=_NoMonitor,
    )
    app.pipeline, app.metrics = pipeline, metrics
    app.watch = TopicWatch(TopicIds(settings.bootstrap_servers), topics=topics.all_events(), metrics=metrics)
    app.drain_s = min(float(settings.drain_s), settings.session_timeout_s / 2)
    source = app.topic(
        *topics.all_events(), key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    async def fan_out_events(stream: faust.Stream[bytes]) -> None:
        async for event in stream.noack().events():
            await _hand_on(pipeline, event.message)

    app.agent(source, name="fanout", concurrency=1)(fan_out_events)
    return app


class Fanout:
    """Runs the app and the pipeline together."""

    def __init__(self, app: faust.App, pipeline: Pipeline, *, settings: Settings) -> None:
        self._app = app
        self._pipeline = pipeline
        self._commit_interval_s = settings.commit_interval_ms / 1_000
        self._commit_records = settings.commit_records

    async def run(self, lifetime: Lifetime) -> None:
        """Work until the lifetime ends or something crashed; raises what ended it, unless that was a wish."""
        rejoin = self._app.consumer.rejoin
        working = asyncio.gather(self._pipeline.run(), self._commit_forever(), self._app.watch.run(rejoin))
        try:
            await self._app.start()
            await self._until(lifetime, working)
        finally:
            await self._stop()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def assigned(self) -> Sequence[TopicPartition]:
        """The source partitions that are ours now."""
        return [TopicPartition(each.topic, each.partition) for each in self._app.assigned()]

    @property
    def is_rebalancing(self) -> bool:
        """Whether partitions are being given out just now."""
        return bool(self._app.rebalancing)

    async def _commit_forever(self) -> None:
        """Commit every so often and after so many events: a kill repeats what was done since."""
        while True:
            await self._pipeline.wait_done(self._commit_records, within_s=self._commit_interval_s)
            await self._app.consumer.commit()

    async def _until(self, lifetime: Lifetime, working: "asyncio.Future[Any]") -> None:
        ended = asyncio.create_task(lifetime.wait())
        crashed = asyncio.create_task(self._app.crash_event().wait())
        try:
            await asyncio.wait((ended, crashed, working), return_when=asyncio.FIRST_COMPLETED)
        finally:
            crashed.cancel()
            ended.cancel()
        for each in (working, ended):
            if each.done():
                each.result()
        if self._app.crash_reason is not None:
            raise self._app.crash_reason

    async def _stop(self) -> None:
        """Drain, commit, leave; bounded, for Kafka may be gone."""
        try:
            async with asyncio.timeout(self._app.drain_s + _COMMIT_S + _STOP_S):
                if self._app.crash_reason is None:
                    await self._app.consumer.settle()
                await self._app.stop()
        except TimeoutError:
            _log.warning("fanout.stop_ran_out", extra={"seconds": self._app.drain_s + _COMMIT_S + _STOP_S})
            _end_at_last()


def _end_at_last() -> None:
    """End the process, should Faust's tasks refuse to: what is not committed is read again, so nothing is lost."""
    last = threading.Timer(_STOP_AT_LAST_S, os._exit, [EXIT_FATAL])
    last.daemon = True
    last.start()


async def _hand_on(pipeline: Pipeline, message: Any) -> None:
    if message.value is _PASSED:
        await pipeline.passed(TopicPartition(message.topic, message.partition), message.offset + 1)
    else:
        await pipeline.take(_source(message))


def _source(message: Any) -> Source:
    return Source(message.topic, message.partition, message.offset, round(message.timestamp * 1_000), message.value)


class _App(faust.App):  # type: ignore[misc]  # faust ships no usable types, here and below
    """An app with our transport, and nothing on disk."""

    logger = _faust_log
    pipeline: Pipeline
    metrics: Metrics
    watch: TopicWatch
    drain_s: float

    def assigned(self) -> Iterable[TP]:
        """The partitions of the present assignment."""
        return self._assignment or ()

    def crash_event(self) -> asyncio.Event:
        """Set when any of Faust's services crashed."""
        event: asyncio.Event = self._crashed
        return event

    def _new_transport(self) -> AIOKafkaTransport:
        return _Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Tables would need folders; there are none."""


class _NoMonitor(Monitor):  # type: ignore[misc]
    """Counts nothing: what is worth counting is in our own metrics, and Faust asks for each record."""

    logger = _faust_log

    def track_tp_end_offset(self, tp: TP, offset: int) -> None:
        pass

    def on_message_in(self, tp: TP, offset: int, message: Any) -> None:
        pass

    def on_stream_event_in(self, tp: TP, offset: int, stream: Any, event: Any) -> None:
        pass


class _DaemonThread(WorkerThread):  # type: ignore[misc]
    """A thread that keeps no process alive: without a broker aiokafka's never ends."""

    def __init__(self, service: Any) -> None:
        super().__init__(service)
        self.daemon = True


class _ConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's thread, in which aiokafka fetches."""

    Worker = _DaemonThread
    logger = _faust_log

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._pace = Pace(_PACE_S)
        self._sought: object = None  # the assignment whose places were sought; aiokafka fetches before that as well

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # aiokafka does not fetch a partition while a fetch to the same broker is out; Faust lets that wait 1.5 s.
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust's own choice only where it writes transactions itself
        client = consumer._client  # noqa: SLF001 - aiokafka has no setting for the time between two fetches
        client.send = partial(self._send_paced, client.send)
        return consumer

    async def _send_paced(self, send: Callable[..., Awaitable[Any]], node: int, request: Any, **more: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return await send(node, request, **more)
        if wait_s := self._pace.wait_s(now_s=time.monotonic()):
            await asyncio.sleep(wait_s)
        answer = await send(node, request, **more)
        self._note_out_of_range(answer)
        return answer

    def _note_out_of_range(self, answer: Any) -> None:
        """Count and say where what was to be read is gone: aiokafka goes on from the oldest record, and is silent about it."""
        for topic, partitions in answer.topics:
            for partition, error, *_ in partitions:
                if error == OffsetOutOfRangeError.errno and self._sought is self._present():
                    self.app.metrics.position_resets.labels(topic).inc()
                    _log.error("kafka.position_out_of_range", extra={"topic": topic, "partition": partition})

    async def _fetch_records(self, *args: Any, **more: Any) -> Any:
        before = self._positions()
        records = await super()._fetch_records(*args, **more)
        if records:  # before aiokafka, in this same thread, can begin the next fetch
            self._pace.came(sum(map(len, records.values())), now_s=time.monotonic())
        read = {each: found[-1].offset + 1 for each, found in records.items()}
        passed = passed_over(before, self._positions(), read)
        return records | {each: [*records.get(each, ()), _stand_in(each, at - 1)] for each, at in passed.items()}

    def _positions(self) -> Mapping[AIOKafkaPartition, int]:
        """The next offset to come of each partition that is ours; aiokafka's own question waits for those that it does not know yet."""
        assignment = self._present()
        states = ((each, assignment.state_value(each)) for each in (assignment.tps if assignment else ()))
        return {each: state.position for each, state in states if state.has_valid_position}

    def _present(self) -> Any:
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001
        return subscription and subscription.assignment

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Begin to read, and say where: where it was committed for this very topic, else at its oldest record."""
        # Faust asks while it is settled, too: what is still to be committed then is about the topics that were read so far.
        return await self.call_thread(self._seek) if self.app.pipeline.is_open else {}

    async def _seek(self) -> Mapping[AIOKafkaPartition, int]:
        consumer, assignment = self._ensure_consumer(), self._present()
        known = await consumer._coordinator.fetch_committed_offsets(list(assignment.tps))  # noqa: SLF001 - marks and all
        marks = {each: known[each].metadata if each in known else "" for each in assignment.tps}
        anew = dict.fromkeys(await self.app.watch.begun(marks), 0)
        begins = {each: found.offset for each, found in known.items()} | anew
        if assignment is self._present():
            for each, offset in begins.items():
                consumer.seek(each, offset)
            self._sought = assignment
            await self._commit(anew)
        return begins

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit, and say whether it worked. Faust's own ends the process when it did not; the next one may work."""
        ours = self.assignment()
        wanted = {
            AIOKafkaPartition(*each): OffsetAndMetadata(offset, self.app.watch.mark_of(each[0]))
            for each, offset in offsets.items()
            if each in ours
        }
        if not wanted:
            return False
        try:
            async with asyncio.timeout(_COMMIT_S):  # aiokafka tries for as long as the broker is away
                await self._ensure_consumer().commit(wanted)
        except (CommitFailedError, IllegalStateError):
            return False  # rebalanced meanwhile: these partitions are another assignment's
        except (KafkaError, TimeoutError) as error:
            _log.warning("fanout.commit_failed", extra={"error": type(error).__name__})
            return False
        return True


def _stand_in(partition: AIOKafkaPartition, offset: int) -> ConsumerRecord:
    """What tells, in the place of a record, that reading has passed this offset."""
    return ConsumerRecord(*partition, offset, 0, 0, None, _PASSED, None, 0, len(_PASSED), ())


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    logger = _faust_log

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def rejoin(self) -> None:
        """Have the partitions given out once more, if any is ours: reading begins anew, and that looks at the topics' ids."""
        if self.app.assigned() and not self.app.rebalancing:
            coordinator = self._thread._ensure_consumer()._coordinator  # noqa: SLF001 - it joins anew when a topic comes or goes
            self._thread.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)

    async def force_commit(self, _topics: object = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        """Commit the pipeline's positions, which are in order; Faust's own account is not asked."""
        offsets = self.app.pipeline.committable()
        if not offsets:
            return False
        worked: bool = await self._commit({TP(*each): offset for each, offset in offsets.items()})
        self.app.metrics.commits.labels("ok" if worked else "failed").inc()
        if worked:
            self.app.pipeline.committed(offsets)
        return worked

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand over what is fetched, until Faust stops the fetcher. Faust's own makes four tasks for each record."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._hand_over()
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _hand_over(self) -> None:
        queues = [channel.queue for channel in self.app.topics]
        async for _, message in self.getmany(timeout=1.0):
            await self.callback(message)
            while any(queue.full() for queue in queues):  # noqa: ASYNC110 - Faust has no event for it
                await asyncio.sleep(_BUFFER_FULL_S)

    def on_buffer_full(self, _tp: TP) -> None:
        """Nothing: a full buffer stops the fetcher as a whole. Faust's own sleeps a second when all partitions are full."""

    async def settle(self) -> None:
        """Take nothing more, finish what was taken, commit it; then forget it, so that late results count for nothing."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        if not await self.app.pipeline.drain(deadline_s=self.app.drain_s):
            _log.warning("fanout.drain_ran_out", extra={"drain_s": self.app.drain_s})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_COMMIT_S):
                await self.maybe_wait_for_commit_to_finish()
                await self.force_commit()
        self.app.pipeline.forget()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """A rebalance begins; all partitions go and most come back. Settled first: a rebalance makes no repeats."""
        if not self.app.should_stop:
            await self.settle()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """These are ours until the next rebalance."""
        self.app.pipeline.forget()
        self.app.pipeline.reopen()
        await super().on_partitions_assigned(assigned, generation_id)


class _Transport(AIOKafkaTransport):  # type: ignore[misc]
    Consumer: type[FaustConsumer] = _Consumer
