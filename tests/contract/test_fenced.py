"""A process that another one with the same stable name has replaced must end: it reads and commits no more."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from prometheus_client import CollectorRegistry

from fakes.configuration import short_settings
from fakes.kafka import make_topics
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_reader import KafkaReader, reading
from hookline.runtime.log import Commit, KafkaRecord, Position, TopicPartition
from hookline.runtime.metrics import Metrics

pytestmark = pytest.mark.kafka


class Idle:
    """A handler that only says when it has got its partitions."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    def assigned(self, positions: Sequence[Position]) -> None:
        self.began.set()

    def received(self, records: Sequence[KafkaRecord]) -> None:
        raise AssertionError(records)

    async def revoking(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        return {}

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """It will hear no more of them."""


async def test_a_reader_whose_name_another_has_taken_says_that_it_is_over(bootstrap: str, prefix: str) -> None:
    config = await config_of(bootstrap, prefix)
    ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    metrics = Metrics(CollectorRegistry())
    first, second = Idle(), Idle()
    async with reading(KafkaReader(config, first, metrics=metrics, on_fatal=ended.set_result)):
        await asyncio.wait_for(first.began.wait(), 30)
        async with reading(KafkaReader(config, second, metrics=metrics, on_fatal=unexpected)):
            error = await asyncio.wait_for(ended, 30)
    assert isinstance(error, KafkaException)
    assert error.args[0].code() in {KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID}


async def test_a_client_that_fences_itself_when_a_broker_was_away_begins_anew(tmp_path: Path, cache_dir: Path) -> None:
    """Whoever commits all the time commits also when the session is just over: for the broker that is an impostor's commit."""
    ended: list[BaseException] = []
    handler, metrics = Idle(), Metrics(CollectorRegistry())
    async with broker_in(tmp_path / "kafka", cache_dir) as broker:
        config = await config_of(broker.bootstrap_servers, "f.")
        reader = KafkaReader(config, handler, metrics=metrics, on_fatal=ended.append)
        async with reading(reader):
            await asyncio.wait_for(handler.began.wait(), 30)
            await commit_through_outages(reader, broker, session_timeout_s=config.session_timeout_s)
    assert ended == []


async def config_of(bootstrap: str, prefix: str) -> ReaderConfig:
    """Of a reader with a stable name, whose topics are there."""
    settings = short_settings(bootstrap, prefix)
    topics = settings.topics()
    await asyncio.to_thread(make_topics, bootstrap, topics)
    return ReaderConfig(
        bootstrap_servers=bootstrap,
        group=settings.group("readers"),
        topics=(topics.deliveries,),
        instance_id="reader-1",
        session_timeout_s=settings.session_timeout_s,
    )


@asynccontextmanager
async def broker_in(data_dir: Path, cache_dir: Path) -> AsyncIterator[EmbeddedKafka]:
    """A broker of this test's own, which it may kill."""
    broker = EmbeddedKafka(data_dir=data_dir, cache_dir=cache_dir, env=os.environ, say=print)
    await asyncio.to_thread(broker.start)
    try:
        yield broker
    finally:
        await asyncio.to_thread(broker.stop)


async def commit_through_outages(reader: KafkaReader, broker: EmbeddedKafka, *, session_timeout_s: float) -> None:
    """The broker is away for about a session's time, twice; each time the reader has to come back."""
    committing = asyncio.create_task(commit_again_and_again(reader))
    for away_s in (1.0, 2.5):
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(away_s)  # and as long as it takes to start: about a session's time
        await asyncio.to_thread(broker.start)
        await asyncio.sleep(session_timeout_s / 2)  # until it has noticed, if it does
        await asyncio.wait_for(reads_again(reader), 30)
    committing.cancel()


async def reads_again(reader: KafkaReader) -> None:
    while reader.complaint() is not None or not reader.assigned():
        await asyncio.sleep(0.05)


async def commit_again_and_again(reader: KafkaReader) -> None:
    while True:
        reader.commit({each: Commit(0, "") for each in reader.assigned()})
        await asyncio.sleep(0.01)


def unexpected(error: BaseException) -> None:
    raise error
