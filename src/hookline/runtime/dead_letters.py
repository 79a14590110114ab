"""Reads `webhooks.dead-letters` as the API asks: pages back from its end, and one letter at its place."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from time import monotonic
from typing import TypeVar

from confluent_kafka import KafkaException, Message

from hookline.core.letters import Bounds, Letter, Page, kept_bytes, newest_first, outlined, page_of
from hookline.runtime.kafka_client import at, bare, is_end, is_out_of_range, partitions_of, ungrouped
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.log import TopicPartition
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import DeadLetter, Place
from hookline.schemas.topics import Topics

_ANSWER_S = 10.0
_QUESTION_S = 5.0
_POLL_S = 0.05
_CHUNK = 10  # letters of each partition that are read at first: most ask for few, and each may bear a body of 256 KiB
_STRETCH_BYTES_MAX = 2 * 1024 * 1024  # of bodies that are held for each partition; with a page of them 32 MiB for eight
PAGE_BYTES_MAX = 16 * 1024 * 1024
LOOKED_AT_MAX = 5_000  # letters that one question looks at, whatever it wants
_WAITING_MAX = 10  # administrators who ask at once

_T = TypeVar("_T")
_Judge = Callable[[Letter], bool]


class DeadLetters:
    """Reads on one thread of its own, one question after the other."""

    def __init__(self, bootstrap_servers: str, *, topics: Topics, codec: Codec, answer_s: float = _ANSWER_S) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topics.dead_letters
        self._codec = codec
        self._answer_s = answer_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dead-letters")
        self._waiting = 0

    async def page(self, *, before: Mapping[int, int] | None, limit: int, is_wanted: Callable[[Letter], bool]) -> Page:
        """The newest letters that are wanted, going back from `before` (by partition, exclusive); None: from the end. NotYet.

        They come without their bytes.
        """
        return await self._ask(partial(self._page, before, limit, is_wanted, _none))

    async def whole_page(
        self, *, before: Mapping[int, int] | None, limit: int, is_wanted: Callable[[Letter], bool]
    ) -> Page:
        """The same with their bytes; a page ends with the letter with which it has 16 MiB of them."""
        return await self._ask(partial(self._page, before, limit, is_wanted, is_wanted))

    async def at(self, place: Place) -> Letter | None:
        """The letter at this place; None if there is none, or no longer. NotYet."""
        return await self._ask(partial(self._at, place))

    async def close(self) -> None:
        """End the thread, after the question that is being answered."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def _ask(self, question: Callable[["_Reading"], _T]) -> _T:
        if self._waiting >= _WAITING_MAX:
            raise NotYet(f"{self._waiting} others ask for dead letters")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._answered, question)
        finally:
            self._waiting -= 1

    def _answered(self, question: Callable[["_Reading"], _T]) -> _T:
        with closing(OwnedConsumer(_configuration(self._bootstrap_servers))) as consumer:
            try:
                return question(_Reading(consumer, self._topic, self._codec, monotonic() + self._answer_s))
            except KafkaException as error:
                raise NotYet(f"{self._topic} could not be read: {error.args[0].str()}") from error
            except TimeoutError as error:
                raise NotYet(str(error)) from error

    @staticmethod
    def _page(
        before: Mapping[int, int] | None, limit: int, is_wanted: _Judge, bears_bytes: _Judge, reading: "_Reading"
    ) -> Page:
        starts, ends = reading.bounds()
        if before is not None:
            ends = {partition: min(before.get(partition, 0), end) for partition, end in ends.items()}
        letters = newest_first(ends, starts, partial(reading.letters, bears_bytes=bears_bytes), chunk=_CHUNK)
        bounds = Bounds(letters=limit, looked_at=LOOKED_AT_MAX, held_bytes=PAGE_BYTES_MAX)
        return page_of(letters, ends, starts, is_wanted=is_wanted, bounds=bounds)

    @staticmethod
    def _at(place: Place, reading: "_Reading") -> Letter | None:
        starts, ends = reading.bounds()
        if not starts.get(place.partition, 0) <= place.offset < ends.get(place.partition, 0):
            return None
        found = reading.letters(place.partition, place.offset, place.offset + 1, bears_bytes=_all)
        return found[0] if found else None


class _Reading:
    """One question's consumer. Everything here blocks."""

    def __init__(self, consumer: OwnedConsumer, topic: str, codec: Codec, until_s: float) -> None:
        self._consumer = consumer
        self._topic = topic
        self._codec = codec
        self._until_s = until_s

    def bounds(self) -> tuple[dict[int, int], dict[int, int]]:
        """Where each partition begins, and where it ends."""
        starts, ends = dict[int, int](), dict[int, int]()
        for each in partitions_of(self._consumer, [self._topic]):
            found = self._consumer.get_watermark_offsets(bare(each), timeout=_QUESTION_S)
            if found is None:
                raise NotYet(f"the broker did not say where {self._topic} ends")
            starts[each.partition], ends[each.partition] = found
        return starts, ends

    def letters(self, partition: int, start: int, end: int, *, bears_bytes: _Judge) -> Sequence[Letter]:
        """The letters of a stretch, the oldest first; fewer, if retention takes some meanwhile.

        Those of which `bears_bytes` says so come with their bytes. Where that is too much only the newest come, at least one.
        """
        self._consumer.assign([at(TopicPartition(self._topic, partition), start)])
        found = _Stretch()
        while monotonic() < self._until_s:
            message = self._consumer.poll(_POLL_S)
            if message is None:
                continue
            if is_end(message) or is_out_of_range(message) or (message.offset() or 0) >= end:
                return found.letters
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            letter = self._letter(message)
            found.add(letter if bears_bytes(letter) else outlined(letter))
            if letter.place.offset == end - 1:
                return found.letters
        raise NotYet(f"{self._topic} could not be read in time")

    def _letter(self, message: Message) -> Letter:
        place = Place(partition=message.partition() or 0, offset=message.offset() or 0)
        return Letter(place=place, at_ms=message.timestamp()[1], record=self._record(message.value()))

    def _record(self, value: bytes | None) -> DeadLetter | None:
        try:
            return self._codec.decode(value, DeadLetter)
        except ContractError:
            return None


class _Stretch:
    """Letters as they are read, the newest of them where their bytes are too many."""

    def __init__(self) -> None:
        self.letters: deque[Letter] = deque()
        self._held_bytes = 0

    def add(self, letter: Letter) -> None:
        self.letters.append(letter)
        self._held_bytes += kept_bytes(letter)
        while self._held_bytes > _STRETCH_BYTES_MAX and len(self.letters) > 1:
            self._held_bytes -= kept_bytes(self.letters.popleft())


def _none(_letter: Letter) -> bool:
    return False


def _all(_letter: Letter) -> bool:
    return True


@asynccontextmanager
async def open_dead_letters(bootstrap_servers: str, *, topics: Topics, codec: Codec) -> AsyncIterator[DeadLetters]:
    """A reader for the block."""
    letters = DeadLetters(bootstrap_servers, topics=topics, codec=codec)
    try:
        yield letters
    finally:
        await letters.close()


def _configuration(bootstrap_servers: str) -> dict[str, str | int | bool]:
    return {
        **ungrouped(bootstrap_servers),
        "fetch.wait.max.ms": 10,
        "queued.max.messages.kbytes": 16 * 1024,
    }
