"""An event topic that is deleted and made anew: the fan-out reads the new one from its oldest record, and says so."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from fakes.configuration import short_settings
from fakes.fanout_process import (
    all_is_committed,
    commit_as_fanout,
    configure,
    delivered,
    expected,
    fanout,
    publish_on_first,
    terminated,
    wants_orders,
)
from fakes.kafka import make_topics, remove_topic
from fakes.road import free_port
from hookline.runtime.settings import Settings
from hookline.runtime.topic_ids import TopicIds
from hookline.schemas.errors import NotYet

pytestmark = pytest.mark.kafka
BEFORE = range(10)
FEWER, MORE = range(100, 103), range(100, 130)
WITHIN_S = 30


@pytest.fixture
def settings(bootstrap: str, prefix: str) -> Settings:
    made = short_settings(bootstrap, prefix)
    make_topics(bootstrap, made.topics())
    return made


def remove(settings: Settings) -> None:
    remove_topic(settings.bootstrap_servers, settings.topics().events("order.created"))


def make(settings: Settings) -> None:
    make_topics(settings.bootstrap_servers, settings.topics())


async def logged(folder: Path, text: str) -> None:
    """Wait until a fan-out has said this."""
    async with asyncio.timeout(WITHIN_S):
        while text not in (folder / "fanout.log").read_text(encoding="utf-8"):
            await asyncio.sleep(0.05)


async def resets(settings: Settings, port: int) -> float:
    """What the process counts for the topic."""
    sign = f'hookline_position_resets_total{{topic="{settings.topics().events("order.created")}"}}'
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as page:
        lines = (await page.text()).splitlines()
    return sum(float(each.split()[-1]) for each in lines if each.startswith(sign))


@asynccontextmanager
async def read_anew(settings: Settings, folder: Path, numbers: range) -> AsyncIterator[asyncio.subprocess.Process]:
    """A fan-out that has read a topic. When the block has made it anew with these numbers, all of them are delivered, and it is said."""
    wanted, port = wants_orders(), free_port()
    configure(settings, wanted)
    publish_on_first(settings, BEFORE)
    async with fanout(settings, folder, port=port) as process:
        await all_is_committed(settings, len(BEFORE))
        yield process
        found = await delivered(settings, len(BEFORE) + len(numbers), timeout_s=WITHIN_S)
        assert set(found) == expected([*BEFORE, *numbers], wanted)
        await all_is_committed(settings, len(numbers))
        assert await resets(settings, port) >= 1
        await logged(folder, "kafka.topic_made_anew")
        assert await terminated(process) == 0


@pytest.mark.parametrize("numbers", [FEWER, MORE], ids=["fewer", "more"])
async def test_a_topic_that_is_made_anew_meanwhile_is_read_from_its_oldest_record(
    settings: Settings, tmp_path: Path, numbers: range
) -> None:
    async with read_anew(settings, tmp_path, numbers):
        await asyncio.to_thread(remove, settings)
        await logged(tmp_path, "not found in cluster metadata")
        await asyncio.to_thread(make, settings)
        await asyncio.to_thread(publish_on_first, settings, numbers)


@pytest.mark.parametrize("numbers", [FEWER, MORE], ids=["fewer", "more"])
async def test_a_topic_that_was_made_anew_unnoticed_is_read_from_its_oldest_record(
    settings: Settings, tmp_path: Path, numbers: range
) -> None:
    async with read_anew(settings, tmp_path, numbers) as process:
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(remove, settings)
        await asyncio.to_thread(make, settings)
        await asyncio.to_thread(publish_on_first, settings, numbers)
        process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("numbers", [FEWER, MORE], ids=["fewer", "more"])
async def test_a_position_that_was_left_in_the_topic_of_the_same_name_is_not_believed(
    settings: Settings, tmp_path: Path, numbers: range
) -> None:
    wanted, port = wants_orders(), free_port()
    configure(settings, wanted)
    publish_on_first(settings, numbers)
    await asyncio.to_thread(commit_as_fanout, settings, 10, "topic-id:of the topic before")
    async with fanout(settings, tmp_path, port=port) as process:
        found = await delivered(settings, len(numbers), timeout_s=WITHIN_S)
        assert set(found) == expected(numbers, wanted)
        assert await resets(settings, port) == 1
        await all_is_committed(settings, len(numbers))
        assert await terminated(process) == 0
    async with fanout(settings, tmp_path, "again", port=port):
        publish_on_first(settings, [200])
        assert await delivered(settings, len(numbers) + 1) == Counter(expected([*numbers, 200], wanted))
        assert await resets(settings, port) == 0


@pytest.mark.parametrize("numbers", [FEWER, MORE], ids=["fewer", "more"])
async def test_a_topic_that_was_made_anew_before_the_start_is_read_from_its_oldest_record(
    settings: Settings, tmp_path: Path, numbers: range
) -> None:
    wanted = wants_orders()
    configure(settings, wanted)
    publish_on_first(settings, BEFORE)
    async with fanout(settings, tmp_path) as process:
        await all_is_committed(settings, len(BEFORE))
        assert await terminated(process) == 0
    await asyncio.to_thread(remove, settings)
    await asyncio.to_thread(make, settings)
    await asyncio.to_thread(publish_on_first, settings, numbers)
    async with fanout(settings, tmp_path):
        found = await delivered(settings, len(BEFORE) + len(numbers), timeout_s=WITHIN_S)
    assert set(found) == expected([*BEFORE, *numbers], wanted)


async def test_a_topic_that_is_made_anew_has_another_id_and_one_that_is_gone_has_none(settings: Settings) -> None:
    ids, topics = TopicIds(settings.bootstrap_servers), settings.topics().all_events()
    before = await ids.of(topics)
    assert set(before) == set(topics)
    assert await ids.of(topics) == before
    await asyncio.to_thread(remove, settings)
    order = settings.topics().events("order.created")
    assert dict(await ids.of(topics)) == {topic: each for topic, each in before.items() if topic != order}
    await asyncio.to_thread(make, settings)
    async with asyncio.timeout(WITHIN_S):
        while len(after := await ids.of(topics)) < len(topics):
            await asyncio.sleep(0.05)
    assert {topic for topic in topics if after[topic] != before[topic]} == {order}


async def test_without_a_broker_the_ids_of_topics_are_a_not_yet() -> None:
    with pytest.raises(NotYet):
        await TopicIds("127.0.0.1:1", answer_s=0.3).of(["any"])
