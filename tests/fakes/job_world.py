"""A job's surroundings in memory, for tests that end it at any moment: a log of events, a topic of jobs, and all that was sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry

from fakes.fanout import CODEC
from hookline.core.jobs import Asked
from hookline.core.rendering import Renderer
from hookline.processors.job_run import Ground, JobRun
from hookline.processors.job_steps import Rendering
from hookline.processors.job_work import JobWork
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import Clock, SystemClock
from hookline.runtime.event_log import Picked, Stretch
from hookline.runtime.history_reach import Recorded
from hookline.runtime.log import KafkaRecord, TopicPartition, Written
from hookline.runtime.metrics import Metrics
from hookline.runtime.recovery_rows import States
from hookline.schemas.errors import ContractError, NotYet, TooLarge
from hookline.schemas.records import (
    Account,
    Delivery,
    Disabling,
    EndpointHealth,
    Event,
    Job,
    JobPosition,
    JobWish,
    Subscription,
)
from hookline.schemas.topics import Topics

T = TypeVar("T")
TOPICS = Topics("j.")
_CATALOGUE = load_catalogue()


@dataclass(slots=True)
class ListedLog:
    """Events in partitions, read a few at a time, side by side and in an order that is drawn."""

    partitions: Sequence[Sequence[Event]]
    random: Random
    lost: int = 0  # before each stretch, of whomever
    cut_short: frozenset[str] = frozenset()  # events whose records are

    async def bounds(self, topics: Sequence[str], *, since_ms: int, until_ms: int) -> Sequence[JobPosition]:
        (topic,) = topics
        return [
            JobPosition(topic=topic, partition=number, start=0, position=0, end=len(events))
            for number, events in enumerate(self.partitions)
        ]

    def value(self, partition: int, offset: int) -> bytes:
        """The bytes of a record."""
        lying = self.partitions[partition][offset]
        value = CODEC.encode_event(lying)
        return value[:-1] if lying.event_id in self.cut_short else value

    @asynccontextmanager
    async def reading(
        self, positions: Sequence[JobPosition], pick: Callable[[KafkaRecord], T | None]
    ) -> AsyncIterator["ListedReading[T]"]:
        yield ListedReading(self, {each.partition: each for each in positions}, pick)


class ListedReading(Generic[T]):
    """Reads a `ListedLog`."""

    def __init__(self, log: ListedLog, places: dict[int, JobPosition], pick: Callable[[KafkaRecord], T | None]) -> None:
        self._log = log
        self._left = {number: each for number, each in places.items() if each.position < each.end}
        self._pick = pick

    @property
    def is_done(self) -> bool:
        return not self._left

    async def next(self) -> Sequence[Stretch[T]]:
        await asyncio.sleep(0)
        count = self._log.random.randint(1, len(self._left))
        return [self._stretch(number) for number in self._log.random.sample(sorted(self._left), count)]

    def _stretch(self, number: int) -> Stretch[T]:
        place = self._left[number]
        end = min(place.end, place.position + self._log.random.randint(1, 12))
        picked, unreadable = list[Picked[T]](), 0
        for offset in range(place.position, end):
            value = self._log.value(number, offset)
            try:
                found = self._pick(KafkaRecord(place.topic, number, offset, 1_000, None, value))
            except ContractError:
                unreadable += 1
                continue
            if found is not None:
                picked.append(Picked(offset - place.position + 1, offset, found))
        self._left[number] = replace(place, position=end)
        if end == place.end:
            del self._left[number]
        return Stretch(
            partition=TopicPartition(place.topic, number),
            position=end,
            picked=picked,
            looked_at=end - place.position,
            unreadable=unreadable,
            lost=self._log.lost,
        )


@dataclass(slots=True)
class JobWorld:
    """What outlives every process: what the broker has acknowledged. `fails` is drawn for each write."""

    job: Job
    subscription: Subscription
    log: ListedLog
    random: Random
    fails: float = 0.0
    states: States | None = None
    recorded: Recorded | None = None  # else history has everything
    settled: Callable[[], Awaitable[None]] | None = None  # else nothing is on its way
    cancelled: frozenset[str] = frozenset()  # other jobs that were
    wish: JobWish | None = None
    health: EndpointHealth | None = None
    marker: Account | None = None  # its account was erased
    is_gone: bool = False
    is_member: bool = True
    clock: Clock | None = None  # else one by which progress is saved after every step
    too_large: frozenset[str] = frozenset()  # events whose deliveries no topic takes
    sent: list[Delivery] = field(default_factory=list)
    saved: list[Job] = field(default_factory=list)

    # -- the live view ------------------------------------------------------------------------------------------------

    def job_now(self) -> Job:
        return self.saved[-1] if self.saved else self.job

    def run(self) -> JobRun:
        """A process begins to carry the job out, from what is on record."""
        clock = SystemClock()
        rendering = Rendering(
            codec=CODEC,
            renderer=Renderer(_CATALOGUE),
            topics=TOPICS,
            clock=clock,
            config_offset=lambda: 1,
            body_bytes_max=256 * 1024,
        )
        metrics = Metrics(CollectorRegistry())
        work = JobWork(
            log=self.log,
            history=self.states,  # type: ignore[arg-type]  # a job that sends everything asks for nothing
            is_cancelled=lambda job_id: job_id in self.cancelled,
            kept=None,  # type: ignore[arg-type]
            settling=_Settled(self.settled or _nothing, self.recorded or _nothing),
            committed=_KeepingUp(),
            rendering=rendering,
            metrics=metrics,
        )
        ground = Ground(
            topics=TOPICS,
            codec=CODEC,
            writer=_Writer(self),
            view=_View(self),
            work=work,
            is_member=lambda: self.is_member,
            passed=_nothing,
            metrics=metrics,
            clock=self.clock or _Hasty(),
        )
        return JobRun(self.job_now(), ground)


class _Hasty:
    """A clock on which a second passes with every look, so that progress is saved after every step."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_ms(self) -> int:
        return 1_000

    def monotonic_s(self) -> float:
        self._now_s += 1.0
        return self._now_s


