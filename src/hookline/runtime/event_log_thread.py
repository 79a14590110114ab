"""What a reading of the log does in its thread: everything here blocks, and is called by the one thread that made it."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from confluent_kafka import KafkaException, Message

from hookline.runtime.kafka_client import (
    at,
    bare,
    is_end,
    is_fatal,
    is_out_of_range,
    place_of,
    record_of,
)
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.kafka_positions import watermarks
from hookline.runtime.log import KafkaRecord, TopicPartition
from hookline.schemas.records import JobPosition

_log = logging.getLogger("hookline.log")
_POLL_S = 0.2
_AT_ONCE = 500
# A new leader may not know for a moment how far its partition is; one that ends too early for longer was cut off, or made anew.
_SHORT_S = 30.0


class Taken(NamedTuple):
    """What was read of a partition, and where reading is now; `lost` records before that were gone."""

    partition: TopicPartition
    position: int
    records: Sequence[KafkaRecord]
    lost: int


class ReadingThread:
    """A consumer with a stretch for each of its partitions."""

    def __init__(self, configuration: Mapping[str, object], positions: Sequence[JobPosition]) -> None:
        left = [each for each in positions if each.position < each.end]
        self._position = {TopicPartition(each.topic, each.partition): each.position for each in left}
        self._end = {TopicPartition(each.topic, each.partition): each.end for each in left}
        self._astray: set[TopicPartition] = set()  # their positions are none of theirs
        self._short: dict[TopicPartition, float] = {}  # since when they end too early
        self._consumer = OwnedConsumer(configuration)
        self._consumer.assign([at(partition, position) for partition, position in self._position.items()])

    @property
    def is_done(self) -> bool:
        return not self._position

    def take(self) -> Sequence[Taken]:
        """What comes within a fifth of a second."""
        records: dict[TopicPartition, list[KafkaRecord]] = {}
        found = self._found_again()
        for message in self._polled():
            partition = place_of(message)
            if partition not in self._position:
                continue
            if message.error() is not None:
                self._heed(message, partition)
            elif (message.offset() or 0) >= self._end[partition]:
                self._position[partition] = self._end[partition]
            else:
                records.setdefault(partition, []).append(record_of(message))
                self._position[partition] = (message.offset() or 0) + 1
        done = [each for each, position in self._position.items() if position >= self._end[each]]
        told = [Taken(each, self._position[each], records.get(each, ()), 0) for each in {*records, *done}]
        for each in done:
            self._finish(each)
        return [*found, *told]

    def close(self) -> None:
        with suppress(KafkaException):
            self._consumer.close()

    def _polled(self) -> Sequence[Message]:
        message = self._consumer.poll(_POLL_S)
        if message is None:
            return ()
        # consume(n, t) would wait out t; after a poll, 0 takes what is there.
        return (message, *self._consumer.consume(_AT_ONCE - 1, 0))

    def _heed(self, message: Message, partition: TopicPartition) -> None:
        error = message.error()
        if error is None:
            return
        if is_out_of_range(message):
            self._astray.add(partition)
        elif is_end(message):
            self._note_end(partition, message.offset() or 0)
        elif is_fatal(error):
            raise KafkaException(error)
        else:
            _log.warning("log.read_failed", extra={"topic": partition.topic, "error": error.str()})

    def _note_end(self, partition: TopicPartition, offset: int) -> None:
        """What lies between the last record and the end (markers of transactions) bears nothing for us."""
        if offset >= self._end[partition]:
            self._position[partition] = self._end[partition]
        else:
            self._short[partition] = monotonic()

    def _found_again(self) -> Sequence[Taken]:
        """Of partitions whose positions were lost: where reading goes on, and what was missed by that."""
        late = [each for each, since_s in self._short.items() if monotonic() > since_s + _SHORT_S]
        found = list[Taken]()
        for partition in {*self._astray, *late}:
            try:
                found.append(self._begin_again(partition))
            except (KafkaException, TimeoutError) as error:
                _log.warning("log.awaited", extra={"error": str(error)})
        return found

    def _begin_again(self, partition: TopicPartition) -> Taken:
        low, high = watermarks(self._consumer, partition)
        self._astray.discard(partition)
        self._short.pop(partition, None)
        before, end = self._position[partition], self._end[partition]
        is_cut = high < end and low <= before  # made anew, or cut off: what was to be read is no more
        position = end if is_cut else min(max(low, before), end)
        self._position[partition] = position
        self._consumer.incremental_unassign([bare(partition)])
        if position < end:
            self._consumer.incremental_assign([at(partition, position)])
        else:
            self._forget(partition)
        if position > before:
            _log.warning("log.records_lost", extra={**partition._asdict(), "records": position - before})
        return Taken(partition, position, (), position - before)

    def _finish(self, partition: TopicPartition) -> None:
        self._consumer.incremental_unassign([bare(partition)])
        self._forget(partition)

    def _forget(self, partition: TopicPartition) -> None:
        for each in (self._position, self._end, self._short):
            each.pop(partition, None)
        self._astray.discard(partition)
