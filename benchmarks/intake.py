"""Attempts into a history store the way a history process takes them: bytes in, and only the consumer left out."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from hookline.processors.history import Ingest
from hookline.runtime.clock import SystemClock
from hookline.runtime.history import HistoryStore
from hookline.runtime.log import Commit, KafkaRecord, TopicPartition, Written
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.records import Attempt

PARTITIONS = 16
_READ_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Unused:
    """Where unreadable records would go; there are none."""

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> "asyncio.Future[Written]":
        raise AssertionError(f"{topic} was written to: {key!r}, {value!r}")


class Tap:
    """A `Reader` whose partitions are read together: paused as one, and gone on with where they were."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    async def wait_open(self) -> None:
        await self._open.wait()

    def pause(self, _partition: TopicPartition, *, resume_at: int) -> None:  # noqa: ARG002 - all of it waits
        self._open.clear()

    def resume(self, _partition: TopicPartition) -> None:
        self._open.set()

    def commit(self, commits: Mapping[TopicPartition, Commit]) -> None:
        """The store has its own positions."""

    def is_member(self) -> bool:
        return True


class Recorder:
    """Makes records of attempts, as Kafka has them."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._topic = settings.topics().attempts
        self._codec = codec
        self._offsets = [0] * PARTITIONS

    def record(self, attempt: Attempt) -> KafkaRecord:
        webhook, partition = attempt.subscription_id, partition_of(attempt)
        self._offsets[partition] += 1
        value = self._codec.encode(attempt)
        return KafkaRecord(self._topic, partition, self._offsets[partition], 0, webhook.encode(), value)


class Intake:
    """A history process without a consumer."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._tap = Tap()
        ingest.read_by(self._tap)

    async def take(self, records: Sequence[KafkaRecord]) -> float:
        """Have them all in the store; how many seconds it took."""
        began_s = time.perf_counter()
        for start in range(0, len(records), _READ_AT_ONCE):
            await self._tap.wait_open()
            self._ingest.received(records[start : start + _READ_AT_ONCE])
            await asyncio.sleep(0)
        while not self._ingest.is_idle:  # noqa: ASYNC110 - what is measured knows nothing of it
            await asyncio.sleep(0.001)
        return time.perf_counter() - began_s


@asynccontextmanager
async def taking_in(store: HistoryStore, settings: Settings, codec: Codec) -> AsyncIterator[Intake]:
    """What takes in while the block runs."""
    ingest = Ingest(
        store=store,
        writer=Unused(),
        topics=settings.topics(),
        codec=codec,
        metrics=Metrics(CollectorRegistry()),
        clock=SystemClock(),
    )
    intake = Intake(ingest)
    running = asyncio.create_task(ingest.run())
    try:
        yield intake
    finally:
        running.cancel()


def partition_of(attempt: Attempt) -> int:
    """The partition of the attempt's webhook."""
    return int(attempt.subscription_id[3:]) % PARTITIONS
