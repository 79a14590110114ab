"""While the database works on a transaction, what comes next is read: else each would wait for the other."""

import asyncio
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry

from fakes.dispatching import CODEC, TOPICS, until
from fakes.records import attempt
from hookline.processors.history import BATCH_MAX, Ingest
from hookline.processors.storable import Storable
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import TopicPartition
from hookline.runtime.memory import MemoryBroker, MemoryReader, MemoryWriter
from hookline.runtime.metrics import Metrics


class _Busy:
    """A `Store` that says how much it was given at a time, and takes as long as it is told."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.may_end = asyncio.Event()

    async def ingest(
        self,
        records: Sequence[Storable],
        offsets: Mapping[TopicPartition, int],
        *,
        left_at: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        self.given.append(len(records))
        await self.may_end.wait()

    async def offsets(self, topic: str) -> Mapping[int, int]:
        return {}


async def test_reading_goes_on_while_a_full_transaction_is_stored_and_stops_before_it_is_too_much() -> None:
    broker, store, clock = MemoryBroker(SystemClock()), _Busy(), SystemClock()
    broker.create(TOPICS.attempts)
    value = CODEC.encode(attempt())
    for _ in range(5 * BATCH_MAX):
        broker.append(TOPICS.attempts, b"k", value)
    metrics = Metrics(CollectorRegistry())
    ingest = Ingest(store=store, writer=MemoryWriter(broker), topics=TOPICS, codec=CODEC, metrics=metrics, clock=clock)
    reader = _Counting(broker, group="history", topics=(TOPICS.attempts,), handler=ingest)
    ingest.read_by(reader)
    reader.start()
    await until(lambda: reader.paused == 1)
    waits = reader.read
    running = asyncio.create_task(ingest.run())
    await until(lambda: reader.paused == 2)  # there is room again for what was taken, and nothing is stored yet
    assert store.given == [BATCH_MAX]
    assert waits + BATCH_MAX <= reader.read < waits + BATCH_MAX + 1_000
    running.cancel()


class _Counting(MemoryReader):
    paused = read = 0

    def pause(self, partition: TopicPartition, *, resume_at: int) -> None:
        self.paused += 1
        self.read = resume_at
        super().pause(partition, resume_at=resume_at)