class _KeepingUp:
    async def backlog(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return dict.fromkeys(partitions, (1000000, 1000000))


class _View:
    def __init__(self, world: JobWorld) -> None:
        self._world = world

    def job(self, _job_id: str) -> Asked:
        return Asked(self._world.job_now(), self._world.wish)

    def subscription(self, _subscription_id: str) -> Subscription | None:
        return None if self._world.is_gone else self._world.subscription

    def disabling(self, _subscription_id: str) -> Disabling | None:
        return None

    def marker(self, _account_id: str) -> Account | None:
        return self._world.marker

    def health(self, _subscription_id: str) -> EndpointHealth | None:
        return self._world.health

    async def wait_applied(self, _topic: str, _offset: int, *, timeout_s: float) -> None:
        await asyncio.sleep(0)


class _Writer:
    """Answers after some turns of the loop; a write that fails may have been taken all the same, as on a broker."""

    def __init__(self, world: JobWorld) -> None:
        self._world = world

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> "asyncio.Future[Written]":
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        world = self._world
        if topic == TOPICS.replays and CODEC.decode(value, Delivery).event_id in world.too_large:
            future.set_exception(TooLarge("the topic's limit was lowered"))
            return future
        fails, is_taken = world.random.random() < world.fails, world.random.random() < 0.5
        if not fails or is_taken:
            self._take(topic, value)
        self._answer(future, topic, world.random.randint(0, 5), fails=fails)
        return future

    def _take(self, topic: str, value: bytes | None) -> None:
        if topic == TOPICS.jobs:
            self._world.saved.append(CODEC.decode(value, Job))
        else:
            self._world.sent.append(CODEC.decode(value, Delivery))

    def _answer(self, future: "asyncio.Future[Written]", topic: str, turns: int, *, fails: bool) -> None:
        if future.done():
            return
        if turns:
            asyncio.get_running_loop().call_soon(lambda: self._answer(future, topic, turns - 1, fails=fails))
        elif fails:
            future.set_exception(NotYet("the broker did not say yes"))
        else:
            future.set_result(Written(topic, 0, len(self._world.sent), 0))


async def _nothing() -> None:
    await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class _Settled:
    """Waits for what the world waits for."""

    waits: Callable[[], Awaitable[None]]
    recorded: Recorded

    async def settled(
        self, _subscription_id: str, _positions: Sequence[JobPosition], _lanes: dict[TopicPartition, int]
    ) -> None:
        await self.waits()

    async def recording(self, _subscription_id: str) -> Recorded:
        return self.recorded
