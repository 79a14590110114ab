"""The log of events, read from a time on by whoever asks: which stretch of each partition that is, and what lies there.

A reading joins no group and commits nothing: how far it is is for its owner to keep.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from confluent_kafka import OFFSET_END, KafkaException

from hookline.runtime.event_log_thread import ReadingThread
from hookline.runtime.kafka_client import CALL_S, at, partition_of, partitions_of, ungrouped
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.log import KafkaRecord, TopicPartition
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import JobPosition

__all__ = ["EventLog", "LogReading", "Picked", "Stretch"]

_log = logging.getLogger("hookline.log")
# Records bear their producer's time, and clocks differ: a stretch ends at the first record that is later by this much.
_CLOCKS_MS = 3_600_000

T = TypeVar("T")
Pick = Callable[[KafkaRecord], T | None]


class Picked(NamedTuple, Generic[T]):
    """What was picked of one record, which was number `number` (from 1) of its stretch."""

    number: int
    offset: int
    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch(Generic[T]):
    """What was read of one partition, in order; reading is at `position` now.

    `lost` records were gone before they were read, of `looked_at` others `unreadable` could not be understood.
    """

    partition: TopicPartition
    position: int
    picked: Sequence[Picked[T]] = ()
    looked_at: int = 0
    unreadable: int = 0
    lost: int = 0


class LogReading(Generic[T]):
    """Reads stretches of several partitions side by side. Nothing is read ahead but what the client's small queue holds."""

    def __init__(self, thread: ThreadPoolExecutor, reading: ReadingThread, pick: Pick[T]) -> None:
        self._thread = thread
        self._reading = reading
        self._pick = pick

    @property
    def is_done(self) -> bool:
        """Whether every partition has been read to its end."""
        return self._reading.is_done

    async def next(self) -> Sequence[Stretch[T]]:
        """What comes next, at most a few hundred records; nothing if none came within a fifth of a second, whatever the reason."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._next)

    def _next(self) -> Sequence[Stretch[T]]:
        taken = self._reading.take()
        return [self._stretch(each.partition, each.position, each.records, each.lost) for each in taken]

    def _stretch(
        self, partition: TopicPartition, position: int, records: Sequence[KafkaRecord], lost: int
    ) -> Stretch[T]:
        picked, unreadable = list[Picked[T]](), 0
        for number, record in enumerate(records, start=1):
            try:
                value = self._pick(record)
            except ContractError:
                unreadable += 1
                continue
            except Exception as error:  # noqa: BLE001 - a bug that one record meets must not stop the reading
                _log.error("event.not_understood", extra={**_place(record), "error": type(error).__name__})
                unreadable += 1
                continue
            if value is not None:
                picked.append(Picked(number, record.offset, value))
        return Stretch(
            partition=partition,
            position=position,
            picked=picked,
            looked_at=len(records),
            unreadable=unreadable,
            lost=lost,
        )


class EventLog:
    """Topics of a log, to be read from a time on. Each reading has a thread and a consumer of its own."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._configuration = _configuration(bootstrap_servers)

    async def bounds(self, topics: Sequence[str], *, since_ms: int, until_ms: int) -> Sequence[JobPosition]:
        """The stretch of each partition in which all records of this time lie that are there now; NotYet.

        It may hold others as well: records bear the time of their producers.
        """
        if not topics:
            return []
        return await asyncio.to_thread(partial(self._bounds, topics, since_ms, until_ms))

    @asynccontextmanager
    async def reading(self, positions: Sequence[JobPosition], pick: Pick[T]) -> AsyncIterator[LogReading[T]]:
        """A reading for the block, from each `position` to before each `end`. `pick` runs in the reading's thread.

        What `pick` makes of a record is kept unless it is None; ContractError counts it as unreadable.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="event-log")
        opened = thread.submit(ReadingThread, self._configuration, positions)
        try:
            yield LogReading(thread, await asyncio.wrap_future(opened), pick)
        finally:
            thread.submit(_close, opened)
            thread.shutdown(wait=False)

    def _bounds(self, topics: Sequence[str], since_ms: int, until_ms: int) -> Sequence[JobPosition]:
        try:
            with closing(OwnedConsumer(self._configuration)) as consumer:
                partitions = partitions_of(consumer, topics)
                ends = _offsets(consumer, dict.fromkeys(partitions, OFFSET_END))
                starts = _offsets(consumer, dict.fromkeys(partitions, max(0, since_ms)))
                laters = _offsets(consumer, dict.fromkeys(partitions, max(0, until_ms) + _CLOCKS_MS))
        except KafkaException as error:
            raise NotYet(f"the broker did not say where the log begins: {error.args[0].str()}") from error
        except TimeoutError as error:
            raise NotYet(str(error)) from error
        return [_bound(each, starts, min(ends[each], _or_end(laters, ends, each)), ends) for each in partitions]


def _place(record: KafkaRecord) -> dict[str, object]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


def _bound(
    partition: TopicPartition, starts: Mapping[TopicPartition, int], end: int, ends: Mapping[TopicPartition, int]
) -> JobPosition:
    start = min(_or_end(starts, ends, partition), end)
    return JobPosition(topic=partition.topic, partition=partition.partition, start=start, position=start, end=end)


def _or_end(found: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int], partition: TopicPartition) -> int:
    """No record of that time or later: what is there ends before it."""
    return found[partition] if found[partition] >= 0 else ends[partition]


def _offsets(consumer: OwnedConsumer, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
    asked = consumer.offsets_for_times([at(each, time_ms) for each, time_ms in times.items()], timeout=CALL_S)
    for each in asked:
        if each.error is not None:
            raise KafkaException(each.error)
    return {partition_of(each): each.offset for each in asked}


def _close(opened: "Future[ReadingThread]") -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


def _configuration(bootstrap_servers: str) -> dict[str, str | int | bool]:
    return {
        **ungrouped(bootstrap_servers),
        # An offset that is gone is an error: what is gone is counted, and not passed over in silence.
        "fetch.wait.max.ms": 50,
        # Read ahead at most so much, all partitions together: several jobs run in one process.
        "queued.max.messages.kbytes": 4 * 1024,
        "queued.min.messages": 5_000,
        "fetch.max.bytes": 2 * 1024 * 1024,
        "fetch.message.max.bytes": 512 * 1024,
        "fetch.queue.backoff.ms": 5,  # the default of 1 s makes gaps whenever the queue is full
    }
