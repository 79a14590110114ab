"""A road that never stands still, and of which one part is behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from fakes.fanout import CODEC, TOPICS
from hookline.core.rendering import Renderer
from hookline.processors.job_steps import Rendering
from hookline.processors.job_work import JobWork
from hookline.processors.settling import Settling
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.history_reach import HistoryReach
from hookline.runtime.log import TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.schemas.records import JobPosition


@dataclass(slots=True)
class Lagging:
    """A road where a hundred records a second come, and one part of it is so far behind."""

    behind: str
    lag_s: float = 0.4
    bounds_asked: int = 0
    clock: SystemClock = field(default_factory=SystemClock)

    def end(self) -> int:
        return 1_000_000 + int(self.clock.monotonic_s() * 100)

    def reached(self, part: str) -> int:
        return self.end() - (int(self.lag_s * 100) if part == self.behind else 0)

    async def bounds(self, topics: Sequence[str], *, since_ms: int, until_ms: int) -> Sequence[JobPosition]:
        self.bounds_asked += 1
        return [JobPosition(topic=each, partition=0, start=0, position=0, end=self.end()) for each in topics]

    async def offsets(self, _topic: str) -> Mapping[int, int]:
        return {0: self.reached("history")}

    def work(self) -> JobWork:
        groups = (LaggingGroup(self, part) for part in ("fan-out", "dispatchers", "replays"))
        fanout, dispatchers, replays = groups
        reach = HistoryReach(ends=dispatchers, store=self, topic=TOPICS.attempts)
        settling = Settling(fanout=fanout, dispatchers=dispatchers, replays=replays, reach=reach, topics=TOPICS)
        return JobWork(
            log=self,  # type: ignore[arg-type]  # nothing is read of it
            history=None,  # type: ignore[arg-type]
            is_cancelled=lambda _: False,
            kept=None,  # type: ignore[arg-type]
            settling=settling,
            committed=fanout,
            rendering=Rendering(
                codec=CODEC,
                renderer=Renderer(load_catalogue()),
                topics=TOPICS,
                clock=self.clock,
                config_offset=lambda: 1,
                body_bytes_max=1,
            ),
            metrics=Metrics(CollectorRegistry()),
        )


@dataclass(slots=True)
class LaggingGroup:
    """One group of it."""

    road: Lagging
    part: str

    async def backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        return dict.fromkeys(partitions, (self.road.reached(self.part), self.road.end()))

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, self.road.end())

    async def bounds(self, _topic: str, partitions: Sequence[int] = ()) -> Mapping[int, tuple[int, int]]:
        return dict.fromkeys(partitions, (0, self.road.end()))

    async def partition(self, topic: str, _key: bytes) -> TopicPartition:
        return TopicPartition(topic, 0)
