"""Jobs that take turns: a live view with its topic, and work that lasts until the test ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from prometheus_client import CollectorRegistry

from fakes.configuration import subscription
from fakes.fanout import CODEC, TOPICS
from fakes.replaying import job_for
from hookline.core.jobs import Asked, Jobs
from hookline.processors.job_run import Ground
from hookline.processors.job_steps import Step, Steps
from hookline.processors.job_work import Begun, JobWork
from hookline.processors.replay import Replays
from hookline.processors.settling import Goals
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import Commit, Position, TopicPartition, Written
from hookline.runtime.metrics import Metrics
from hookline.schemas.records import (
    Account,
    Disabling,
    EndpointHealth,
    Job,
    Subscription,
)

PARTITION = TopicPartition(TOPICS.jobs, 0)


@dataclass(slots=True)
class World:
    """The live view, the topic behind it, and work that lasts until the test ends it."""

    jobs_known: Jobs = field(default_factory=Jobs)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    healths: dict[str, EndpointHealth] = field(default_factory=dict)
    began: list[str] = field(default_factory=list)
    over: dict[str, asyncio.Event] = field(default_factory=dict)
    step_s: dict[str, float] = field(default_factory=dict)
    written: int = 0
    member: bool = True
    work: JobWork | None = None  # what jobs wait for before they begin; else nothing
    looked: list[str] = field(default_factory=list)  # jobs that had a step

    def ask(self, *jobs: Job) -> None:
        for each in jobs:
            self.over[each.job_id] = asyncio.Event()
            self.jobs_known.put(each)

    # -- the live view

    def open_jobs(self) -> Sequence[Asked]:
        return self.jobs_known.open_jobs()

    def job(self, job_id: str) -> Asked | None:
        return self.jobs_known.job(job_id)

    def subscription(self, subscription_id: str) -> Subscription | None:
        return self.subscriptions.get(subscription_id)

    def disabling(self, _subscription_id: str) -> Disabling | None:
        return None

    def marker(self, _account_id: str) -> Account | None:
        return None

    def health(self, subscription_id: str) -> EndpointHealth | None:
        return self.healths.get(subscription_id)

    async def wait_applied(self, _topic: str, _offset: int, *, timeout_s: float) -> None:
        await asyncio.sleep(0)

    # -- the writer

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> "asyncio.Future[Written]":
        self.written += 1
        self.jobs_known.put(CODEC.decode(value, Job))
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        future.set_result(Written(topic, 0, self.written, 0))
        return future

    # -- the work

    async def begun(self, job: Job, subscription: Subscription, goals: Goals) -> Begun:
        self.began.append(job.job_id)
        return Begun(job, self.recorded) if self.work is None else await self.work.begun(job, subscription, goals)

    async def recorded(self) -> None: ...

    async def steps(self, begun: Begun, _subscription: Subscription, *, size: Callable[[], int]) -> Steps:
        job = begun.job
        await begun.recorded()
        self.looked.append(job.job_id)
        while not self.over[job.job_id].is_set():
            await asyncio.sleep(self.step_s.get(job.job_id, 0.01))
            yield Step((), job)

    def room(self, _job: Job) -> None:
        return None

    # -- the reader

    def pause(self, partition: TopicPartition, *, resume_at: int) -> None: ...

    def resume(self, partition: TopicPartition) -> None: ...

    def commit(self, commits: Mapping[TopicPartition, Commit]) -> None: ...

    def is_member(self) -> bool:
        return self.member

    def ground(self, is_member: Callable[[], bool]) -> Ground:
        async def passed() -> None:
            await asyncio.sleep(0)

        return Ground(
            topics=TOPICS,
            codec=CODEC,
            writer=self,
            view=self,
            work=self,
            is_member=is_member,
            passed=passed,
            metrics=Metrics(CollectorRegistry()),
            clock=SystemClock(),
        )


@asynccontextmanager
async def owning(world: World, *, running_max: int = 8, turn_s: float = 120) -> AsyncIterator[Replays]:
    """The role, which has the partition."""
    replays = Replays(view=world, ground=world.ground, drain_s=5, running_max=running_max, turn_s=turn_s)
    replays.read_by(world)
    task = asyncio.ensure_future(replays.run())
    replays.assigned([Position(PARTITION, 0, None, "")])
    try:
        yield replays
    finally:
        replays.lost([PARTITION])
        task.cancel()


def jobs(world: World, count: int, *, account_id: str = "acct_test", first: int = 0) -> list[Job]:
    """Jobs of a subscription each, in order of creation."""
    made = []
    for number in range(count):
        to = replace(subscription("https://example.com/", account_id=account_id), created_at_ms=0)
        world.subscriptions[to.subscription_id] = to
        made.append(job_for(to, created_at_ms=first + number))
    return made


def ids(of: Sequence[Job]) -> list[str]:
    return [each.job_id for each in of]
