"""The processors' roles, put together: this is the only place that knows every concrete part."""

import logging
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Protocol

from prometheus_client import CollectorRegistry

from hookline.core.rendering import Renderer
from hookline.processors.barrier import Barrier
from hookline.processors.calm import calm
from hookline.processors.composer import Composer
from hookline.processors.erased import Erased
from hookline.processors.erasing import erase, mark_all
from hookline.processors.history import Ingest, Store, collect_rarely
from hookline.processors.keeping import keep
from hookline.processors.pipeline import Pipeline
from hookline.processors.rebuilding import until_all_is_read
from hookline.processors.watchdog import Watchdog
from hookline.processors.writes import Writes
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.health import Check, build_health_app, serving
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_reader import KafkaReader, reading
from hookline.runtime.kafka_writer import open_writer
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.log import TopicPartition, Writer
from hookline.runtime.metrics import Metrics
from hookline.runtime.metrics import reading as metric_value
from hookline.runtime.pulse import Pulse, Watch, unread
from hookline.runtime.readers import Readers, reading_all
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View, open_view
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec

_GATHER_MS = 100  # nobody waits for history more closely, and each fetch costs it and the broker part of a millisecond
_LINGER_MS = 1  # a backlog goes out in batches; costs an idle road less than 1 ms


class _Fanned(Protocol):
    """The running fan-out, as readiness sees it (`hookline.processors.fanout.Fanout`)."""

    @property
    def is_rebalancing(self) -> bool: ...

    def assigned(self) -> Sequence[TopicPartition]: ...


async def run_fanout(settings: Settings, lifetime: Lifetime) -> None:
    """Fan out until the lifetime ends; then finish what is open, and commit."""
    from hookline.processors.fanout import Fanout, build_app

    metrics, clock = Metrics(CollectorRegistry()), SystemClock()
    calm("aiokafka", logging.getLogger("hookline.fanout"), monotonic_s=clock.monotonic_s)
    catalogue = load_catalogue()
    topics = settings.topics(catalogue.domains)
    async with AsyncExitStack() as stack:
        tasks = Tasks(on_fatal=lifetime.fail)
        view = await stack.enter_async_context(
            open_view(settings, topics=topics, codec=Codec(catalogue), metrics=metrics, on_fatal=lifetime.fail)
        )
        writer = await stack.enter_async_context(
            open_writer(settings.bootstrap_servers, linger_ms=_LINGER_MS, on_fatal=lifetime.fail)
        )
        ends = EndOffsets(settings.bootstrap_servers, group=settings.group("fanout"))
        stack.push_async_callback(ends.close)
        stack.push_async_callback(tasks.cancel)
        barrier = Barrier(ends=ends, view=view, topic=topics.subscriptions)
        composer = _composer(settings, catalogue, view, metrics)
        writes = Writes(writer, outstanding_max=settings.fanout_outstanding_max, metrics=metrics)
        pipeline = Pipeline(barrier=barrier, composer=composer, writes=writes, metrics=metrics, clock=clock)
        fanout = Fanout(
            build_app(settings, topics=topics, pipeline=pipeline, metrics=metrics), pipeline, settings=settings
        )
        pulse = Pulse(ends, topic=topics.subscriptions, clock=clock)
        watch = Watch(pulse, partial(_unfinished, pipeline, writes), clock=clock)
        watchdog = _watchdog(ends, fanout, pipeline, metrics, on_stall=lifetime.fail)
        loaded: Check = partial(_fanout_readiness, view, fanout, barrier)
        ready = [loaded, pulse.complaint, watch.complaint, watchdog.complaint]
        health = build_health_app(metrics, alive=[], ready=ready)
        tasks.spawn(pulse.beat_forever())
        await stack.enter_async_context(serving(health, host=settings.health_host, port=settings.health_port))
        if not await lifetime.lasts_until(view.wait_ready()):
            return
        tasks.spawn(watch.look_forever())
        tasks.spawn(watchdog.run())
        await fanout.run(lifetime)


def _watchdog(
    ends: EndOffsets,
    fanout: _Fanned,
    pipeline: Pipeline,
    metrics: Metrics,
    *,
    on_stall: Callable[[BaseException], None],
) -> Watchdog:
    on_lag = partial(_show_lag, metrics)
    return Watchdog(ends=ends, reading=fanout, progress=pipeline, clock=SystemClock(), on_stall=on_stall, on_lag=on_lag)


def _composer(settings: Settings, catalogue: Catalogue, view: View, metrics: Metrics) -> Composer:
    return Composer(
        topics=settings.topics(catalogue.domains),
        codec=Codec(catalogue),
        renderer=Renderer(catalogue),
        view=view,
        metrics=metrics,
        clock=SystemClock(),
        body_bytes_max=settings.body_bytes_max,
    )


async def _unfinished(pipeline: Pipeline, writes: Writes) -> Mapping[str, Hashable]:
    return {} if pipeline.is_idle() else {"fan-out": (tuple(pipeline.received().items()), writes.outstanding)}


def _show_lag(metrics: Metrics, lag: Mapping[str, int]) -> None:
    metrics.lag.clear()  # partitions that went are others' to show
    for topic, records in lag.items():
        metrics.lag.labels(topic).set(records)


def _fanout_readiness(view: View, fanout: _Fanned, barrier: Barrier) -> str | None:
    if not view.ready:
        return "the live view has not been read to its end yet"
    if fanout.is_rebalancing or not fanout.assigned():
        return "no partitions are assigned"
    return barrier.is_waiting_for


