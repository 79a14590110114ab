"""A replay begins only when fan-out, dispatchers and history have what lay before them, and looks only while history has it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from hookline.processors.settling import Settling
from hookline.runtime.history_reach import HistoryReach
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import NotYet
from hookline.schemas.records import JobPosition
from hookline.schemas.topics import Topics

TOPICS = Topics("s.")
ORDERS = TOPICS.events("order.created")
POSITIONS = [
    JobPosition(topic=ORDERS, partition=number, start=0, position=0, end=end) for number, end in enumerate((10, 0, 7))
]


@dataclass(slots=True)
class Group:
    """A group on a broker: what it has committed, and where topics end."""

    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    end: dict[str, int] = field(default_factory=dict)

    async def backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        await asyncio.sleep(0)
        return {each: (self.committed.get((each.topic, each.partition), 0), 0) for each in partitions}

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {each: self.end.get(each.topic, 0) for each in partitions}

    async def partition(self, topic: str, key: bytes) -> TopicPartition:
        assert key == b"wh_1"
        return TopicPartition(topic, 3)


@dataclass(slots=True)
class Road:
    """Everything before a replay."""

    fanout: Group = field(default_factory=Group)
    dispatchers: Group = field(default_factory=Group)
    replays: Group = field(default_factory=Group)
    attempts: tuple[int, int] = (0, 9)  # where they begin and end
    stored: dict[int, int] = field(default_factory=dict)

    async def bounds(self, topic: str, partitions: Sequence[int] = ()) -> Mapping[int, tuple[int, int]]:
        assert (topic, *partitions) == (TOPICS.attempts, 3)
        return {3: self.attempts}

    async def offsets(self, topic: str) -> Mapping[int, int]:
        assert topic == TOPICS.attempts
        return self.stored

    def settling(self, *, say_every_s: float = 30.0) -> Settling:
        return Settling(
            fanout=self.fanout,
            dispatchers=self.dispatchers,
            replays=self.replays,
            reach=HistoryReach(ends=self, store=self, topic=TOPICS.attempts),
            topics=TOPICS,
            say_every_s=say_every_s,
        )


def at_rest() -> Road:
    road = Road()
    road.fanout.committed = {(ORDERS, 0): 10, (ORDERS, 2): 7}
    road.dispatchers.end = {TOPICS.deliveries: 5}
    road.dispatchers.committed = {(TOPICS.deliveries, 3): 5}
    road.replays.end = {TOPICS.replays: 4}
    road.replays.committed = {(TOPICS.replays, 3): 4}
    road.stored = {3: 9}
    return road


async def test_what_is_at_rest_is_not_waited_for() -> None:
    settling = at_rest().settling()
    async with asyncio.timeout(5):
        await settling.settled("wh_1", POSITIONS, {})
        await (await settling.recording("wh_1"))()


@pytest.mark.parametrize("behind", ["fan-out", "dispatchers", "replays"])
async def test_whoever_is_behind_is_waited_for_and_said_so(behind: str, caplog: pytest.LogCaptureFixture) -> None:
    road = at_rest()
    places: dict[str, tuple[dict[tuple[str, int], int], tuple[str, int]]] = {
        "fan-out": (road.fanout.committed, (ORDERS, 2)),
        "dispatchers": (road.dispatchers.committed, (TOPICS.deliveries, 3)),
        "replays": (road.replays.committed, (TOPICS.replays, 3)),
    }
    committed, place = places[behind]
    committed[place] -= 1
    waiting = asyncio.ensure_future(road.settling(say_every_s=0.05).settled("wh_1", POSITIONS, {}))
    async with asyncio.timeout(5):
        while not (said := [each for each in caplog.records if each.message == "job.not_settled"]):
            await asyncio.sleep(0.01)
    assert said[0].__dict__["awaits"] == [f"{place[0]}[{place[1]}]"]
    assert not waiting.done()
    committed[place] += 1
    await asyncio.wait_for(waiting, 5)


async def test_history_must_have_what_was_on_record_at_the_beginning_whenever_it_is_asked() -> None:
    road = at_rest()
    recorded = await road.settling().recording("wh_1")
    road.attempts = (0, 20)  # what came later is of no interest
    await recorded()
    for emptied in ({}, {3: 8}, {2: 9}):
        road.stored = emptied
        with pytest.raises(NotYet, match=r"offset 9 of s\.webhooks\.attempts\[3\]"):
            await recorded()
    road.stored = {3: 9}
    await recorded()


@pytest.mark.parametrize("stored", [{}, {3: 4}], ids=["a new store", "a store that was behind"])
async def test_attempts_that_have_all_aged_out_are_not_waited_for(stored: Mapping[int, int]) -> None:
    road = at_rest()
    road.stored = dict(stored)
    recorded = await road.settling().recording("wh_1")
    road.attempts = (8, 9)  # one is there still
    with pytest.raises(NotYet, match=r"offset 9 of s\.webhooks\.attempts\[3\]"):
        await recorded()
    road.attempts = (9, 9)
    await recorded()
