"""The API role, put together: this is the only place that knows every concrete part."""

import logging
from collections.abc import Callable, Hashable, Mapping
from contextlib import AsyncExitStack
from functools import partial

from prometheus_client import CollectorRegistry

from hookline.api.app import build_app
from hookline.api.asking import Asking
from hookline.api.configuration import KAFKA_ANSWER_S
from hookline.api.ports import Directory, Parts
from hookline.api.server import listening
from hookline.core.rendering import Renderer
from hookline.runtime import draw
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.dead_letters import open_dead_letters
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.health import build_health_app, serving
from hookline.runtime.history import open_history
from hookline.runtime.history_reach import HistoryReach
from hookline.runtime.kafka_changes import open_changes
from hookline.runtime.kafka_writer import open_writer
from hookline.runtime.kept import open_kept
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.metrics import Metrics
from hookline.runtime.outbound_session import session_of
from hookline.runtime.pulse import Pulse, Watch
from hookline.runtime.replay_counting import open_counting
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import open_view
from hookline.schemas.codec import Codec

_log = logging.getLogger("hookline.api")
_WRITE_S = KAFKA_ANSWER_S - 1  # what was answered with 503 is not written behind the caller's back later


async def run_api(settings: Settings, lifetime: Lifetime, *, says: Callable[[int], None] | None = None) -> None:
    """Serve until the lifetime ends, then finish what is under way; `says` is told the port once it is open.

    Until the configuration has been read the API answers 503, and so does /readyz.
    """
    async with AsyncExitStack() as stack:
        ends = EndOffsets(settings.bootstrap_servers)
        stack.push_async_callback(ends.close)
        parts = await _opened(stack, settings, lifetime, ends)
        tasks = Tasks(on_fatal=lifetime.fail)
        stack.push_async_callback(tasks.cancel)
        view, clock = parts.view, parts.clock
        pulse = Pulse(ends, topic=parts.topics.subscriptions, clock=clock)
        watch = Watch(pulse, partial(_unapplied, view, pulse), clock=clock)
        ready = [lambda: None if view.ready else _NOT_READ, pulse.complaint, watch.complaint]
        health = build_health_app(parts.metrics, alive=[], ready=ready)
        tasks.spawn(pulse.beat_forever())
        tasks.spawn(watch.look_forever())
        await stack.enter_async_context(serving(health, host=settings.health_host, port=settings.health_port))
        served = listening(build_app(parts), host=settings.api_host, port=settings.api_port)
        port = await stack.enter_async_context(served)
        _log.info("api.listening", extra={"host": settings.api_host, "port": port})
        if says is not None:
            says(port)
        await lifetime.wait()


async def _opened(stack: AsyncExitStack, settings: Settings, lifetime: Lifetime, ends: EndOffsets) -> Parts:
    """What the handlers work with, open while the stack is."""
    metrics, catalogue = Metrics(CollectorRegistry()), load_catalogue()
    codec, topics, bootstrap = Codec(catalogue), settings.topics(), settings.bootstrap_servers
    history = await stack.enter_async_context(open_history(settings))
    following = open_view(settings, topics=topics, codec=codec, metrics=metrics, on_fatal=lifetime.fail)
    view = await stack.enter_async_context(following)
    changing = open_changes(bootstrap, topics=topics, view=view, metrics=metrics, answer_s=KAFKA_ANSWER_S)
    writing = open_writer(bootstrap, on_fatal=lifetime.fail, answer_s=_WRITE_S)
    outbound = await stack.enter_async_context(session_of(settings, metrics))
    states = history.recovery()
    counted = open_counting(settings, is_cancelled=view.is_cancelled, topics=topics, codec=codec, states=states)
    counting = await stack.enter_async_context(counted)
    return Parts(
        view=view,
        changes=await stack.enter_async_context(changing),
        writer=await stack.enter_async_context(writing),
        endpoints=Asking(outbound, origin=settings.origin),
        history=history,
        states=states,
        reach=HistoryReach(ends=ends, store=history, topic=topics.attempts),
        letters=await stack.enter_async_context(open_dead_letters(bootstrap, topics=topics, codec=codec)),
        kept=await stack.enter_async_context(open_kept(bootstrap, topics=topics, codec=codec)),
        counting=counting,
        codec=codec,
        catalogue=catalogue,
        renderer=Renderer(catalogue),
        topics=topics,
        settings=settings,
        clock=SystemClock(),
        draw=draw,
        metrics=metrics,
    )


async def _unapplied(view: Directory, pulse: Pulse) -> Mapping[str, Hashable]:
    return {"live view": view.applied} if view.applied < pulse.end else {}


_NOT_READ = "the live view has not been read to its end yet"
