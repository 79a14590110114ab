"""The dispatcher's parts put together, for the role and for tests."""

from dataclasses import dataclass

from aiohttp import ClientSession

from hookline.dispatchers.deliverer import Deliverer
from hookline.dispatchers.forwarder import Forwarder
from hookline.dispatchers.health import HealthBook
from hookline.dispatchers.recorder import Recorder
from hookline.dispatchers.sender import Sender
from hookline.dispatchers.worker import Worker
from hookline.runtime.clock import Clock
from hookline.runtime.log import Writer
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.topics import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the worker and the forwarder share."""

    settings: Settings
    topics: Topics
    codec: Codec
    view: View
    session: ClientSession
    writer: Writer
    clock: Clock
    metrics: Metrics
    tasks: Tasks

    def recorder(self) -> Recorder:
        return Recorder(
            writer=self.writer, codec=self.codec, topics=self.topics, clock=self.clock, metrics=self.metrics
        )


def build_worker(parts: Parts) -> Worker:
    """A worker that is not yet read by a reader; its `commit_forever` and `tick_forever` are the caller's to run."""
    recorder, health = parts.recorder(), _health(parts)
    deliverer = Deliverer(
        settings=parts.settings,
        topics=parts.topics,
        view=parts.view,
        sender=Sender(
            session=parts.session,
            master_keys=parts.settings.master_keys,
            asymmetric_keys=parts.settings.asymmetric_keys,
            origin=parts.settings.origin,
            clock=parts.clock,
        ),
        recorder=recorder,
        health=health,
        clock=parts.clock,
    )
    return Worker(
        settings=parts.settings,
        topics=parts.topics,
        codec=parts.codec,
        view=parts.view,
        deliverer=deliverer,
        recorder=recorder,
        health=health,
        clock=parts.clock,
        metrics=parts.metrics,
        tasks=parts.tasks,
    )


def build_forwarder(parts: Parts) -> Forwarder:
    """A forwarder that is not yet read by a reader; its `forward_forever` and `commit_forever` are the caller's to run."""
    return Forwarder(
        settings=parts.settings,
        topics=parts.topics,
        codec=parts.codec,
        writer=parts.writer,
        recorder=parts.recorder(),
        clock=parts.clock,
        metrics=parts.metrics,
        tasks=parts.tasks,
    )


def _health(parts: Parts) -> HealthBook:
    return HealthBook(
        settings=parts.settings,
        topics=parts.topics,
        codec=parts.codec,
        view=parts.view,
        writer=parts.writer,
        clock=parts.clock,
        metrics=parts.metrics,
        tasks=parts.tasks,
    )
