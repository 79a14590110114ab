"""What Kafka still has of a delivery: its first record, read at the place that was put on record of it.

Payloads lie in `webhooks.deliveries` alone, for as long as that topic keeps them.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from time import monotonic

import confluent_kafka
from confluent_kafka import KafkaException

from hookline.runtime.kafka_client import RECONNECT_MS, is_end, is_out_of_range
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import Delivery, Place
from hookline.schemas.topics import Topics

_ANSWER_S = 5.0
_POLL_S = 0.05
_AT_ONCE = 4  # threads that read; a reading takes a few milliseconds
_WAITING_MAX = 100  # beyond it the answer is "not now", and nobody waits


class KeptDeliveries:
    """Reads on threads of its own. Whoever asks must compare ids: a topic that was made anew has others at the same places."""

    def __init__(self, bootstrap_servers: str, *, topics: Topics, codec: Codec, answer_s: float = _ANSWER_S) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topics.deliveries
        self._retention_ms = next(
            each.retention_ms or 0 for each in topics.specifications() if each.name == self._topic
        )
        self._codec = codec
        self._answer_s = answer_s
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="kept")
        self._waiting = 0

    async def delivery_at(self, place: Place) -> Delivery | None:
        """The record at this place; None if retention took it, or it is none that can be read. NotYet."""
        if self._waiting >= _WAITING_MAX:
            raise NotYet(f"{self._waiting} others wait for what {self._topic} has")
        self._waiting += 1
        try:
            value = await asyncio.get_running_loop().run_in_executor(self._threads, self._value, place)
        finally:
            self._waiting -= 1
        if value is None:
            return None
        try:
            return self._codec.decode(value, Delivery)
        except ContractError:
            return None

    def until_ms(self, record: Delivery) -> int:
        """Until when the topic keeps it at least."""
        return record.created_at_ms + self._retention_ms

    async def close(self) -> None:
        """End the threads, after what is being read."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _value(self, place: Place) -> bytes | None:
        with closing(OwnedConsumer(_configuration(self._bootstrap_servers))) as consumer:
            try:
                consumer.assign([confluent_kafka.TopicPartition(self._topic, place.partition, place.offset)])
                return self._polled(consumer, place)
            except KafkaException as error:
                raise NotYet(f"{self._topic} could not be read: {error.args[0].str()}") from error

    def _polled(self, consumer: OwnedConsumer, place: Place) -> bytes | None:
        end_s = monotonic() + self._answer_s
        while monotonic() < end_s:
            message = consumer.poll(_POLL_S)
            if message is None:
                continue
            if is_end(message) or is_out_of_range(message):
                return None
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            return message.value() if message.offset() == place.offset else None  # a gap: it was compacted or aborted
        raise NotYet(f"{self._topic} could not be read within {self._answer_s:.0f} s")


@asynccontextmanager
async def open_kept(bootstrap_servers: str, *, topics: Topics, codec: Codec) -> AsyncIterator[KeptDeliveries]:
    """A reader for the block."""
    kept = KeptDeliveries(bootstrap_servers, topics=topics, codec=codec)
    try:
        yield kept
    finally:
        await kept.close()


def _configuration(bootstrap_servers: str) -> dict[str, str | int | bool]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": "hookline.no-group",  # the client wants a name; without a subscription it joins none
        "enable.auto.commit": False,
        "auto.offset.reset": "error",  # with `earliest` the first record of another customer would be the answer
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 10,
        "queued.max.messages.kbytes": 4 * 1024,
        "allow.auto.create.topics": False,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "log_level": 0,
    }
