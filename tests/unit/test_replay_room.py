from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fakes.clock import SetClock
from hookline.processors.replay_room import Room
from hookline.runtime.log import TopicPartition, Written
from hookline.schemas.errors import NotYet


@dataclass(slots=True)
class Group:
    """What dispatchers have committed; away while it is None."""

    committed: int | None = 0
    asked: int = 0

    async def backlog(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        self.asked += 1
        if self.committed is None:
            raise NotYet("the broker is away")
        return dict.fromkeys(partitions, (self.committed, 1000000))


def written(offset: int, *, partition: int = 3) -> Written:
    return Written("replays", partition, offset, 0)


async def test_a_job_may_be_so_far_ahead_of_the_dispatchers_and_no_further() -> None:
    group, clock = Group(), SetClock()
    room = Room(group, clock=clock, ahead_max=100)
    assert await room.has_room(60)
    assert group.asked == 0
    room.wrote(written(59))
    assert await room.has_room(40)
    room.wrote(written(99))
    assert not await room.has_room(1)
    group.committed, clock.s = 50, clock.s + 1
    assert await room.has_room(50)
    assert (room.ahead, await room.has_room(51)) == (50, False)


async def test_a_topic_that_gets_more_partitions_does_not_hold_the_job_up() -> None:
    group, clock = Group(committed=90_000), SetClock()
    room = Room(group, clock=clock, ahead_max=100)
    room.wrote(written(90_050))
    assert await room.has_room(49)
    group.committed, clock.s = 10, clock.s + 1
    room.wrote(written(29, partition=7))
    assert (await room.has_room(80), room.ahead) == (True, 20)
    room.wrote(written(109, partition=7))
    assert not await room.has_room(1)


async def test_while_the_broker_does_not_say_the_job_waits() -> None:
    group = Group(committed=None)
    room = Room(group, clock=SetClock(), ahead_max=100)
    room.wrote(written(99))
    assert not await room.has_room(1)


async def test_dispatchers_are_not_asked_more_often_than_ten_times_a_second() -> None:
    group, clock = Group(), SetClock()
    room = Room(group, clock=clock, ahead_max=100)
    room.wrote(written(99))
    for _ in range(100):
        await room.has_room(1)
        clock.s += 0.01
    assert group.asked <= 11
