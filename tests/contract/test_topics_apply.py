"""`hookline topics apply` and `diff` on topics that an operator has changed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from fakes.commands import command
from fakes.kafka import change_topic, make_topics
from hookline.core.topic_differences import Partitions
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.settings import Settings
from hookline.schemas.topics import Topic, Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
DAY_MS = 86_400_000
SMALL = ("--size", "embedded")


@pytest.fixture
async def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = Settings(bootstrap_servers=bootstrap, topic_prefix=prefix, data_dir=tmp_path, event_retention_days=9)
    await asyncio.to_thread(make_topics, bootstrap, made.topics())
    return made


async def retention_of(settings: Settings, topic: str) -> str | None:
    """What is said of a topic's retention when 1 ms is wanted, so that there is always something to say."""
    admin = TopicAdmin(settings.bootstrap_servers, size=Size.EMBEDDED)
    wanted = Topic(name=topic, key="", holds="", partitions=1, partitions_embedded=1, retention_ms=1)
    found = await asyncio.to_thread(admin.diff, [wanted])
    return next((each.found for each in found if each.what == "retention.ms"), None)


async def partitions_of(settings: Settings, topic: str) -> int:
    client = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    return len((await asyncio.to_thread(client.list_topics, timeout=15)).topics[topic].partitions)


async def becomes(wanted: object, asked: Callable[[], Awaitable[object]]) -> None:
    """A broker says so a moment after its controller."""
    async with asyncio.timeout(30):
        while await asked() != wanted:
            await asyncio.sleep(0.05)


async def keep_for(settings: Settings, topic: str, retention_ms: str) -> None:
    """What an operator may do, and until the broker says so as well."""
    await asyncio.to_thread(change_topic, settings.bootstrap_servers, topic, "retention.ms", retention_ms)
    await becomes(retention_ms, lambda: retention_of(settings, topic))


async def test_event_topics_are_made_with_the_retention_of_the_settings(settings: Settings) -> None:
    await becomes(str(9 * DAY_MS), lambda: retention_of(settings, settings.topics().events("order.created")))
    done = await command(settings, "topics", "diff", *SMALL)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("longer", [str(90 * DAY_MS), "-1"])
async def test_a_retention_that_an_operator_raised_is_said_and_stays(settings: Settings, longer: str) -> None:
    topic = settings.topics().events("order.created")
    await keep_for(settings, topic, longer)
    said = f"{topic}: retention.ms is {longer}, wanted {9 * DAY_MS}; "
    done = await command(settings, "topics", "diff", *SMALL)
    assert (done.returncode, done.stdout) == (0, f"{said}`apply` leaves it\n")
    done = await command(settings, "topics", "apply", *SMALL)
    assert (done.returncode, done.stdout) == (0, f"{said}left as it is\n")
    assert await retention_of(settings, topic) == longer


async def test_a_topic_without_a_retention_of_its_own_has_the_brokers(settings: Settings) -> None:
    topics = Topics(f"{settings.topic_prefix}other.", domains=("plain",), event_retention_days=1)
    (plain,) = topics.all_events()
    client = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    await asyncio.to_thread(client.create_topics([NewTopic(plain, num_partitions=4)])[plain].result, 15)
    weekly = str(7 * DAY_MS)  # Kafka's own, which is longer than the day that is wanted
    await becomes(weekly, lambda: retention_of(settings, plain))
    admin = TopicAdmin(settings.bootstrap_servers, size=Size.EMBEDDED)
    await asyncio.to_thread(admin.apply, topics.specifications())
    assert await retention_of(settings, plain) == weekly


async def test_a_retention_that_is_too_short_is_raised(settings: Settings) -> None:
    topic = settings.topics().deliveries
    await keep_for(settings, topic, "1000")
    assert (await command(settings, "topics", "diff", *SMALL)).returncode == 1
    done = await command(settings, "topics", "apply", *SMALL)
    assert done.stdout == f"{topic}: retention.ms was 1000, now {7 * DAY_MS}\n"


async def test_a_size_that_is_not_that_of_the_first_time_changes_nothing(settings: Settings) -> None:
    topics = settings.topics()
    await keep_for(settings, topics.deliveries, "1000")
    done = await command(settings, "topics", "apply", "--replication", "1")
    assert done.returncode == 2
    assert "partitions is 4, wanted 24; growing moves keys" in done.stderr
    assert await partitions_of(settings, topics.deliveries) == 8
    assert await retention_of(settings, topics.deliveries) == "1000"


async def test_topics_that_are_kept_small_on_purpose_are_as_they_should_be(settings: Settings) -> None:
    for told, status in (((), 1), (("--partitions", "keep"), 0)):
        done = await command(settings, "topics", "diff", *told)
        assert done.returncode == status
        assert f"{settings.topics().deliveries}: partitions is 8, wanted 64" in done.stdout


async def test_topics_that_are_kept_or_grown_are_what_was_asked_for(settings: Settings) -> None:
    topic = settings.topics().events("order.created")
    for told, has in ((Partitions.KEEP, 4), (Partitions.GROW, 24)):
        done = await command(settings, "topics", "apply", "--replication", "1", "--partitions", told, "--json")
        assert done.returncode == 0
        (of_events,) = [each for each in json.loads(done.stdout) if each["topic"] == topic]
        assert of_events["left"] is (told is Partitions.KEEP)
        await becomes(has, lambda: partitions_of(settings, topic))
