"""Where reading of newly assigned partitions begins."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

import confluent_kafka
from confluent_kafka import Consumer, KafkaException

from hookline.runtime.kafka_client import CALL_S, at, bare, partition_of
from hookline.runtime.log import Position, TopicPartition

_REWIND_RECORDS_MAX = 10_000
_REWIND_RECORDS_MIN = 500  # also when they are older: traffic may have stopped before the copies come

Committed = Sequence[confluent_kafka.TopicPartition]
Found = tuple[Sequence[Position], Sequence[TopicPartition]]


def said(
    asked: "Future[Mapping[TopicPartition, int]]", partitions: Sequence[TopicPartition], *, within_s: float = CALL_S
) -> Committed:
    """What the handler says; TimeoutError, and the question is withdrawn, when it takes too long."""
    try:
        known = asked.result(within_s)
    except TimeoutError:
        asked.cancel()  # it is asked again, and two that wait for the same store would be one too many
        raise
    return [at(each, known.get(each, -1)) for each in partitions]


def committed_by_group(consumer: Consumer, partitions: Sequence[TopicPartition]) -> Committed:
    """What the group committed."""
    return consumer.committed([bare(each) for each in partitions], timeout=CALL_S)


def checked(consumer: Consumer, committed: Committed, *, rewind_ms: int) -> Found:
    """Where to begin, and which partitions' positions were out of range: those begin at their start."""
    positions, resets = [], []
    since = _rewound(consumer, committed, rewind_ms)
    for each in committed:
        if each.error is not None:
            raise KafkaException(each.error)  # -1001 would read as "nothing committed"
        partition = partition_of(each)
        low, high = watermarks(consumer, partition)
        if each.offset < 0:
            positions.append(Position(partition, low, None, ""))
        elif low <= each.offset <= high:
            start = max(low, min(each.offset, since.get(partition, each.offset)))
            positions.append(Position(partition, start, each.offset, each.metadata or ""))
        else:
            resets.append(partition)
            positions.append(Position(partition, low, None, ""))
    return positions, resets


def watermarks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """The first offset there is, and the one that the next record will have, as the broker says now."""
    found = consumer.get_watermark_offsets(bare(partition), timeout=CALL_S)
    if found is None:
        raise TimeoutError(f"the broker did not say within {CALL_S:.0f} s where {partition.topic} begins and ends")
    low, high = found
    return low, high


def _rewound(consumer: Consumer, committed: Committed, rewind_ms: int) -> Mapping[TopicPartition, int]:
    if not rewind_ms:
        return {}
    since_ms = time.time_ns() // 1_000_000 - rewind_ms
    known = {partition_of(each): each.offset for each in committed if each.offset > 0}
    found = consumer.offsets_for_times([at(each, since_ms) for each in known], timeout=CALL_S) if known else []
    by_time = {partition_of(each): each.offset for each in found if each.offset >= 0}
    return {
        each: max(offset - _REWIND_RECORDS_MAX, min(offset - _REWIND_RECORDS_MIN, by_time.get(each, offset)))
        for each, offset in known.items()
    }
