"""When a position is believed, and when it belongs to a topic that is no more."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from prometheus_client import CollectorRegistry

from hookline.processors.topic_watch import TopicWatch
from hookline.runtime.log import TopicPartition
from hookline.runtime.metrics import Metrics, reading
from hookline.schemas.errors import NotYet

ORDERS, USERS = "events.order", "events.user"
P0, P1, U0 = TopicPartition(ORDERS, 0), TopicPartition(ORDERS, 1), TopicPartition(USERS, 0)


class Broker:
    """Says which topics there are, as the test has it."""

    def __init__(self) -> None:
        self.ids: dict[str, str] | None = {ORDERS: "one", USERS: "users"}
        self.asked = asyncio.Event()

    async def of(self, topics: Iterable[str]) -> Mapping[str, str]:
        self.asked.set()
        if self.ids is None:
            raise NotYet("the broker is away")
        return {topic: self.ids[topic] for topic in topics if topic in self.ids}


def watch_of(broker: Broker, registry: CollectorRegistry | None = None) -> TopicWatch:
    metrics = Metrics(registry or CollectorRegistry())
    return TopicWatch(broker, topics=[ORDERS, USERS], metrics=metrics, look_every_s=0)


@pytest.mark.parametrize("committed", ["", "topic-id:one", "\0", "another tool's"])
async def test_a_position_of_this_topic_or_of_nobody_knows_which_is_believed(committed: str) -> None:
    assert await watch_of(Broker()).begun({P0: committed}) == []


async def test_a_position_of_another_topic_of_the_name_is_not_and_is_counted() -> None:
    registry = CollectorRegistry()
    watch = watch_of(Broker(), registry)
    assert await watch.begun({P0: "topic-id:earlier", P1: "topic-id:one", U0: ""}) == [P0]
    assert reading(registry, "hookline_position_resets_total", {"topic": ORDERS}) == 1
    assert watch.mark_of(ORDERS) == "topic-id:one"


@pytest.mark.parametrize(
    ("committed", "anew"), [("", [P0]), ("\0", [P0]), ("topic-id:one", [P0]), ("topic-id:two", [])]
)
async def test_what_was_found_before_counts_unless_the_position_says_better(
    committed: str, anew: list[TopicPartition]
) -> None:
    broker = Broker()
    watch = watch_of(broker)
    await watch.begun({P0: ""})
    broker.ids = {ORDERS: "two"}
    assert await watch.begun({P0: committed}) == anew
    assert await watch.begun({P0: "topic-id:two"}) == []


async def test_a_topic_that_is_away_for_a_while_is_remembered() -> None:
    broker = Broker()
    watch = watch_of(broker)
    await watch.begun({P0: "", U0: ""})
    broker.ids = {USERS: "users"}
    assert await watch.begun({U0: ""}) == []
    broker.ids = {ORDERS: "two", USERS: "users"}
    assert await watch.begun({U0: ""}) == []  # it is back, and not ours yet
    assert await watch.begun({P0: "", U0: ""}) == [P0]


async def test_a_change_of_a_topic_that_is_read_is_told_until_reading_begins_anew() -> None:
    broker, told = Broker(), asyncio.Event()
    watch = watch_of(broker)
    await watch.begun({P0: ""})

    async def on_change() -> None:
        told.set()

    looking = asyncio.create_task(watch.run(on_change))
    for ids in (None, {}, {ORDERS: "one"}, {ORDERS: "one", USERS: "another"}):
        broker.ids = ids
        await _looked(broker)
        assert not told.is_set()
    broker.ids = {ORDERS: "two"}
    await asyncio.wait_for(told.wait(), 5)
    await watch.begun({P0: ""})
    told.clear()
    await _looked(broker)
    assert not told.is_set()
    looking.cancel()


async def _looked(broker: Broker) -> None:
    """Return after a look that began now has ended."""
    for _ in range(2):
        broker.asked.clear()
        await asyncio.wait_for(broker.asked.wait(), 5)
