"""The fan-out's surroundings, in the test's own hands: a writer that answers when told, a configuration that is where told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from fakes.configuration import ACCOUNT, subscription
from hookline.core.fanout import Source
from hookline.core.matching import SubscriptionIndex
from hookline.core.rendering import Renderer
from hookline.processors.barrier import Barrier
from hookline.processors.composer import Composer
from hookline.processors.pipeline import Pipeline
from hookline.processors.writes import Writes
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import Written
from hookline.runtime.metrics import Metrics
from hookline.schemas.codec import Codec, sample_event
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Event, Subscription
from hookline.schemas.topics import Topics

CATALOGUE = load_catalogue()
CODEC = Codec(CATALOGUE)
TOPICS = Topics("u.")
ORDERS = TOPICS.events("order.created")


@dataclass(slots=True)
class Asked:
    """One write that waits for the test's answer."""

    topic: str
    key: bytes | None
    value: bytes
    future: "asyncio.Future[Written]"

    def acknowledge(self) -> None:
        self.future.set_result(Written(self.topic, 0, 0, 0))

    def refuse(self, error: Exception) -> None:
        self.future.set_exception(error)


@dataclass(slots=True)
class HeldWriter:
    """A `Writer` whose every answer is the test's."""

    asked: list[Asked] = field(default_factory=list)

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> "asyncio.Future[Written]":
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self.asked.append(Asked(topic, key, value or b"", future))
        return future

    def pending(self) -> Sequence[Asked]:
        return [each for each in self.asked if not each.future.done()]


@dataclass(slots=True)
class Configuration:
    """A live view and the end of its topic; `applied` may be held behind `end`."""

    end: int = 0
    applied: int = 0
    is_away: bool = False
    asked: int = 0
    _index: SubscriptionIndex = field(default_factory=SubscriptionIndex)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, added: Subscription, *, applied: bool = True) -> None:
        self.end += 1
        if applied:
            self.apply(added)

    def apply(self, added: Subscription) -> None:
        self._index.put(added)
        self.applied = self.end
        self._moved.set()

    def matching(self, account_id: str, event_type: str) -> Sequence[Subscription]:
        return self._index.matching(account_id, event_type)

    async def of(self, _topic: str) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise NotYet("the broker is away")
        return self.end

    async def wait_applied(self, _topic: str, offset: int, *, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while self.applied <= offset:
                self._moved.clear()
                await self._moved.wait()


@dataclass(slots=True)
class Bench:
    """A pipeline with everything around it."""

    writer: HeldWriter
    configuration: Configuration
    metrics: Metrics
    composer: Composer
    writes: Writes
    pipeline: Pipeline


def bench(
    *, outstanding_max: int = 1_000, body_bytes_max: int = 256 * 1024, configuration: Configuration | None = None
) -> Bench:
    """A pipeline at rest; the test starts `pipeline.run()`."""
    metrics, writer = Metrics(CollectorRegistry()), HeldWriter()
    configuration = configuration or Configuration()
    clock = SystemClock()
    composer = Composer(
        topics=TOPICS,
        codec=CODEC,
        renderer=Renderer(CATALOGUE),
        view=configuration,
        metrics=metrics,
        clock=clock,
        body_bytes_max=body_bytes_max,
    )
    writes = Writes(writer, outstanding_max=outstanding_max, metrics=metrics, again_s=0.001)
    barrier = Barrier(ends=configuration, view=configuration, topic=TOPICS.subscriptions)
    pipeline = Pipeline(barrier=barrier, composer=composer, writes=writes, metrics=metrics, clock=clock)
    return Bench(writer, configuration, metrics, composer, writes, pipeline)


def event(number: int, *, account_id: str = ACCOUNT) -> Event:
    """A sample event of its own id."""
    return sample_event(
        CATALOGUE,
        "order.created",
        event_id=f"evt_{number}",
        account_id=account_id,
        occurred_at=datetime(2023, 6, 20, 14, 15, 30, tzinfo=UTC),
    )


def source(offset: int, *, partition: int = 0, value: bytes | None = b"?") -> Source:
    """A source record: an event numbered by its offset, or the given bytes."""
    held = CODEC.encode_event(event(offset)) if value == b"?" else value
    return Source(ORDERS, partition, offset, 1_000, held)


def wants_orders(count: int = 1) -> Sequence[Subscription]:
    """Subscriptions of the test account to `order.created`."""
    return [subscription("https://example.com/", "order.created") for _ in range(count)]


async def until(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.001)


async def turns(count: int = 50) -> None:
    """Let the loop run that often, to see that something does not happen: a record that comes alone is written in 5 turns."""
    for _ in range(count):
        await asyncio.sleep(0)
