"""Writing to Kafka from threads, for applications that know nothing of an event loop: the ground `Publisher` stands on.

`kafka_writer` is the same for our own asyncio programs.
"""

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from hookline.schemas.errors import ConfigError, ContractError, HooklineError, NotYet
from hookline.schemas.topics import RECORD_BYTES_MAX

_log = logging.getLogger("hookline.kafka")
_QUEUE_KIB_MAX = 128 * 1024  # what one publisher may hold in memory while the broker is away
_POLL_S = 0.1
_ROOM_LOOK_S = 0.05  # how often a full queue is looked at again, should the wake-up have come too early
_ANSWER_MARGIN_S = 2.0  # librdkafka looks for timed-out records once a second, and on a busy machine a little later

# What a caller may not change: the promises rest on these.
_PROMISED: Mapping[str, str | int | bool] = MappingProxyType(
    {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",  # librdkafka's default disagrees with Faust's and Java's
        "message.max.bytes": RECORD_BYTES_MAX,
    }
)


class Broken(HooklineError):  # noqa: N818 - named like its siblings
    """Kafka's client has failed for good: nothing more can be written until a new one is opened. Very rare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The broker's yes. `offset` is None when it had the record already and its first answer was lost on the way."""

    topic: str
    partition: int
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerConfig:
    """How to write. After `timeout_s` without the broker's yes a record counts as not written.

    `options` are further librdkafka settings, such as those for TLS and SASL.
    """

    bootstrap_servers: str
    timeout_s: float = 30.0
    queue_records_max: int = 100_000
    linger_ms: int = 5
    options: Mapping[str, str | int | bool] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.bootstrap_servers.strip():
            raise ConfigError("bootstrap_servers is empty; it must be Kafka's addresses, host:port")
        if self.timeout_s <= 0:
            raise ConfigError(f"timeout_s is {self.timeout_s}; it must be more than 0")
        if self.queue_records_max < 1:
            raise ConfigError(f"queue_records_max is {self.queue_records_max}; it must be at least 1")
        for name in _PROMISED:
            if name in self.options:
                raise ConfigError(f"option {name} can't be changed: delivery depends on it")


class ThreadedProducer:
    """One idempotent producer, and a thread of its own that takes the broker's answers. May be used from any thread."""

    def __init__(self, config: ProducerConfig) -> None:
        self._config = config
        self._changed = threading.Condition()
        self._open = 0
        self._closed = False
        self._trouble = ""
        try:
            self._producer = Producer(_configuration(config) | {"error_cb": self._note_trouble})
        except KafkaException as error:
            raise ConfigError(f"Kafka's client refuses its settings: {error.args[0].str()}") from error
        self._thread = threading.Thread(target=self._serve, name="hookline-producer", daemon=True)
        self._thread.start()

    @property
    def answer_timeout_s(self) -> float:
        """Every write is answered, with yes or no, within this time."""
        return self._config.timeout_s + _ANSWER_MARGIN_S

    def write(self, topic: str, *, key: bytes, value: bytes) -> Future[Acknowledged]:
        """Write one record; the future is answered within `answer_timeout_s`.

        Waits for room in a full local queue and raises NotYet when none comes in `timeout_s`. The future fails with
        NotYet (the broker did not say yes), ContractError (too large), ConfigError (no such topic, or no right to it) or
        Broken.
        """
        future: Future[Acknowledged] = Future()
        future.set_running_or_notify_cancel()  # what is on its way can't be called back
        self._count_in()
        try:
            self._enqueue(topic, key, value, future)
        except BaseException:
            self._count_out()
            raise
        return future

    def flush(self, timeout_s: float) -> int:
        """Wait until every write is answered; says how many are not after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, timeout_s)
            return self._open

    def close(self, timeout_s: float) -> int:
        """Take no more writes, wait for answers like `flush`, and end the thread."""
        with self._changed:
            self._closed = True
        left = self.flush(timeout_s)
        self._producer.purge()  # their futures fail: nothing waits for ever
        self._producer.flush(_ANSWER_MARGIN_S)
        self._thread.join()
        return left

    def _serve(self) -> None:
        while not self._closed or self._open:
            self._producer.poll(_POLL_S)

    def _count_in(self) -> None:
        with self._changed:
            if self._closed:
                raise RuntimeError("the producer is closed")
            self._open += 1

    def _count_out(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _enqueue(self, topic: str, key: bytes, value: bytes, future: Future[Acknowledged]) -> None:
        deadline_s = time.monotonic() + self._config.timeout_s
        while not self._offer(topic, key, value, future):
            with self._changed:
                self._changed.wait(_ROOM_LOOK_S)
            if time.monotonic() >= deadline_s:
                raise NotYet(
                    f"{topic}: the local queue of {self._config.queue_records_max} records stayed full"
                    f" for {self._config.timeout_s:g} s{self._because()}"
                )

    def _offer(self, topic: str, key: bytes, value: bytes, future: Future[Acknowledged]) -> bool:
        try:
            self._producer.produce(topic, value, key, on_delivery=partial(self._reported, topic, future))
        except BufferError:
            return False
        except KafkaException as error:
            raise self._translated(topic, error.args[0]) from error
        return True

    def _reported(self, topic: str, future: Future[Acknowledged], error: KafkaError | None, message: Message) -> None:
        try:
            if error is None:
                self._trouble = ""
                future.set_result(_acknowledged(topic, message))
            else:
                future.set_exception(self._translated(topic, error))
        finally:
            self._count_out()

    def _note_trouble(self, error: KafkaError) -> None:
        if not self._trouble:  # it comes again with every try to connect
            _log.warning("kafka.troubled", extra={"error": error.str()})
        self._trouble = error.str()

    def _because(self) -> str:
        return f" (last trouble: {self._trouble})" if self._trouble else ""

    def _translated(self, topic: str, error: KafkaError) -> HooklineError:
        code = error.code()
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            return ContractError(f"{topic}: the record is over the limit of {RECORD_BYTES_MAX} bytes")
        if code in {KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART}:  # noqa: SLF001 - librdkafka's own codes start so
            return ConfigError(f"{topic}: there is no such topic; `hookline topics apply` makes it")
        if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return ConfigError(f"{topic}: this client may not write to it")
        if error.fatal():
            return Broken(f"{topic}: the producer failed for good; open a new one: {error.str()}")
        return NotYet(f"{topic}: the broker did not say yes: {error.str()}{self._because()}")


def _acknowledged(topic: str, message: Message) -> Acknowledged:
    offset = message.offset()
    known = offset if offset is not None and offset >= 0 else None
    return Acknowledged(topic=topic, partition=message.partition() or 0, offset=known)


def _configuration(config: ProducerConfig) -> dict[str, object]:
    own: dict[str, object] = {
        "bootstrap.servers": config.bootstrap_servers,
        "compression.type": "lz4",
        "linger.ms": config.linger_ms,
        "delivery.timeout.ms": max(1, round(config.timeout_s * 1_000)),
        "queue.buffering.max.messages": config.queue_records_max,
        "queue.buffering.max.kbytes": _QUEUE_KIB_MAX,
        "topic.metadata.propagation.max.ms": 5_000,  # a topic made just now may take this long to be known
        "log_level": 0,  # what matters comes through `error_cb`
    }
    return own | dict(config.options) | dict(_PROMISED)
