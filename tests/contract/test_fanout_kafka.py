"""The fan-out process on a real Kafka: nothing lost, nothing stopped, nothing repeated without a kill."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from fakes.configuration import short_settings
from fakes.fanout import CODEC, event
from fakes.fanout_process import (
    all_is_committed,
    commit_as_fanout,
    configure,
    delivered,
    expected,
    fanout,
    ids_of,
    publish,
    publish_on_first,
    terminated,
    wants_orders,
)
from fakes.kafka import make_topics, read, read_until, write
from fakes.road import free_port
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.settings import Settings
from hookline.schemas.errors import NotYet
from hookline.schemas.records import DeadLetter, DeathReason

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(bootstrap: str, prefix: str) -> Settings:
    made = short_settings(bootstrap, prefix)
    make_topics(bootstrap, made.topics())
    return made


async def test_bad_records_are_buried_with_their_place_and_the_good_ones_behind_them_go_on(
    settings: Settings, tmp_path: Path
) -> None:
    wanted = wants_orders()
    configure(settings, wanted)
    whole = CODEC.encode_event(event(1))
    big = replace(event(2), data={**event(2).data, "user_id": "u" * 300_000})
    bad = (whole[:-4], b"", None, b"no avro at all", CODEC.encode(wanted), CODEC.encode_event(big))
    stranger = CODEC.encode_event(event(3, account_id="acct_unknown"))
    topic = settings.topics().events("order.created")
    key = b"one-partition"
    write(settings.bootstrap_servers, topic, [(key, value) for value in (*bad, stranger, whole)])
    async with fanout(settings, tmp_path) as process:
        assert set(await delivered(settings, 1)) == expected([1], wanted)
        assert await terminated(process) == 0
    records = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().dead_letters)
    letters = sorted((CODEC.decode(each.value, DeadLetter) for each in records), key=lambda each: each.offset)
    assert [each.offset for each in letters] == list(range(len(bad)))
    assert [each.reason for each in letters] == [DeathReason.UNREADABLE] * 5 + [DeathReason.TOO_LARGE]
    assert [each.payload for each in letters] == [*(value or b"" for value in bad[:5]), None]
    assert letters[5].payload_bytes == len(bad[5] or b"")


async def test_an_event_produced_right_after_a_subscription_was_confirmed_reaches_it(
    settings: Settings, tmp_path: Path
) -> None:
    everyone = [wants_orders()]
    wanted = expected([1_000], *everyone)
    configure(settings, *everyone)
    publish(settings, [1_000])
    async with fanout(settings, tmp_path):
        await delivered(settings, 1)  # it is at work
        for number in range(30):
            everyone.append(wants_orders())
            await asyncio.to_thread(configure, settings, everyone[-1])
            await asyncio.to_thread(publish, settings, [number])
            wanted |= expected([number], *everyone)
        # More is fine: a subscription may be there before an event that was published before it is read.
        await asyncio.to_thread(
            read_until,
            settings.bootstrap_servers,
            settings.topics().deliveries,
            lambda found: wanted <= set(ids_of(found)),
        )


async def test_a_clean_stop_and_a_rebalance_repeat_nothing(settings: Settings, tmp_path: Path) -> None:
    wanted = wants_orders()
    configure(settings, wanted)
    numbers = range(3_000)
    publishing = asyncio.create_task(_publish_slowly(settings, numbers))
    async with fanout(settings, tmp_path, "first") as first:
        await delivered(settings, 300)
        async with fanout(settings, tmp_path, "second") as second:
            await delivered(settings, 1_200)
            assert await terminated(first) == 0
            await publishing
            found = await delivered(settings, len(numbers))
            assert await terminated(second) == 0
    async with fanout(settings, tmp_path, "third"):
        publish(settings, [5_000])
        found = await delivered(settings, len(numbers) + 1)
    assert set(found) == expected([*numbers, 5_000], wanted)
    assert [each for each, times in found.items() if times > 1] == []


async def _publish_slowly(settings: Settings, numbers: Sequence[int]) -> None:
    for start in range(0, len(numbers), 50):
        await asyncio.to_thread(publish, settings, numbers[start : start + 50])
        await asyncio.sleep(0.15)


async def test_kills_in_the_middle_lose_nothing(settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, instance_id="fanout-1")
    wanted = wants_orders()
    configure(settings, wanted)
    numbers = range(10_000)
    for number in range(3):
        publish(settings, numbers[number * 3_000 : (number + 1) * 3_000])
        async with fanout(settings, tmp_path) as process:
            before = await _seen(settings)
            await asyncio.to_thread(
                read_until,
                settings.bootstrap_servers,
                settings.topics().deliveries,
                lambda found, before=before: len(found) > before,  # type: ignore[misc]
            )
            process.kill()
        seen = await _seen(settings)
        print(f"killed with {(number + 1) * 3_000 - seen} deliveries open")
    publish(settings, numbers[9_000:])
    async with fanout(settings, tmp_path) as process:
        found = await delivered(settings, len(numbers))
        assert await terminated(process) == 0
    print(f"{sum(found.values()) - len(found)} repeats of {len(numbers)} after 3 kills")
    assert set(found) == expected(numbers, wanted)


async def _seen(settings: Settings) -> int:
    records = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().deliveries)
    return len(ids_of(records))


async def test_an_aborted_transaction_sends_nothing_and_its_marker_is_passed(
    settings: Settings, tmp_path: Path
) -> None:
    wanted = wants_orders()
    configure(settings, wanted)
    producer = transactional(settings)
    async with fanout(settings, tmp_path) as process:
        for number, ending in enumerate([producer.abort_transaction, producer.commit_transaction] * 3):
            await asyncio.to_thread(publish_in_transaction, settings, producer, number, ending)
        assert set(await delivered(settings, 3)) == expected([1, 3, 5], wanted)
        await all_is_committed(settings, 12)
        await asyncio.to_thread(publish_in_transaction, settings, producer, 6, producer.abort_transaction)
        await all_is_committed(settings, 14)  # nothing but what was aborted, and its marker
        assert await terminated(process) == 0
    assert await delivered(settings, 3) == Counter(expected([1, 3, 5], wanted))


async def test_a_position_before_a_marker_moves_on(settings: Settings, tmp_path: Path) -> None:
    producer = transactional(settings)
    await asyncio.to_thread(publish_in_transaction, settings, producer, 0, producer.commit_transaction)
    await asyncio.to_thread(commit_as_fanout, settings, 1)  # the record is done; the marker takes offset 1
    async with fanout(settings, tmp_path) as process:
        await all_is_committed(settings, 2)
        assert await terminated(process) == 0


async def test_what_lies_behind_an_open_transaction_waits_for_its_end_and_is_no_lag(
    settings: Settings, tmp_path: Path
) -> None:
    wanted = wants_orders()
    configure(settings, wanted)
    topic, producer = settings.topics().events("order.created"), transactional(settings)
    before, behind = CODEC.encode_event(event(0)), CODEC.encode_event(event(2))
    async with fanout(settings, tmp_path):
        plain = Producer({"bootstrap.servers": settings.bootstrap_servers})
        plain.produce(topic, before, partition=0)
        assert await asyncio.to_thread(plain.flush, 30) == 0
        producer.begin_transaction()
        producer.produce(topic, CODEC.encode_event(event(1)), partition=0)
        assert await asyncio.to_thread(producer.flush, 30) == 0
        plain.produce(topic, behind, partition=0)
        assert await asyncio.to_thread(plain.flush, 30) == 0
        await all_is_committed(settings, 1)
        assert set(await delivered(settings, 1)) == expected([0], wanted)
        await asyncio.to_thread(producer.abort_transaction, 30)
        assert set(await delivered(settings, 2)) == expected([0, 2], wanted)
        await all_is_committed(settings, 4)


async def test_events_that_were_removed_before_they_were_read_are_passed_over_counted_and_said(
    settings: Settings, tmp_path: Path
) -> None:
    wanted, topic, port = wants_orders(), settings.topics().events("order.created"), free_port()
    configure(settings, wanted)
    publish_on_first(settings, range(6))
    await asyncio.to_thread(commit_as_fanout, settings, 1)
    await asyncio.to_thread(trim, settings, topic, 4)
    async with fanout(settings, tmp_path, port=port):
        assert set(await delivered(settings, 2)) == expected([4, 5], wanted)
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as page:
            lines = (await page.text()).splitlines()
        await all_is_committed(settings, 6)
    assert f'hookline_position_resets_total{{topic="{topic}"}} 1.0' in lines
    assert (tmp_path / "fanout.log").read_text(encoding="utf-8").count("kafka.position_out_of_range") == 1


def trim(settings: Settings, topic: str, before: int) -> None:
    """Take away what lies before an offset of partition 0, as retention does."""
    client = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for answer in client.delete_records([Place(topic, 0, before)]).values():
        answer.result(15)


def transactional(settings: Settings) -> Producer:
    """A source system that writes transactions."""
    producer = Producer(
        {"bootstrap.servers": settings.bootstrap_servers, "transactional.id": f"{settings.topic_prefix}source"}
    )
    producer.init_transactions(30)
    return producer


def publish_in_transaction(
    settings: Settings, producer: Producer, number: int, ending: Callable[[float], None]
) -> None:
    """The event of this number alone in a transaction, on partition 0; `ending` commits or aborts."""
    producer.begin_transaction()
    producer.produce(settings.topics().events("order.created"), CODEC.encode_event(event(number)), partition=0)
    assert producer.flush(30) == 0
    ending(30)


async def test_the_end_of_a_topic_counts_no_open_transaction(settings: Settings) -> None:
    topic = settings.topics().subscriptions
    ends = EndOffsets(settings.bootstrap_servers)
    await _reaches(ends, topic, 0)
    write(settings.bootstrap_servers, topic, [(b"a", b"1"), (b"b", b"2")])
    assert await ends.of(topic) == 2
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "transactional.id": settings.topic_prefix})
    await asyncio.to_thread(producer.init_transactions, 30)
    producer.begin_transaction()
    producer.produce(topic, b"3", b"c")
    await asyncio.to_thread(producer.flush, 10)
    assert await ends.of(topic) == 2
    await asyncio.to_thread(producer.commit_transaction, 10)
    await _reaches(ends, topic, 4)  # the record and the marker
    await ends.close()


async def _reaches(ends: EndOffsets, topic: str, end: int) -> None:
    """Wait for what the broker does in its own time: a leader for a new topic, the marker of a committed transaction."""
    async with asyncio.timeout(30):
        while await _end(ends, topic) != end:
            await asyncio.sleep(0.05)


async def _end(ends: EndOffsets, topic: str) -> int | None:
    """The end of the topic; None while the broker cannot tell it."""
    with contextlib.suppress(NotYet):
        return await ends.of(topic)
    return None


async def test_without_a_broker_the_end_of_a_topic_is_a_not_yet() -> None:
    ends = EndOffsets("127.0.0.1:1", timeout_s=0.3)
    with pytest.raises(NotYet):
        await ends.of("any")
    await ends.close()
