"""Single records of one topic, read at their places by threads that keep a consumer for it.

A consumer that is made for one record takes 9 ms and fetches 1.3 MB of what lies behind it; one that is kept, and asks for one
batch at a time, takes 0.3 ms and fetches that batch (medians of 300 readings here).
"""

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic

import confluent_kafka
from confluent_kafka import KafkaException

from hookline.runtime.kafka_client import is_end, is_out_of_range, record_of, ungrouped
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.log import KafkaRecord
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Place

_AT_ONCE = 2  # threads: so that a partition without a leader does not hold up all others
_WAITING_MAX = 100  # beyond it the answer is "not now", and nobody waits
_POLL_S = 0.1  # how long a close waits at most for a reading under way
_SILENCE_S = 1.0  # a hundred times what a reading takes: by then it is asked whether there is such a partition
_STOP_S = 10.0
_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Wish:
    place: Place
    until_s: float
    answer: "Future[KafkaRecord | None]"


class Places:
    """Reads single records. Between two readings nothing is fetched."""

    def __init__(self, bootstrap_servers: str, topic: str, *, answer_s: float) -> None:
        self._topic = topic
        self._answer_s = answer_s
        self._wishes: SimpleQueue[_Wish | None] = SimpleQueue()
        self._closing = threading.Event()
        self._waiting = 0
        self._threads = [_Reading(bootstrap_servers, topic, self._wishes, self._closing) for _ in range(_AT_ONCE)]

    def start(self) -> None:
        """Let there be readings. No connection is made before the first one."""
        for thread in self._threads:
            thread.start()

    async def at(self, place: Place) -> KafkaRecord | None:
        """The record at this place; None if there is none, or none any more. NotYet if Kafka does not answer in time."""
        if self._closing.is_set() or self._waiting >= _WAITING_MAX:
            raise NotYet(f"{self._topic} is not read now: {self._waiting} readings wait")
        wish = _Wish(place, monotonic() + self._answer_s, Future())
        self._wishes.put(wish)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._answer_s + _GRACE_S):
                return await asyncio.wrap_future(wish.answer)
        except TimeoutError as error:
            raise NotYet(_late(self._topic)) from error
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the threads. Whoever waits is told NotYet."""
        self._closing.set()
        for _ in self._threads:
            self._wishes.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, _STOP_S)


class _Reading(threading.Thread):
    """Reads one record after the other, with a consumer that is made anew after it failed."""

    def __init__(
        self, bootstrap_servers: str, topic: str, wishes: "SimpleQueue[_Wish | None]", closing: threading.Event
    ) -> None:
        super().__init__(name=f"places-of-{topic}", daemon=True)
        self._configuration = _configuration(bootstrap_servers)
        self._topic = topic
        self._wishes = wishes
        self._closing = closing
        self._consumer: OwnedConsumer | None = None

    def run(self) -> None:
        while (wish := self._wishes.get()) is not None:
            if wish.answer.set_running_or_notify_cancel():
                self._fulfil(wish)
        self._drop()

    def _fulfil(self, wish: _Wish) -> None:
        try:
            found = self._read(wish)
        except Exception as error:  # noqa: BLE001 - also a bug is theirs who asked, and the next wish is not its victim
            self._drop()
            wish.answer.set_exception(error)
        else:
            wish.answer.set_result(found)

    def _read(self, wish: _Wish) -> KafkaRecord | None:
        if wish.place.partition < 0 or wish.place.offset < 0:
            return None  # to the client these are words: `-2` is the oldest record there is
        if self._closing.is_set() or monotonic() > wish.until_s:
            raise NotYet(_late(self._topic))
        if self._consumer is None:
            self._consumer = OwnedConsumer(self._configuration)
        place = confluent_kafka.TopicPartition(self._topic, wish.place.partition, wish.place.offset)
        try:
            self._consumer.assign([place])
            found = self._polled(self._consumer, wish)
            self._consumer.unassign()
        except KafkaException as error:
            raise NotYet(f"{self._topic} could not be read: {error.args[0].str()}") from error
        return found

    def _polled(self, consumer: OwnedConsumer, wish: _Wish) -> KafkaRecord | None:
        doubt_s = monotonic() + _SILENCE_S
        while not self._closing.is_set() and monotonic() < wish.until_s:
            message = consumer.poll(_POLL_S)
            if message is not None:
                return _record(message, wish.place)
            if monotonic() > doubt_s:
                if not self._is_there(consumer, wish):
                    return None
                doubt_s = monotonic() + _SILENCE_S
        raise NotYet(_late(self._topic))

    def _is_there(self, consumer: OwnedConsumer, wish: _Wish) -> bool:
        """Whether the topic has such a partition. The client waits for one that it has not in silence."""
        known = consumer.list_topics(self._topic, timeout=_SILENCE_S).topics[self._topic]
        if known.error is not None:
            raise KafkaException(known.error)
        return wish.place.partition in known.partitions

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaException):
                consumer.close()


def _record(message: confluent_kafka.Message, place: Place) -> KafkaRecord | None:
    if is_end(message) or is_out_of_range(message):
        return None
    error = message.error()
    if error is not None:
        raise KafkaException(error)
    is_it = (message.partition(), message.offset()) == (place.partition, place.offset)
    return record_of(message) if is_it else None  # a gap: it was of a transaction that was aborted


def _late(topic: str) -> str:
    return f"{topic} could not be read in time"


def _configuration(bootstrap_servers: str) -> dict[str, str | int | bool]:
    return {
        **ungrouped(bootstrap_servers),
        # An offset that is gone is an error: with `earliest` the oldest record, another customer's, would be the answer.
        # One batch at a time, for a broker answers with a whole one whatever is asked for; and none that is not asked for.
        "fetch.message.max.bytes": 1,
        "queued.min.messages": 1,
        "fetch.queue.backoff.ms": 0,  # else a second passes before the next place is fetched
        "fetch.error.backoff.ms": 20,  # likewise half a second, after a place that is out of range
        "fetch.wait.max.ms": 10,
    }
