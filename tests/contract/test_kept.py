"""Bodies of deliveries, read from a real Kafka at their recorded places: the right one, or none, and never another's."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from random import Random

import pytest
from confluent_kafka import Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from fakes.api import CODEC
from fakes.cluster import broker_behind
from fakes.kafka import change_topic, remove_topic
from fakes.proxy import kafka_proxy
from hookline.core.ids import delivery_id
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.broker_node import HOST, free_port
from hookline.runtime.kept import KeptDeliveries, KeptDelivery, open_kept
from hookline.runtime.topic_retention import TopicRetention
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Delivery, Place
from hookline.schemas.topics import Topics

pytestmark = pytest.mark.kafka
PARTITIONS = 8
DAY_MS = 86_400_000
NOWHERE = Place(partition=0, offset=0)


@dataclass(frozen=True, slots=True)
class Topic:
    """`webhooks.deliveries` of one test, or `webhooks.replays`, and what was written to it, by place."""

    bootstrap: str
    topics: Topics
    in_replays: bool = False

    @property
    def name(self) -> str:
        return self.topics.replays if self.in_replays else self.topics.deliveries

    @property
    def first(self) -> Place:
        """The first place there is."""
        return self.place(0, 0)

    def place(self, partition: int, offset: int) -> Place:
        return Place(partition=partition, offset=offset, in_replays=self.in_replays)

    def make(self) -> None:
        """The topic, new and empty."""
        wanted = [each for each in self.topics.specifications() if each.name == self.name]
        TopicAdmin(self.bootstrap, size=Size.EMBEDDED).apply(wanted)

    def fill(self, deliveries: Iterable[Delivery], **configuration: str | int) -> Mapping[Place, Delivery]:
        """Write each to the next partition; where it lies."""
        found: dict[Place, Delivery] = {}
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, **configuration})
        for number, each in enumerate(deliveries):

            def told(error: object, message: Message, each: Delivery = each) -> None:
                assert error is None
                found[self.place(message.partition() or 0, message.offset() or 0)] = each

            producer.produce(self.name, CODEC.encode(each), partition=number % PARTITIONS, on_delivery=told)
            producer.poll(0)
        assert producer.flush(30) == 0
        return found

    def keep_for(self, retention_ms: str) -> None:
        """What an operator may do; returns when the broker says so as well, and not its controller alone."""
        change_topic(self.bootstrap, self.name, "retention.ms", retention_ms)
        client, asked = (
            AdminClient({"bootstrap.servers": self.bootstrap}),
            ConfigResource(ResourceType.TOPIC, self.name),
        )
        deadline_s = time.monotonic() + 15
        while client.describe_configs([asked])[asked].result(15)["retention.ms"].value != retention_ms:
            assert time.monotonic() < deadline_s

    def trim(self, before: int) -> None:
        """Remove the records of every partition that lie before this offset, as retention does."""
        asked = [TopicPartition(self.name, number, before) for number in range(PARTITIONS)]
        client = AdminClient({"bootstrap.servers": self.bootstrap})
        for answer in client.delete_records(asked).values():
            answer.result(15)


@pytest.fixture(params=[False, True], ids=["deliveries", "replays"])
def topic(bootstrap: str, prefix: str, request: pytest.FixtureRequest) -> Topic:
    made = Topic(bootstrap, Topics(prefix), in_replays=request.param)
    made.make()
    return made


@pytest.fixture
async def kept(topic: Topic) -> AsyncIterator[KeptDeliveries]:
    async with open_kept(topic.bootstrap, topics=topic.topics, codec=CODEC) as opened:
        yield opened


def deliveries(count: int, *, account: str = "acct_1", body_bytes: int = 0) -> Sequence[Delivery]:
    return [delivery(number, account=account, body_bytes=body_bytes) for number in range(count)]


def delivery(number: int, *, account: str = "acct_1", body_bytes: int = 0) -> Delivery:
    event = f"evt_{number}"
    return Delivery(
        delivery_id=delivery_id(account, event, "wh_1"),
        account_id=account,
        subscription_id="wh_1",
        event_id=event,
        event_type="order.created",
        body=f'{{"account":"{account}","number":{number}}}'.encode() + filling(number, body_bytes),
        config_offset=1,
        created_at_ms=1,
        source_at_ms=1,
    )


def filling(number: int, size_bytes: int) -> bytes:
    return Random(number).randbytes(size_bytes)  # noqa: S311 - nothing that can be compressed, and the same every time


async def read(kept: KeptDeliveries, place: Place, of: Delivery) -> KeptDelivery | None:
    return await kept.delivery(place, account_id=of.account_id, delivery_id=of.delivery_id)


async def body(kept: KeptDeliveries, place: Place, of: Delivery) -> bytes | None:
    found = await read(kept, place, of)
    return None if found is None else found.delivery.body


async def within(seconds: float, kept: KeptDeliveries, of: Delivery, place: Place = NOWHERE) -> None:
    """There is no answer now, and that is said in time."""
    started_s = time.monotonic()
    with pytest.raises(NotYet):
        await read(kept, place, of)
    assert time.monotonic() - started_s < seconds


# -- the right place --------------------------------------------------------------------------------------------------


async def test_every_delivery_is_read_at_its_place(topic: Topic, kept: KeptDeliveries) -> None:
    written = topic.fill(deliveries(2_000))
    places = Random(3).sample(list(written), 300)  # noqa: S311 - the same every time
    for place in places:
        assert await body(kept, place, written[place]) == written[place].body


async def test_a_place_is_of_one_topic_and_the_same_place_of_the_other_is_another(bootstrap: str, prefix: str) -> None:
    fresh, replays = (Topic(bootstrap, Topics(prefix), in_replays=each) for each in (False, True))
    for each in (fresh, replays):
        each.make()
    first = fresh.fill(deliveries(500))
    # The same deliveries at the same places, sent again: what is told apart is the topic alone.
    again = replays.fill([replace(each, run=7, body=b'{"again":true}') for each in deliveries(500)])
    assert {replace(each, in_replays=False) for each in again} == first.keys()
    async with open_kept(bootstrap, topics=fresh.topics, codec=CODEC) as kept:
        assert await foreign(kept, {**first, **again}, [*first, *again]) == (0, 1_000)
        await asyncio.to_thread(remove_topic, bootstrap, replays.name)
        replays.make()
        assert await foreign(kept, {**first, **again}, [*again, *first]) == (0, 500)


async def test_each_topic_keeps_for_as_long_as_its_own_retention_says(bootstrap: str, prefix: str) -> None:
    fresh, replays = (Topic(bootstrap, Topics(prefix), in_replays=each) for each in (False, True))
    for each, days in ((fresh, 2), (replays, 5)):
        each.make()
        each.keep_for(str(days * DAY_MS))
        each.fill(deliveries(1))
    async with open_kept(bootstrap, topics=fresh.topics, codec=CODEC) as kept:
        found = [await read(kept, each.first, delivery(0)) for each in (fresh, replays)]
    until_ms = [each.until_ms or 0 for each in found if each is not None]
    assert 3 * DAY_MS - 60_000 <= until_ms[1] - until_ms[0] <= 3 * DAY_MS + 60_000


async def test_what_is_another_deliverys_or_another_accounts_is_none(topic: Topic, kept: KeptDeliveries) -> None:
    written = topic.fill(deliveries(80))
    for place, of in written.items():
        assert await body(kept, place, replace(of, account_id="acct_2")) is None
        assert await body(kept, place, replace(of, delivery_id="delivery_of_another")) is None


@pytest.mark.parametrize(
    "place",
    [
        Place(partition=0, offset=10),  # the end
        Place(partition=0, offset=11),
        Place(partition=0, offset=2**62),
        Place(partition=PARTITIONS, offset=0),
        Place(partition=2**31 - 1, offset=0),
        # To Kafka's client these are words: the end, the oldest record, what is committed, any partition.
        *(Place(partition=0, offset=word) for word in (-1, -2, -1000, -1001)),
        Place(partition=-1, offset=0),
    ],
)
async def test_at_a_place_that_is_none_there_is_nothing(topic: Topic, kept: KeptDeliveries, place: Place) -> None:
    written = topic.fill(deliveries(PARTITIONS * 10))
    first = written[topic.first]
    assert await body(kept, replace(place, in_replays=topic.in_replays), first) is None
    assert await body(kept, topic.first, first) == first.body


async def test_a_record_that_is_no_delivery_is_none(topic: Topic, kept: KeptDeliveries) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap})
    for value in (b"nonsense", b"", None, CODEC.encode(delivery(1))[:-3]):
        producer.produce(topic.name, value, partition=0)
    assert producer.flush(30) == 0
    for offset in range(4):
        assert await body(kept, topic.place(0, offset), delivery(1)) is None


async def test_what_a_transaction_took_back_is_none(topic: Topic, prefix: str, kept: KeptDeliveries) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": f"{prefix}kept"})
    producer.init_transactions(30)
    for number, end in ((0, producer.abort_transaction), (1, producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic.name, CODEC.encode(delivery(number)), partition=0)
        producer.flush(30)
        end(30)
    assert await body(kept, topic.first, delivery(0)) is None
    assert await body(kept, topic.place(0, 2), delivery(1)) == delivery(1).body


# -- a place that is no longer its own --------------------------------------------------------------------------------


async def test_what_was_trimmed_is_none_and_the_rest_is_there(topic: Topic, kept: KeptDeliveries) -> None:
    written = topic.fill(deliveries(400))
    topic.trim(before=30)
    for place, of in written.items():
        assert await body(kept, place, of) == (of.body if place.offset >= 30 else None)


async def test_of_1_000_readings_of_topics_that_were_trimmed_and_made_anew_none_is_foreign(
    topic: Topic, kept: KeptDeliveries
) -> None:
    written = topic.fill(deliveries(1_000))
    places = list(written)
    assert await foreign(kept, written, places[:100]) == (0, 100)
    topic.trim(before=20)
    assert await foreign(kept, written, places) == (0, sum(each.offset >= 20 for each in places))
    await asyncio.to_thread(remove_topic, topic.bootstrap, topic.name)
    topic.make()
    # At the same places now: the same events' deliveries of another account, then other deliveries of the same one.
    others = [*deliveries(500, account="acct_2"), *(delivery(number) for number in range(5_000, 5_500))]
    anew = topic.fill(others)
    assert anew.keys() == written.keys()
    assert await foreign(kept, written, places) == (0, 0)
    assert await foreign(kept, anew, places) == (0, 1_000)


async def foreign(kept: KeptDeliveries, written: Mapping[Place, Delivery], places: Sequence[Place]) -> tuple[int, int]:
    """How many readings gave what is not theirs, and how many what is, with as many at once as there may be."""
    own = others = 0
    for _, some in groupby(enumerate(places), key=lambda each: each[0] // 50):
        asked = [place for _, place in some]
        found = await asyncio.gather(*(body(kept, each, written[each]) for each in asked))
        own += sum(each == written[place].body for place, each in zip(asked, found, strict=True))
        others += sum(each not in {None, written[place].body} for place, each in zip(asked, found, strict=True))
    return others, own


async def test_a_topic_that_is_not_there_is_awaited(topic: Topic) -> None:
    await asyncio.to_thread(remove_topic, topic.bootstrap, topic.name)
    async with open_kept(topic.bootstrap, topics=topic.topics, codec=CODEC, answer_s=2) as kept:
        await within(4, kept, delivery(1), topic.first)
        topic.make()
        written = topic.fill(deliveries(PARTITIONS))
        assert await body(kept, topic.first, written[topic.first]) == written[topic.first].body


# -- for how long -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("retention_ms", "days"), [("604800000", 7), ("172800000", 2), ("-1", None)])
async def test_a_delivery_is_kept_as_long_as_the_broker_says(topic: Topic, retention_ms: str, days: int | None) -> None:
    topic.keep_for(retention_ms)
    before_ms = time.time_ns() // 1_000_000
    written = topic.fill(deliveries(1))
    after_ms = time.time_ns() // 1_000_000
    async with open_kept(topic.bootstrap, topics=topic.topics, codec=CODEC) as kept:
        found = await read(kept, topic.first, written[topic.first])
    assert found is not None
    if days is None:
        assert found.until_ms is None
    else:
        assert before_ms <= (found.until_ms or 0) - days * DAY_MS <= after_ms


async def test_a_broker_that_does_not_say_how_long_is_not_asked_each_time(prefix: str) -> None:
    with socket.create_server((HOST, 0)) as frozen:
        retention = TopicRetention(f"{HOST}:{frozen.getsockname()[1]}", f"{prefix}x", specified_ms=7 * DAY_MS)
        started_s = time.monotonic()
        assert await asyncio.gather(*(retention.ms() for _ in range(20))) == [7 * DAY_MS] * 20
        assert time.monotonic() - started_s < 10


# -- outages ----------------------------------------------------------------------------------------------------------


async def test_a_broker_that_is_away_or_says_nothing_is_no_answer_in_time(prefix: str) -> None:
    with socket.create_server((HOST, 0)) as frozen:
        for port in (free_port(prefix), frozen.getsockname()[1]):
            async with open_kept(f"{HOST}:{port}", topics=Topics(prefix), codec=CODEC, answer_s=1) as kept:
                await within(4, kept, delivery(1))


async def test_who_asks_while_many_wait_in_vain_is_told_in_time_too(prefix: str) -> None:
    with socket.create_server((HOST, 0)) as frozen:
        address = f"{HOST}:{frozen.getsockname()[1]}"
        async with open_kept(address, topics=Topics(prefix), codec=CODEC, answer_s=2) as kept:
            started_s = time.monotonic()
            asked = [asyncio.create_task(read(kept, NOWHERE, delivery(1))) for _ in range(300)]
            done, _ = await asyncio.wait(asked, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            assert len(done) >= 200  # at once: only so many may wait
            found = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(each) for each in found} == {NotYet}
    assert time.monotonic() - started_s < 8


async def test_many_at_once_are_all_answered(topic: Topic, kept: KeptDeliveries) -> None:
    written = topic.fill(deliveries(100))
    found = await asyncio.gather(*(body(kept, place, of) for place, of in written.items()))
    assert found == [of.body for of in written.values()]


async def test_who_does_not_wait_for_the_answer_hinders_nobody(topic: Topic, kept: KeptDeliveries) -> None:
    written = topic.fill(deliveries(PARTITIONS))
    for _ in range(20):
        asked = [asyncio.create_task(body(kept, place, of)) for place, of in written.items()]
        await asyncio.sleep(0)
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert await body(kept, topic.first, written[topic.first]) == written[topic.first].body


async def test_a_close_waits_for_no_broker_and_leaves_nobody_waiting(prefix: str) -> None:
    with socket.create_server((HOST, 0)) as frozen:
        address = f"{HOST}:{frozen.getsockname()[1]}"
        async with open_kept(address, topics=Topics(prefix), codec=CODEC, answer_s=30) as kept:
            asked = [asyncio.create_task(read(kept, NOWHERE, delivery(1))) for _ in range(50)]
            await asyncio.sleep(0)
            closing_s = time.monotonic()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert time.monotonic() - closing_s < 10
    assert {type(each) for each in found} == {NotYet}
    with pytest.raises(NotYet):
        await read(kept, NOWHERE, delivery(1))


async def test_a_broker_that_comes_back_is_read_again_and_no_more_than_is_needed(
    tmp_path: Path, cache_dir: Path
) -> None:
    port = free_port(str(tmp_path))
    async with broker_behind(port, tmp_path / "kafka", cache_dir) as door, kafka_proxy(port, door=door.port) as proxy:
        topic = Topic(door.bootstrap_servers, Topics())
        await asyncio.to_thread(topic.make)
        some = deliveries(800, body_bytes=10_000)
        written = await asyncio.to_thread(lambda: topic.fill(some, **{"batch.num.messages": 10}))
        places = Random(5).sample(list(written), 40)  # noqa: S311 - the same every time
        async with open_kept(f"{HOST}:{port}", topics=topic.topics, codec=CODEC, answer_s=3) as kept:
            for place in places[:20]:
                assert await body(kept, place, written[place]) == written[place].body
            # Of 8 MB. A reading needs one batch of 100 kB; another may be on its way when it is over.
            assert proxy.answered_bytes < 20 * 2 * 110_000
            await proxy.close()
            await within(5, kept, written[places[0]], places[0])
            proxy.open()
            async with asyncio.timeout(20):
                await until_read(kept, places[20], written[places[20]])
            for place in places[20:]:
                assert await body(kept, place, written[place]) == written[place].body


async def until_read(kept: KeptDeliveries, place: Place, of: Delivery) -> None:
    while True:
        try:
            assert await body(kept, place, of) == of.body
        except NotYet:
            continue
        return
