"""What /readyz says of the broker and of work that does not move, by a clock that the test sets."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial

import pytest

from fakes.clock import SetClock
from hookline.runtime.log import TopicPartition
from hookline.runtime.pulse import Pulse, Watch, unread
from hookline.schemas.errors import NotYet


class Broker:
    """Answers, or does not."""

    def __init__(self) -> None:
        self.answers = True
        self.asked = 0
        self.end = 10

    async def of(self, topic: str) -> int:
        self.asked += 1
        if not self.answers:
            raise NotYet(f"{topic}: no answer")
        return self.end

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, await self.of("t"))


class Reading:
    """A reader that has come so far."""

    def __init__(self, position: int) -> None:
        self.position = position

    def positions(self) -> Mapping[TopicPartition, int]:
        return {TopicPartition("t", 0): self.position}


async def turns(broker: Broker, count: int = 3) -> None:
    wanted = broker.asked + count
    async with asyncio.timeout(10):
        while broker.asked < wanted:
            await asyncio.sleep(0.001)


class Running:
    """A pulse and a watch that look again and again; `step` lets time pass and waits for their next looks."""

    def __init__(self) -> None:
        self.clock, self.broker, self.reading = SetClock(), Broker(), Reading(4)
        self.pulse = Pulse(self.broker, topic="t", clock=self.clock, beat_every_s=0.001)
        work = partial(unread, self.reading, self.broker)
        self.watch = Watch(self.pulse, work, clock=self.clock, look_every_s=0.001, still_s=0.05)

    async def step(self, seconds: float) -> None:
        self.clock.s += seconds
        await turns(self.broker)

    async def steps(self, seconds: float) -> None:
        """Small ones: a watch that did not look for long says nothing."""
        for _ in range(round(seconds / 0.002)):
            await self.step(0.002)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    tasks = [asyncio.create_task(made.pulse.beat_forever()), asyncio.create_task(made.watch.look_forever())]
    await turns(made.broker)
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_a_broker_that_was_never_asked_is_complained_of() -> None:
    assert Pulse(Broker(), topic="t", clock=SetClock()).complaint() == "the broker has not been asked yet"


async def test_a_broker_is_complained_of_after_5_s_of_silence_until_it_answers(running: Running) -> None:
    running.broker.answers = False
    await running.step(4.9)
    assert running.pulse.complaint() is None
    await running.step(0.2)
    assert running.pulse.complaint() == "t: no answer (5 s ago it did)"
    running.broker.answers = True
    await running.step(0)
    assert running.pulse.complaint() is None


async def test_records_that_nobody_reads_are_complained_of_until_somebody_does(running: Running) -> None:
    await running.steps(0.1)
    assert (running.watch.complaint() or "").startswith("t[0]: nothing was done for 0 s")
    running.reading.position += 1
    await running.step(0.002)
    assert running.watch.complaint() is None


async def test_a_reader_at_the_end_has_nothing_to_do(running: Running) -> None:
    running.reading.position = running.broker.end
    await running.steps(0.1)
    assert running.watch.complaint() is None


async def test_time_without_a_broker_does_not_count(running: Running) -> None:
    await running.steps(0.1)
    running.broker.answers = False
    await running.step(6)
    running.broker.answers = True
    await running.step(0)
    assert running.watch.complaint() is None
