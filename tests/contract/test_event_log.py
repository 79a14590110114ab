"""The log of events on a real Kafka: read from a time on, each partition in its order, and what is gone is counted."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from fakes.configuration import short_settings
from fakes.kafka import make_topics, remove_topic
from hookline.runtime.event_log import EventLog, Stretch
from hookline.runtime.log import KafkaRecord
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import JobPosition

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
AT_MS = 1_700_000_000_000
EVER_MS = 4_000_000_000_000


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path, retry_tiers=(200,))
    make_topics(bootstrap, made.topics())
    return made


def log(settings: Settings, *entries: tuple[str, int, int]) -> str:
    """Write texts to `events.order`: each with its partition and its time."""
    topic = settings.topics().events("order.created")
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for text, partition, at_ms in entries:
        producer.produce(topic, text.encode(), partition=partition, timestamp=at_ms)
    assert producer.flush(30) == 0
    return topic


def trim(settings: Settings, topic: str, partition: int, before: int) -> None:
    """Take away what lies before an offset, as retention does."""
    client = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for answer in client.delete_records([TopicPartition(topic, partition, before)]).values():
        answer.result(15)


def text(record: KafkaRecord) -> str:
    """What the tests pick: a record's text."""
    found = (record.value or b"").decode()
    if found == "broken":
        raise ContractError("it is broken")
    if found == "bug":
        raise KeyError(found)
    return found


async def bounds(settings: Settings, topic: str, since_ms: int = 0, until_ms: int = EVER_MS) -> Sequence[JobPosition]:
    async with asyncio.timeout(30):
        while True:
            try:
                return await EventLog(settings.bootstrap_servers).bounds([topic], since_ms=since_ms, until_ms=until_ms)
            except NotYet:  # a topic that was just made may have no leader yet
                await asyncio.sleep(0.05)


async def read_all(settings: Settings, positions: Sequence[JobPosition]) -> list[Stretch[str]]:
    found: list[Stretch[str]] = []
    async with asyncio.timeout(60), EventLog(settings.bootstrap_servers).reading(positions, text) as reading:
        while not reading.is_done:
            found += await reading.next()
    return found


def texts(found: Sequence[Stretch[str]], partition: int) -> list[str]:
    return [each.value for stretch in found if stretch.partition.partition == partition for each in stretch.picked]


def last(found: Sequence[Stretch[str]], partition: int) -> int:
    return [stretch.position for stretch in found if stretch.partition.partition == partition][-1]


async def test_reading_begins_at_a_time_in_each_partition_and_ends_where_the_log_ended(settings: Settings) -> None:
    topic = log(
        settings, ("a", 0, AT_MS), ("b", 0, AT_MS + 10), ("c", 0, AT_MS + 20), ("x", 1, AT_MS + 5), ("y", 1, AT_MS + 15)
    )
    positions = await bounds(settings, topic, since_ms=AT_MS + 10)
    log(settings, ("later", 0, AT_MS + 30), ("later", 1, AT_MS + 30))
    found = await read_all(settings, positions)
    assert (texts(found, 0), texts(found, 1)) == (["b", "c"], ["y"])
    assert (last(found, 0), last(found, 1)) == (3, 2)
    assert [(each.start, each.position, each.end) for each in positions] == [(1, 1, 3), (1, 1, 2), (0, 0, 0), (0, 0, 0)]


async def test_a_stretch_ends_at_what_is_much_later_and_not_at_a_clock_that_is_ahead(settings: Settings) -> None:
    hour_ms = 3_600_000
    topic = log(
        settings,
        ("a", 0, AT_MS),
        ("ahead", 0, AT_MS + 600_000),
        ("b", 0, AT_MS + 1),
        ("much later", 0, AT_MS + 2 * hour_ms),
    )
    found = await read_all(settings, await bounds(settings, topic, until_ms=AT_MS + 10))
    assert texts(found, 0) == ["a", "ahead", "b"]  # which of them are wanted is for who picks


async def test_what_can_not_be_read_is_counted_and_the_rest_is_read(settings: Settings) -> None:
    topic = log(settings, *((each, 0, AT_MS) for each in ("a", "broken", "bug", "b")))
    found = await read_all(settings, await bounds(settings, topic))
    assert texts(found, 0) == ["a", "b"]
    assert sum(each.looked_at for each in found) == 4
    assert sum(each.unreadable for each in found) == 2
    assert [each.number for stretch in found for each in stretch.picked] == [1, 4]


async def test_what_retention_took_away_meanwhile_is_counted_as_lost(settings: Settings) -> None:
    topic = log(settings, *((str(number), 0, AT_MS) for number in range(10)), *(("x", 1, AT_MS) for _ in range(3)))
    positions = await bounds(settings, topic)
    trim(settings, topic, 0, 6)
    trim(settings, topic, 1, 3)
    found = await read_all(settings, positions)
    assert (texts(found, 0), texts(found, 1)) == (["6", "7", "8", "9"], [])
    assert sum(each.lost for each in found) == 9
    assert sum(each.looked_at for each in found) == 4
    assert (last(found, 0), last(found, 1)) == (10, 3)


async def test_a_topic_that_was_made_anew_is_read_for_what_is_left_of_the_stretch(settings: Settings) -> None:
    topic = log(settings, *((str(number), 0, AT_MS) for number in range(10)))
    positions = [each for each in await bounds(settings, topic) if each.end]
    later = [JobPosition(topic=topic, partition=0, start=0, position=8, end=positions[0].end)]
    remove_topic(settings.bootstrap_servers, topic)
    make_topics(settings.bootstrap_servers, settings.topics())
    log(settings, ("new", 0, AT_MS))
    found = await read_all(settings, later)
    assert (texts(found, 0), last(found, 0), sum(each.lost for each in found)) == ([], 10, 2)


async def test_the_marker_of_a_transaction_at_the_end_is_no_record_that_is_waited_for(settings: Settings) -> None:
    topic = settings.topics().events("order.created")
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "transactional.id": f"{topic}-t"})
    producer.init_transactions(30)
    for written, ends in (("kept", producer.commit_transaction), ("aborted", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(topic, written.encode(), partition=0)
        producer.flush(30)
        ends(30)
    positions = await bounds(settings, topic)
    found = await read_all(settings, positions)
    assert (texts(found, 0), last(found, 0)) == (["kept"], positions[0].end)
    assert positions[0].end == 4


async def test_a_reading_goes_on_from_any_position(settings: Settings) -> None:
    count = 3_000
    topic = log(settings, *((str(number), number % 4, AT_MS) for number in range(count)))
    positions = {each.partition: each for each in await bounds(settings, topic)}
    seen: list[str] = []
    while any(each.position < each.end for each in positions.values()):
        async with EventLog(settings.bootstrap_servers).reading(list(positions.values()), text) as reading:
            for stretch in await reading.next():
                seen += [each.value for each in stretch.picked]
                number = stretch.partition.partition
                before = positions[number]
                positions[number] = JobPosition(
                    topic=topic, partition=number, start=before.start, position=stretch.position, end=before.end
                )
    assert sorted(seen, key=int) == [str(number) for number in range(count)]


async def test_a_topic_that_is_not_there_is_waited_for(settings: Settings) -> None:
    with pytest.raises(NotYet, match="does not exist"):
        await EventLog(settings.bootstrap_servers).bounds(["no.such.topic"], since_ms=0, until_ms=EVER_MS)
