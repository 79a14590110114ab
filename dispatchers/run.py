"""The dispatcher role, put together: this is the only place that knows every concrete part."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from prometheus_client import CollectorRegistry

from hookline.dispatchers.assembly import Parts, build_forwarder, build_worker
from hookline.dispatchers.backlog import show_backlog_forever
from hookline.dispatchers.forwarder import Forwarder
from hookline.dispatchers.readiness import readiness
from hookline.dispatchers.worker import Worker
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.health import build_health_app, serving
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_reader import KafkaReader
from hookline.runtime.kafka_writer import open_writer
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.metrics import Metrics
from hookline.runtime.outbound_session import session_of
from hookline.runtime.readers import Readers, reading_all
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import open_view
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.dispatcher")
# What waits need not be fetched at once: at 1,000 retries a second that halves the forwarder's CPU (measured).
_GATHER_MS = 100
# A backlog of replays comes in as fast as it is read: in batches of 500 each would hold up the loop for 12 ms.
_REPLAYS_BATCH_MAX = 25
_LINGER_MS = 5  # attempts are nobody's wait: a little batching spares the broker a request for each


async def run_dispatcher(settings: Settings, lifetime: Lifetime) -> None:
    """Dispatch until the lifetime ends; then finish what is in flight, and commit."""
    if not settings.master_keys:
        raise ConfigError("HOOKLINE_MASTER_KEYS is empty; a dispatcher needs the keys that seal signing secrets")
    async with AsyncExitStack() as stack:
        parts = await _opened(stack, settings, lifetime)
        ends = EndOffsets(settings.bootstrap_servers)
        stack.push_async_callback(ends.close)
        stack.push_async_callback(parts.tasks.cancel)  # after the readers have drained, before the writer goes
        worker, forwarder = build_worker(parts), build_forwarder(parts)
        lanes, tiers = _readers(parts, worker, forwarder, on_fatal=lifetime.fail)
        ready = readiness(parts, lanes, tiers, worker=worker, forwarder=forwarder, ends=ends)
        health = build_health_app(parts.metrics, alive=[each.is_deaf for each in (*lanes, tiers)], ready=ready)
        await stack.enter_async_context(serving(health, host=settings.health_host, port=settings.health_port))
        if not await lifetime.lasts_until(parts.view.wait_ready()):
            return
        await _refuse_unfit_tiers(settings, parts.topics)
        await stack.enter_async_context(reading_all([tiers, *lanes]))
        parts.tasks.spawn(show_backlog_forever(tiers.lag, topics=parts.topics, metrics=parts.metrics))
        await lifetime.wait()


async def _opened(stack: AsyncExitStack, settings: Settings, lifetime: Lifetime) -> Parts:
    """What worker and forwarder share, open while the stack is."""
    metrics, catalogue = Metrics(CollectorRegistry()), load_catalogue()
    topics, codec = settings.topics(catalogue.domains), Codec(catalogue)
    view = open_view(settings, topics=topics, codec=codec, metrics=metrics, on_fatal=lifetime.fail)
    writer = open_writer(settings.bootstrap_servers, linger_ms=_LINGER_MS, on_fatal=lifetime.fail)
    return Parts(
        settings=settings,
        topics=topics,
        codec=codec,
        session=await stack.enter_async_context(session_of(settings, metrics)),
        view=await stack.enter_async_context(view),
        writer=await stack.enter_async_context(writer),
        clock=SystemClock(),
        metrics=metrics,
        tasks=Tasks(on_fatal=lifetime.fail),
    )


async def _refuse_unfit_tiers(settings: Settings, topics: Topics) -> None:
    """A tier's topic that forgets records before they are due would lose deliveries without a word."""
    admin = TopicAdmin(settings.bootstrap_servers, size=Size.PRODUCTION)
    try:
        unfit = await asyncio.to_thread(admin.unfit, topics.specifications())
    except NotYet as error:
        _log.warning("tiers.not_checked", extra={"error": str(error)})
        return
    if unfit:
        raise ConfigError(f"{unfit[0]}; `hookline topics apply` puts it right")


def _readers(
    parts: Parts, worker: Worker, forwarder: Forwarder, *, on_fatal: Callable[[BaseException], None]
) -> tuple[Sequence[KafkaReader], KafkaReader]:
    """A reader for each lane with their worker, and the tiers' with its forwarder, not yet started."""
    lanes = {
        config.topics[0]: KafkaReader(config, worker, metrics=parts.metrics, on_fatal=on_fatal)
        for config in _lanes(parts.settings, parts.topics)
    }
    tiers = KafkaReader(_tiers(parts.settings, parts.topics), forwarder, metrics=parts.metrics, on_fatal=on_fatal)
    worker.read_by(Readers(lanes))
    forwarder.read_by(tiers)
    for work in (
        worker.commit_forever(),
        worker.tick_forever(),
        forwarder.forward_forever(),
        forwarder.commit_forever(),
    ):
        parts.tasks.spawn(work)
    return tuple(lanes.values()), tiers


def _lanes(settings: Settings, topics: Topics) -> Sequence[ReaderConfig]:
    """A group for each lane: in one group a process might get partitions of one lane only (see `Readers`)."""
    return (
        _lane(settings, topics.deliveries, settings.group("dispatchers")),
        _lane(settings, topics.redeliveries, settings.group("dispatchers.second")),
        replace(_lane(settings, topics.replays, settings.group("dispatchers.replays")), batch_max=_REPLAYS_BATCH_MAX),
    )


def _lane(settings: Settings, topic: str, group: str) -> ReaderConfig:
    return ReaderConfig(
        bootstrap_servers=settings.bootstrap_servers,
        group=group,
        topics=(topic,),
        instance_id=settings.instance_id,
        session_timeout_s=settings.session_timeout_s,
        drain_s=settings.drain_s,
        rewind_ms=2 * settings.session_timeout_s * 1_000,  # repeats are known two session timeouts back
    )


def _tiers(settings: Settings, topics: Topics) -> ReaderConfig:
    return ReaderConfig(
        bootstrap_servers=settings.bootstrap_servers,
        group=settings.group("forwarders"),
        topics=(topics.waiting_pattern(),),
        instance_id=settings.instance_id,
        session_timeout_s=settings.session_timeout_s,
        drain_s=settings.drain_s,
        gather_ms=max(1, min(_GATHER_MS, min(settings.retry_tiers + settings.postponed_tiers) // 4)),
    )