async def run_history(settings: Settings, lifetime: Lifetime) -> None:
    """Keep the history until the lifetime ends."""
    from hookline.runtime.history import open_history  # SQLAlchemy takes 0.8 s of CPU: the fan-out does without

    clock, metrics = SystemClock(), Metrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        tasks = Tasks(on_fatal=lifetime.fail)
        store = await stack.enter_async_context(open_history(settings))
        writer = await stack.enter_async_context(open_writer(settings.bootstrap_servers, on_fatal=lifetime.fail))
        ends = EndOffsets(settings.bootstrap_servers)
        stack.push_async_callback(ends.close)
        stack.push_async_callback(tasks.cancel)
        ingest, readers = _reading_into(store, writer, settings, metrics, on_fatal=lifetime.fail)
        erased = await stack.enter_async_context(_erased(settings, metrics, on_fatal=lifetime.fail))
        pulse = Pulse(ends, topic=settings.topics().subscriptions, clock=clock)
        signs = [partial(unread, each, ends) for each in readers]
        watch = Watch(pulse, *signs, partial(_unstored, readers), clock=clock)
        ready = [
            erased.complaint,
            ingest.stopped.complaint,
            *(each.complaint for each in readers),
            pulse.complaint,
            watch.complaint,
        ]
        health = build_health_app(metrics, alive=[each.is_deaf for each in readers], ready=ready)
        await stack.enter_async_context(serving(health, host=settings.health_host, port=settings.health_port))
        if not await lifetime.lasts_until(mark_all(store, erased)):
            return
        kept = keep(store, days=settings.history_retention_days, clock=clock)
        erasing = erase(store, erased, clock=clock)
        for work in (ingest.run(), kept, erasing, pulse.beat_forever(), watch.look_forever()):
            tasks.spawn(work)
        await stack.enter_async_context(reading_all(readers))
        await lifetime.wait()


async def run_rebuild(settings: Settings, lifetime: Lifetime, *, say: Callable[[str], None]) -> None:
    """Empty the history store, and fill it with what Kafka holds now. Ended before, the history role goes on where it was."""
    from hookline.runtime.history import open_history

    metrics = Metrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        tasks = Tasks(on_fatal=lifetime.fail)
        store = await stack.enter_async_context(open_history(settings))
        writer = await stack.enter_async_context(open_writer(settings.bootstrap_servers, on_fatal=lifetime.fail))
        ends = EndOffsets(settings.bootstrap_servers)
        stack.push_async_callback(ends.close)
        stack.push_async_callback(tasks.cancel)
        ingest, readers = _reading_into(store, writer, settings, metrics, on_fatal=lifetime.fail)
        erased = await stack.enter_async_context(_erased(settings, metrics, on_fatal=lifetime.fail))
        if not await lifetime.lasts_until(mark_all(store, erased)):
            return
        await store.empty()
        tasks.spawn(ingest.run())
        await stack.enter_async_context(reading_all(readers))
        rebuilt = partial(metric_value, metrics.registry, "hookline_history_rows_total")
        done = until_all_is_read(ingest, readers, ends, say=lambda: say(f"{rebuilt():,.0f} records"))
        is_done = await lifetime.lasts_until(done)
        say(f"{rebuilt():,.0f} records{'' if is_done else '; `hookline history` goes on from here'}")


def _reading_into(
    store: Store, writer: Writer, settings: Settings, metrics: Metrics, *, on_fatal: Callable[[BaseException], None]
) -> tuple[Ingest, Sequence[KafkaReader]]:
    """What reads Kafka into the store, not started yet. A group for each topic, so that each is shared out (see `Readers`)."""
    collect_rarely()
    ingest = Ingest(
        store=store,
        writer=writer,
        topics=settings.topics(),
        codec=Codec(load_catalogue()),
        metrics=metrics,
        clock=SystemClock(),
    )
    readers = {
        topic: KafkaReader(
            _history_reader(settings, topic, group), ingest, metrics=metrics, on_fatal=on_fatal, starts=ingest.starts
        )
        for topic, group in zip(ingest.topics(), settings.history_groups(), strict=True)
    }
    ingest.read_by(Readers(readers))
    return ingest, tuple(readers.values())


@asynccontextmanager
async def _erased(
    settings: Settings, metrics: Metrics, *, on_fatal: Callable[[BaseException], None]
) -> AsyncIterator[Erased]:
    """Which accounts are erased, followed while the block runs."""
    erased = Erased(Codec(load_catalogue()))
    config = ReaderConfig(
        bootstrap_servers=settings.bootstrap_servers,
        group=None,
        topics=[settings.topics().accounts],
        gather_ms=_GATHER_MS,
    )
    reader = KafkaReader(config, erased, metrics=metrics, on_fatal=on_fatal, ended=erased.ended)
    async with reading(reader):
        yield erased


def _history_reader(settings: Settings, topic: str, group: str) -> ReaderConfig:
    return ReaderConfig(
        bootstrap_servers=settings.bootstrap_servers,
        group=group,
        topics=[topic],
        instance_id=settings.instance_id,
        session_timeout_s=settings.session_timeout_s,
        drain_s=settings.drain_s,
        gather_ms=_GATHER_MS,
        hears_ends=True,  # audit entries are written in transactions
    )


async def _unstored(readers: Sequence[KafkaReader]) -> Mapping[str, Hashable]:
    """Records that are not in the store yet: the last commits change whenever some are."""
    wanted = tuple(item for each in readers for item in each.wanted().items())
    return {"history store": wanted} if any(lag for each in readers for lag in each.lag().values()) else {}
