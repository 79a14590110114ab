"""The fan-out as a process on a real Kafka, and what its tests write and look at."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Place

from fakes.configuration import ACCOUNT, subscription
from fakes.fanout import CODEC, event
from fakes.kafka import read_until, write
from fakes.role_process import role_process
from hookline.core.ids import delivery_id
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.log import KafkaRecord, TopicPartition
from hookline.runtime.settings import Settings
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Delivery, Subscription


@asynccontextmanager
async def fanout(
    settings: Settings, folder: Path, name: str = "fanout", *, port: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A fan-out process; killed at the block's end if it is still there. `port`: of its metrics."""
    async with role_process(settings, folder / f"{name}.log", "fanout", port=port) as process:
        yield process


async def terminated(process: asyncio.subprocess.Process, *, within_s: float = 30) -> int:
    process.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(process.wait(), within_s)


def configure(settings: Settings, *subscriptions: Subscription) -> None:
    topic = settings.topics().subscriptions
    write(
        settings.bootstrap_servers,
        topic,
        [(each.subscription_id.encode(), CODEC.encode(each)) for each in subscriptions],
    )


def publish(settings: Settings, numbers: Sequence[int]) -> None:
    topic = settings.topics().events("order.created")
    write(
        settings.bootstrap_servers,
        topic,
        [(b"order_%d" % (number % 97), CODEC.encode_event(event(number))) for number in numbers],
    )


def ids_of(records: Sequence[KafkaRecord]) -> Counter[str]:
    return Counter(CODEC.decode(each.value, Delivery).delivery_id for each in records)


async def delivered(settings: Settings, count: int, *, timeout_s: float = 60) -> Counter[str]:
    """The ids on `webhooks.deliveries`, once at least `count` different ones are there."""
    topic = settings.topics().deliveries
    records = await asyncio.to_thread(
        read_until,
        settings.bootstrap_servers,
        topic,
        lambda found: len(found) >= count and len(ids_of(found)) >= count,
        timeout_s=timeout_s,
    )
    return ids_of(records)


def expected(numbers: Sequence[int], *subscriptions: Subscription) -> set[str]:
    return {delivery_id(ACCOUNT, f"evt_{number}", each.subscription_id) for number in numbers for each in subscriptions}


def wants_orders() -> Subscription:
    return subscription("http://127.0.0.1:1/", "order.created")


def publish_on_first(settings: Settings, numbers: Sequence[int]) -> None:
    """Events on partition 0."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for number in numbers:
        producer.produce(settings.topics().events("order.created"), CODEC.encode_event(event(number)), partition=0)
    assert producer.flush(30) == 0


def commit_as_fanout(settings: Settings, offset: int, metadata: str = "") -> None:
    """Leave the group's position on partition 0 here."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": settings.group("fanout")})
    place = Place(settings.topics().events("order.created"), 0, offset, metadata)
    consumer.commit(offsets=[place], asynchronous=False)
    consumer.close()


async def all_is_committed(settings: Settings, end: int) -> None:
    """Wait until partition 0 ends here and the group has committed that: the fan-out is not behind, and replays may begin."""
    partition = TopicPartition(settings.topics().events("order.created"), 0)
    ends = EndOffsets(settings.bootstrap_servers, group=settings.group("fanout"))
    found: tuple[int, int] | None = None
    async with asyncio.timeout(30):
        while found != (end, end):
            await asyncio.sleep(0.05)
            with contextlib.suppress(NotYet):  # the broker's coordinator of a new group may take its time
                found = (await ends.backlog([partition]))[partition]
    await ends.close()
