"""When the history store holds everything that Kafka held at some moment."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import NotYet

_LOOK_EVERY_S = 0.2
_SAY_EVERY = 25  # looks


class Reading(Protocol):
    """How far topics have been read (`hookline.runtime.kafka_reader.KafkaReader`)."""

    def assigned(self) -> Sequence[TopicPartition]: ...

    def positions(self) -> Mapping[TopicPartition, int]: ...


class Storing(Protocol):
    """Whether what was read is in the store (`hookline.processors.history.Ingest`)."""

    @property
    def is_idle(self) -> bool: ...


class Ends(Protocol):
    """Where topics end (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]: ...


async def until_all_is_read(
    storing: Storing, reading: Sequence[Reading], ends: Ends, *, say: Callable[[], None]
) -> None:
    """Wait until all is stored that lay on our partitions when they became ours; `say` is called now and then."""
    wanted: dict[TopicPartition, int] = {}
    looks = 0
    while not (all(_is_read(each, wanted) for each in reading) and storing.is_idle):
        await asyncio.sleep(_LOOK_EVERY_S)
        looks += 1
        if looks % _SAY_EVERY == 0:
            say()
        try:
            new = [each for of in reading for each in of.assigned() if each not in wanted]
            wanted |= await ends.ends(new)
        except NotYet:
            continue  # the broker is away for now


def _is_read(reading: Reading, wanted: Mapping[TopicPartition, int]) -> bool:
    """Whether it has partitions, and all of them were read to the end that is wanted."""
    positions, mine = reading.positions(), reading.assigned()
    return bool(mine) and all(each in wanted and positions.get(each, -1) >= wanted[each] for each in mine)
