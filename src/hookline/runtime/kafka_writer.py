"""Writing to Kafka from the event loop: idempotent, acks=all, and a yes for every record."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from hookline.runtime.kafka_client import is_fatal
from hookline.runtime.kafka_producer import QUEUE_RECORDS_MAX, producer_configuration
from hookline.runtime.log import Written
from hookline.schemas.errors import NotYet, TooLarge

_log = logging.getLogger("hookline.kafka")
# After this long without the broker's yes a write counts as failed and is written again by who asked for it.
_ANSWER_S = 30.0
_FLUSH_S = 10.0
_POLL_EVERY_S = 0.001

Fatal = Callable[[BaseException], None]


class KafkaWriter:
    """A `Writer` on one idempotent producer, which is polled on the loop while writes are outstanding.

    A thread that polls would have to take the interpreter's lock for every answer, in the middle of the loop's work.
    """

    def __init__(self, bootstrap_servers: str, *, linger_ms: int, on_fatal: Fatal, answer_s: float = _ANSWER_S) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_fatal = on_fatal
        self._reports: deque[tuple[_Write, Written | None, KafkaError | None]] = deque()
        self._outstanding = 0
        self._timer: asyncio.TimerHandle | None = None
        self._configuration = producer_configuration(bootstrap_servers, linger_ms=linger_ms, answer_s=answer_s)
        self._producer = Producer(self._configuration)
        self._lone: Producer | None = None

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> asyncio.Future[Written]:
        """Write one record; the future holds where it went, or NotYet, or TooLarge if it can never be written."""
        future: asyncio.Future[Written] = self._loop.create_future()
        self._produce(self._producer, _Write(future, topic, key, value))
        return future

    def _produce(self, producer: Producer, write: "_Write") -> None:
        try:
            producer.produce(write.topic, write.value, write.key, on_delivery=partial(self._reported, write))
        except BufferError:
            write.future.set_exception(NotYet(f"{write.topic}: the local queue of {QUEUE_RECORDS_MAX} records is full"))
        except KafkaException as error:
            self._heed(error.args[0])
            write.future.set_exception(_translated(write, error.args[0]))
        else:
            self._outstanding += 1
            if self._timer is None:
                self._timer = self._loop.call_later(_POLL_EVERY_S, self._poll)

    def _produce_alone(self, write: "_Write") -> None:
        """The broker's limit is for a batch, and refuses all in it: only a record that is refused alone is too large."""
        write.is_alone = True
        if self._lone is None:
            self._lone = Producer(self._configuration | {"batch.num.messages": 1, "linger.ms": 0})
        self._produce(self._lone, write)

    def _producers(self) -> Sequence[Producer]:
        return (self._producer,) if self._lone is None else (self._producer, self._lone)

    async def close(self) -> None:
        """Wait (bounded) until everything written is acknowledged, then close the client."""
        if self._timer is not None:
            self._timer.cancel()
        await self._flushed(self._producer)  # may refuse a batch, whose records are then written alone
        for producer in self._producers():
            if left := await self._flushed(producer):
                producer.purge()  # or closing would wait for a broker that is gone
                _log.warning("kafka.closed_with_unacknowledged_writes", extra={"records": left})
            with contextlib.suppress(KafkaException):  # of a client that is broken already
                await asyncio.to_thread(producer.close)

    def _poll(self) -> None:
        try:
            for producer in self._producers():
                producer.poll(0)
        except KafkaException as error:  # how the client tells of a fatal error
            self._heed(error.args[0])
        except SystemError as error:  # a fatal error and a report in the same poll: its binding trips over the two
            self._on_fatal(error)
        self._settle()
        self._timer = self._loop.call_later(_POLL_EVERY_S, self._poll) if self._outstanding else None

    def _heed(self, error: KafkaError) -> None:
        if is_fatal(error):
            self._on_fatal(KafkaException(error))

    async def _flushed(self, producer: Producer) -> int:
        """How many writes are left; all of them after a fatal error."""
        try:
            left = await asyncio.to_thread(producer.flush, _FLUSH_S)
        except KafkaException:
            left = self._outstanding
        self._settle()
        return left

    def _reported(self, write: "_Write", error: KafkaError | None, message: Message) -> None:
        # Inside `poll` on the loop, or inside `flush` on the closing thread.
        self._reports.append((write, None if error is not None else _place(message), error))

    def _settle(self) -> None:
        while self._reports:
            write, place, error = self._reports.popleft()
            self._outstanding -= 1
            if error is not None:
                self._heed(error)
            if write.future.done():
                continue  # who asked has given up waiting
            if place is not None:
                write.future.set_result(place)
            elif error is None:
                lost = "the broker has the record, but its first answer was lost and with it the place"
                write.future.set_exception(NotYet(lost))
            elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE and not write.is_alone:
                self._produce_alone(write)
            else:
                write.future.set_exception(_translated(write, error))


@dataclass(slots=True)
class _Write:
    future: asyncio.Future[Written]
    topic: str
    key: bytes | None
    value: bytes | None
    is_alone: bool = False


def _place(message: Message) -> Written | None:
    offset = message.offset()
    if offset is None or offset < 0:
        return None
    return Written(message.topic() or "", message.partition() or 0, offset, message.timestamp()[1])


def _translated(write: _Write, error: KafkaError) -> NotYet | TooLarge:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        size_bytes = len(write.key or b"") + len(write.value or b"")
        return TooLarge(f"{write.topic}: the record's {size_bytes} bytes are over the topic's limit")
    return NotYet(f"{write.topic}: the broker did not say yes: {error.str()}")


@asynccontextmanager
async def open_writer(
    bootstrap_servers: str, *, linger_ms: int = 0, on_fatal: Fatal, answer_s: float = _ANSWER_S
) -> AsyncIterator[KafkaWriter]:
    """A writer for the block; everything written is acknowledged, or given up with a warning, when it ends.

    `answer_s`: what the broker has not taken by then is not written any more, and fails.
    """
    writer = KafkaWriter(bootstrap_servers, linger_ms=linger_ms, on_fatal=on_fatal, answer_s=answer_s)
    try:
        yield writer
    finally:
        await writer.close()
