"""In a rolling upgrade a reader meets what a newer release wrote: it stops there, and whoever is upgraded reads on."""

import asyncio
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry

from fakes.configuration import delivery, subscription
from fakes.dispatching import CODEC, SETTINGS, TOPICS, dispatching, until
from fakes.endpoint import endpoint
from fakes.records import attempt
from hookline.processors.history import Ingest
from hookline.processors.storable import Storable
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import Commit, TopicPartition
from hookline.runtime.memory import MemoryBroker, MemoryReader, MemoryWriter
from hookline.runtime.metrics import Metrics
from hookline.schemas.records import Attempt

NEWER = b"\xc3\x01\x00\x00\x00\x00\x00\x00\x00\x01" + b"a body that only a newer release can read"
SHORT = TOPICS.retry(SETTINGS.retry_tiers[0])
_LOOKS = 20  # chances to do what is wrong


async def test_a_dispatcher_stops_at_a_delivery_of_a_newer_release_and_buries_nothing() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to), delivery(to))
        running.broker.append(TOPICS.deliveries, b"k", NEWER)
        running.deliver(delivery(to))
        running.replay(delivery(to))
        await until(lambda: (running.committed(), running.committed(TOPICS.replays)) == (2, 1))
        await asyncio.sleep(_LOOKS * SETTINGS.commit_interval_ms / 1_000)
        assert running.committed() == 2
    assert len(seen) == 3
    assert running.broker.records(TOPICS.dead_letters) == []


async def test_what_lay_before_the_commit_is_passed_over_whoever_wrote_it() -> None:
    async with endpoint(200) as (url, _seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.reader.lose()
        partition = TopicPartition(TOPICS.deliveries, 0)
        running.broker.append(TOPICS.deliveries, b"k", NEWER)
        running.broker.commit("dispatchers", {partition: Commit(1)})
        running.deliver(delivery(to))
        running.reader.start()
        running.reader.pause(partition, resume_at=0)  # back to the beginning, for the memory of repeats
        running.reader.resume(partition)
        await until(lambda: running.committed() == 2)


async def test_the_forwarder_stops_at_a_delivery_of_a_newer_release() -> None:
    async with endpoint(200) as (url, seen), dispatching(forwarding=True) as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to), lane=SHORT)
        running.broker.append(SHORT, b"k", NEWER)
        running.deliver(delivery(to), lane=SHORT)
        await seen.wait_for(1)
        await asyncio.sleep(SETTINGS.retry_tiers[0] / 1_000 + _LOOKS * SETTINGS.commit_interval_ms / 1_000)
        found = running.broker.committed("forwarders", TopicPartition(SHORT, 0))
    assert (len(seen), found and found.offset) == (1, 1)
    assert running.broker.records(TOPICS.dead_letters) == []


class _Stored:
    """A `Store` in memory."""

    def __init__(self) -> None:
        self.records: list[Storable] = []
        self.at: dict[TopicPartition, int] = {}

    async def ingest(
        self,
        records: Sequence[Storable],
        offsets: Mapping[TopicPartition, int],
        *,
        left_at: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        self.records.extend(records)
        self.at |= offsets

    async def offsets(self, topic: str) -> Mapping[int, int]:
        return {each.partition: offset for each, offset in self.at.items() if each.topic == topic}


async def test_history_waits_at_an_attempt_of_a_newer_release_and_says_so() -> None:
    clock, store = SystemClock(), _Stored()
    broker = MemoryBroker(clock)
    for topic in (TOPICS.attempts, TOPICS.audit, TOPICS.dead_letters):
        broker.create(topic)
    writer, metrics = MemoryWriter(broker), Metrics(CollectorRegistry())
    ingest = Ingest(store=store, writer=writer, topics=TOPICS, codec=CODEC, metrics=metrics, clock=clock)
    reader = MemoryReader(broker, group="history", topics=ingest.topics(), handler=ingest)
    ingest.read_by(reader)
    good = [attempt(event=f"evt_{number}") for number in range(3)]
    for value in (CODEC.encode(good[0]), b"nonsense", CODEC.encode(good[1]), NEWER, CODEC.encode(good[2])):
        broker.append(TOPICS.attempts, b"k", value)
    storing = asyncio.create_task(ingest.run())
    assert ingest.stopped.complaint() is None
    reader.start()
    await until(lambda: len(store.records) == 2 and ingest.is_idle)
    storing.cancel()
    assert [each.attempt_id for each in store.records if isinstance(each, Attempt)] == [
        each.attempt_id for each in good[:2]
    ]
    assert store.at[TopicPartition(TOPICS.attempts, 0)] == 3
    assert len(broker.records(TOPICS.dead_letters)) == 1  # what is nobody's is buried as before
    assert (
        ingest.stopped.complaint()
        == f"{TOPICS.attempts}[0]: the record at 3 is of a newer release; upgrade this process"
    )
