"""The history store is believed once it has all that was on record when it was asked, and as long as it has that."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from hookline.runtime.history_reach import HistoryReach
from hookline.schemas.errors import NotYet

TOPIC = "r.webhooks.attempts"


@dataclass(slots=True)
class World:
    """A topic and a store. `asked`: how often the store was."""

    partitions: dict[int, tuple[int, int]] = field(default_factory=lambda: {0: (0, 0), 1: (2, 5), 2: (7, 7)})
    stored: dict[int, int] = field(default_factory=lambda: {1: 5})
    asked: int = 0

    async def bounds(self, topic: str, partitions: Sequence[int] = ()) -> Mapping[int, tuple[int, int]]:
        assert topic == TOPIC
        return {each: self.partitions[each] for each in partitions or self.partitions}

    async def offsets(self, topic: str) -> Mapping[int, int]:
        assert topic == TOPIC
        self.asked += 1
        return self.stored

    def reach(self, *, wait_s: float) -> HistoryReach:
        return HistoryReach(ends=self, store=self, topic=TOPIC, wait_s=wait_s)


async def test_a_store_that_has_all_is_not_waited_for_nor_is_what_has_aged_out() -> None:
    async with asyncio.timeout(5):
        has_it_still = await World().reach(wait_s=60).caught_up()
        await has_it_still()


@pytest.mark.parametrize("stored", [{}, {1: 4}, {0: 9, 2: 9}], ids=["emptied", "behind", "other partitions"])
async def test_a_store_that_lacks_something_is_not_believed(stored: dict[int, int]) -> None:
    with pytest.raises(NotYet, match=r"offset 5 of r\.webhooks\.attempts\[1\]"):
        await World(stored=stored).reach(wait_s=0).caught_up()


async def test_a_store_that_is_a_moment_behind_is_waited_for() -> None:
    world = World(stored={1: 4})
    waiting = asyncio.ensure_future(world.reach(wait_s=60).caught_up())
    async with asyncio.timeout(5):
        while not world.asked:
            await asyncio.sleep(0)
        world.partitions[1] = (2, 90)  # what came later is of no interest
        world.stored = {1: 5}
        await waiting


async def test_a_store_that_was_emptied_meanwhile_is_not_waited_for() -> None:
    world = World()
    has_it_still = await world.reach(wait_s=60).caught_up()
    world.stored = {}
    async with asyncio.timeout(5):
        with pytest.raises(NotYet, match="offset 5"):
            await has_it_still()


async def test_what_ages_out_meanwhile_is_waited_for_no_more() -> None:
    world = World(stored={1: 4})
    waiting = asyncio.ensure_future(world.reach(wait_s=60).caught_up())
    async with asyncio.timeout(5):
        while not world.asked:
            await asyncio.sleep(0)
        world.partitions[1] = (5, 5)
        await (await waiting)()


async def test_of_one_partition_nothing_else_is_asked() -> None:
    world = World(stored={1: 4})
    await (await world.reach(wait_s=0).recording(2))()
    lacking = await world.reach(wait_s=0).recording(1)
    with pytest.raises(NotYet, match=r"offset 5 of r\.webhooks\.attempts\[1\]"):
        await lacking()
