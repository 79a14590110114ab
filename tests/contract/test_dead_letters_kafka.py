"""Dead letters read from a real topic: back from its end over all partitions, also while some go."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from fakes.configuration import short_settings
from fakes.kafka import make_topics
from hookline.core.letters import Letter
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.dead_letters import PAGE_BYTES_MAX, DeadLetters, open_dead_letters
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import DeadLetter, DeathReason, Place

pytestmark = pytest.mark.kafka
CODEC = Codec(load_catalogue())
BEGAN_MS = int(time.time() * 1_000) - 10_000  # older ones would be gone by retention
PARTITIONS, LETTERS = 3, 700  # more than one reading takes
LARGE_PARTITIONS, LARGE_LETTERS, LARGE_BYTES = 8, 400, 256 * 1024  # 100 MiB
MIB = 1024 * 1024


def letter(number: int, payload: bytes | None = None) -> bytes:
    return CODEC.encode(
        DeadLetter(
            reason=DeathReason.UNREADABLE,
            detail=str(number),
            at_ms=number,
            topic="t",
            partition=0,
            offset=number,
            payload_bytes=0 if payload is None else len(payload),
            payload=payload,
        )
    )


def bury(bootstrap: str, topic: str, values: Sequence[bytes], partitions: int) -> None:
    """Letters whose broker times go round the partitions."""
    client = AdminClient({"bootstrap.servers": bootstrap})
    for answer in client.create_partitions([NewPartitions(topic, partitions)]).values():
        answer.result(15)
    while len(client.list_topics(topic, timeout=15).topics[topic].partitions) < partitions:
        time.sleep(0.05)
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 2 * MIB})
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % partitions, timestamp=BEGAN_MS + number)
    assert producer.flush(60) == 0


@contextmanager
def at_most(most_bytes: int) -> Iterator[None]:
    """What is held at a time in the block is less than that."""
    tracemalloc.start(1)
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()


@pytest.fixture
async def letters(bootstrap: str, prefix: str) -> AsyncIterator[DeadLetters]:
    topics = short_settings(bootstrap, prefix).topics()
    await asyncio.to_thread(make_topics, bootstrap, topics)
    values = [b"no letter" if number == 5 else letter(number) for number in range(LETTERS)]  # one that is none
    await asyncio.to_thread(bury, bootstrap, topics.dead_letters, values, PARTITIONS)
    async with open_dead_letters(bootstrap, topics=topics, codec=CODEC) as opened:
        yield opened


@pytest.fixture
async def large_letters(bootstrap: str, prefix: str) -> AsyncIterator[DeadLetters]:
    """As many in each of eight partitions, and each bears as much as an event may."""
    topics = short_settings(bootstrap, prefix).topics()
    await asyncio.to_thread(make_topics, bootstrap, topics)
    values = [letter(number, bytes(LARGE_BYTES)) for number in range(LARGE_LETTERS)]
    await asyncio.to_thread(bury, bootstrap, topics.dead_letters, values, LARGE_PARTITIONS)
    async with open_dead_letters(bootstrap, topics=topics, codec=CODEC) as opened:
        yield opened


async def everything(letters: DeadLetters, limit: int) -> list[Letter]:
    found, page = list[Letter](), await letters.page(before=None, limit=limit, is_wanted=lambda _: True)
    while True:
        found += page.letters
        if not page.left:
            return found
        page = await letters.page(before=page.left, limit=limit, is_wanted=lambda _: True)


async def test_all_are_shown_once_the_newest_first_over_all_partitions(letters: DeadLetters) -> None:
    found = await everything(letters, 150)
    assert [each.at_ms for each in found] == [BEGAN_MS + number for number in reversed(range(LETTERS))]
    assert [each for each in found if each.record is None] == [found[-6]]
    assert len({each.place for each in found}) == LETTERS


async def test_one_is_read_at_its_place_and_nothing_where_there_is_none(letters: DeadLetters) -> None:
    found = await letters.at(Place(partition=1, offset=2))
    assert found is not None
    assert found.record is not None
    assert found.record.detail == "7"
    for partition, offset in ((1, 10_000), (PARTITIONS, 0), (0, 2**62)):
        assert await letters.at(Place(partition=partition, offset=offset)) is None


async def test_a_look_at_large_letters_holds_none_of_their_bytes(large_letters: DeadLetters) -> None:
    for limit in (1, 300):
        with at_most(8 * MIB):
            page = await large_letters.page(before=None, limit=limit, is_wanted=lambda _: True)
        assert [each.at_ms for each in page.letters] == [BEGAN_MS + LARGE_LETTERS - 1 - n for n in range(limit)]
        assert {each.record.payload for each in page.letters if each.record is not None} == {None}


async def test_large_letters_with_their_bytes_come_in_pages_that_memory_has_room_for(
    large_letters: DeadLetters,
) -> None:
    found, before = list[int](), None
    while before is None or before:
        with at_most(64 * MIB):
            page = await large_letters.whole_page(before=before, limit=1_000, is_wanted=lambda _: True)
        payloads = [each.record.payload for each in page.letters if each.record is not None]
        assert {len(each or b"") for each in payloads} == {LARGE_BYTES}
        assert len(payloads) * LARGE_BYTES <= PAGE_BYTES_MAX
        found += [each.at_ms for each in page.letters]
        before = page.left
    assert found == [BEGAN_MS + number for number in reversed(range(LARGE_LETTERS))]


async def test_a_broker_that_is_away_is_said_so_in_time() -> None:
    topics = short_settings("127.0.0.1:1", "x.").topics()
    async with open_dead_letters("127.0.0.1:1", topics=topics, codec=CODEC) as letters:
        with pytest.raises(NotYet):
            await asyncio.wait_for(letters.page(before=None, limit=1, is_wanted=lambda _: True), 20)
