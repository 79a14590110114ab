"""Partitions that stop at a record which a newer release wrote: nothing may be lost, and only a newer process can read it.

Schemas are known from a process's start on, so looking again would find the same: a newer process takes the partition over.
"""

import logging
from collections.abc import Iterable

from hookline.runtime.log import KafkaRecord, Reader, TopicPartition
from hookline.schemas.errors import UnknownSchema


class StoppedPartitions:
    """Says once for each of them where it stopped, and on `/readyz` as long as it is ours."""

    def __init__(self, log: logging.Logger, *, says: str) -> None:
        """`says`: the log's word for it."""
        self._log = log
        self._says = says
        self._at: dict[TopicPartition, int] = {}

    def __contains__(self, partition: TopicPartition) -> bool:
        return partition in self._at

    def stop(self, reader: Reader | None, record: KafkaRecord, error: UnknownSchema) -> None:
        """Neither this record nor what comes after it on its partition is read any more."""
        partition = TopicPartition(record.topic, record.partition)
        self._at[partition] = record.offset
        if reader is not None:
            reader.pause(partition, resume_at=record.offset)
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        self._log.error(self._says, extra={**where, "reason": str(error)})

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """They are not ours any more, or anew."""
        for each in partitions:
            self._at.pop(each, None)

    def complaint(self) -> str | None:
        """Where reading has stopped; None if nowhere."""
        for (topic, partition), offset in self._at.items():
            more = f" (and {len(self._at) - 1} more partitions)" if len(self._at) > 1 else ""
            return f"{topic}[{partition}]: the record at {offset} is of a newer release{more}; upgrade this process"
        return None
