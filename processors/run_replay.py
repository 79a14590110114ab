"""The replay role, put together."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from hookline.core.rendering import Renderer
from hookline.processors.barrier import Barrier
from hookline.processors.job_keeping import keep_jobs
from hookline.processors.job_run import Ground
from hookline.processors.job_steps import Rendering
from hookline.processors.job_work import JobWork
from hookline.processors.replay import Replays
from hookline.processors.settling import Settling
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import Clock, SystemClock
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.event_log import EventLog
from hookline.runtime.health import build_health_app, serving
from hookline.runtime.history_reach import HistoryReach
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_reader import KafkaReader, reading
from hookline.runtime.kafka_writer import KafkaWriter, open_writer
from hookline.runtime.kept import open_kept
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.metrics import Metrics
from hookline.runtime.pulse import Pulse, Watch
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View, open_view
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec
from hookline.schemas.topics import Topics

_LINGER_MS = 1  # what goes together goes in one batch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What all parts of the role are made with."""

    settings: Settings
    catalogue: Catalogue
    topics: Topics
    codec: Codec
    metrics: Metrics
    clock: Clock


async def run_replay(settings: Settings, lifetime: Lifetime) -> None:
    """Carry out jobs, whenever no other process does, until the lifetime ends; then leave them to the next one at once."""
    catalogue = load_catalogue()
    shared = _Shared(
        settings=settings,
        catalogue=catalogue,
        topics=settings.topics(catalogue.domains),
        codec=Codec(catalogue),
        metrics=Metrics(CollectorRegistry()),
        clock=SystemClock(),
    )
    async with AsyncExitStack() as stack:
        tasks = Tasks(on_fatal=lifetime.fail)
        view = await stack.enter_async_context(_view(shared, lifetime))
        writer = await stack.enter_async_context(
            open_writer(settings.bootstrap_servers, linger_ms=_LINGER_MS, on_fatal=lifetime.fail)
        )
        work, ends = await _work(shared, view, stack)
        stack.push_async_callback(tasks.cancel)
        replays = _replays(shared, view, writer, work, ends)
        reader = KafkaReader(_jobs_reader(shared), replays, metrics=shared.metrics, on_fatal=lifetime.fail)
        replays.read_by(reader)
        pulse = Pulse(ends, topic=shared.topics.jobs, clock=shared.clock)
        watch = Watch(pulse, lambda: _unfinished(replays), clock=shared.clock)
        ready = [lambda: _loaded(view), reader.complaint, pulse.complaint, watch.complaint]
        health = build_health_app(shared.metrics, alive=[reader.is_deaf], ready=ready)
        tasks.spawn(pulse.beat_forever())
        await stack.enter_async_context(serving(health, host=settings.health_host, port=settings.health_port))
        if not await lifetime.lasts_until(view.wait_ready()):
            return
        kept = keep_jobs(
            view,
            writer,
            shared.topics.jobs,
            is_member=replays.is_member,
            clock=shared.clock,
            sent_for_ms=settings.delivery_age_max_s * 1_000,
        )
        for each in (replays.run(), replays.show_forever(), kept, watch.look_forever()):
            tasks.spawn(each)
        await stack.enter_async_context(reading(reader))
        await lifetime.wait()


def _view(shared: _Shared, lifetime: Lifetime) -> AbstractAsyncContextManager[View]:
    return open_view(
        shared.settings, topics=shared.topics, codec=shared.codec, metrics=shared.metrics, on_fatal=lifetime.fail
    )


def _jobs_reader(shared: _Shared) -> ReaderConfig:
    """Without a stable name: a process that stops leaves the group, and the next one has the jobs at once."""
    return ReaderConfig(
        bootstrap_servers=shared.settings.bootstrap_servers,
        group=shared.settings.group("replays"),
        topics=[shared.topics.jobs],
        session_timeout_s=shared.settings.session_timeout_s,
        drain_s=shared.settings.drain_s,
    )


async def _work(shared: _Shared, view: View, stack: AsyncExitStack) -> tuple[JobWork, EndOffsets]:
    from hookline.runtime.history import open_history  # SQLAlchemy takes 0.8 s of CPU

    settings, topics = shared.settings, shared.topics
    store = await stack.enter_async_context(open_history(settings))
    kept = await stack.enter_async_context(open_kept(settings.bootstrap_servers, topics=topics, codec=shared.codec))
    groups = [
        EndOffsets(settings.bootstrap_servers, group=settings.group(each))
        for each in ("fanout", "dispatchers", "dispatchers.replays")
    ]
    for each in groups:
        stack.push_async_callback(each.close)
    fanout, dispatchers, sent = groups
    reach = HistoryReach(ends=dispatchers, store=store, topic=topics.attempts)
    settling = Settling(fanout=fanout, dispatchers=dispatchers, replays=sent, reach=reach, topics=topics)
    rendering = Rendering(
        codec=shared.codec,
        renderer=Renderer(shared.catalogue),
        topics=topics,
        clock=shared.clock,
        config_offset=lambda: view.applied,
        body_bytes_max=settings.body_bytes_max,
    )
    work = JobWork(
        log=EventLog(settings.bootstrap_servers),
        history=store.recovery(),
        is_cancelled=view.is_cancelled,
        kept=kept,
        settling=settling,
        committed=sent,
        rendering=rendering,
        metrics=shared.metrics,
    )
    return work, sent


def _replays(shared: _Shared, view: View, writer: KafkaWriter, work: JobWork, ends: EndOffsets) -> Replays:
    barriers = [Barrier(ends=ends, view=view, topic=each) for each in (shared.topics.jobs, shared.topics.subscriptions)]

    async def passed() -> None:
        for each in barriers:
            await each.passed()

    def ground(is_member: Callable[[], bool]) -> Ground:
        return Ground(
            topics=shared.topics,
            codec=shared.codec,
            writer=writer,
            view=view,
            work=work,
            is_member=is_member,
            passed=passed,
            metrics=shared.metrics,
            clock=shared.clock,
        )

    return Replays(view=view, ground=ground, drain_s=shared.settings.drain_s)


def _loaded(view: View) -> str | None:
    return None if view.ready else "the live view has not been read to its end yet"


async def _unfinished(replays: Replays) -> Mapping[str, Hashable]:
    """Jobs that have something to do, and how far each is; not those that wait for somebody."""
    return {f"job {run.job.job_id}": run.job for run in replays.running() if run.awaits is None}
