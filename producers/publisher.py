"""The library that source systems publish events with.

with Publisher(bootstrap_servers="localhost:9092") as publisher:
    publisher.publish(new_event("user.deleted", account_id="acct_1", occurred_at=datetime.now(UTC), data={...}))
"""

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from hookline.core.rendering import Renderer
from hookline.runtime import draw
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.producer import Acknowledged, ProducerConfig, ThreadedProducer
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, HooklineError, NotYet
from hookline.schemas.records import Event
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.producers")
_BODY_BYTES_MAX = 256 * 1024  # HOOKLINE_BODY_BYTES_MAX's default: the fan-out sends anything larger to dead letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The broker's yes to one event, and where it lies.

    `offset` is None when the broker had the event already and its first answer was lost on the way.
    """

    event_id: str
    topic: str
    partition: int
    offset: int | None


class Publisher:
    """Publishes events, from any thread; an event is published once Kafka acknowledged it on all its in-sync replicas.

    The errors say who acts. ContractError: the event breaks its schema or is too large, and the message names the field.
    ConfigError: a setting or the topic is wrong. NotYet: the broker is away or the local queue is full; publish the
    same event again later. Its id makes that harmless, even if the first try did arrive after all. Broken: very rare;
    open a new publisher.

    `options` are further settings of librdkafka, such as `{"security.protocol": "SSL"}`.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        topic_prefix: str = "",
        timeout_s: float = 30.0,
        body_bytes_max: int = _BODY_BYTES_MAX,
        queue_records_max: int = 100_000,
        linger_ms: int = 5,
        options: Mapping[str, str | int | bool] | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        self._topics = Topics(topic_prefix)
        self._catalogue = catalogue or load_catalogue()
        self._codec = Codec(self._catalogue)
        self._renderer = Renderer(self._catalogue)
        self._body_bytes_max = body_bytes_max
        self._failures = _Failures()
        self._producer = ThreadedProducer(
            ProducerConfig(
                bootstrap_servers=bootstrap_servers,
                timeout_s=timeout_s,
                queue_records_max=queue_records_max,
                linger_ms=linger_ms,
                options=options or {},
            )
        )

    @property
    def catalogue(self) -> Catalogue:
        """The event types that can be published."""
        return self._catalogue

    def publish(self, event: Event, *, timeout_s: float | None = None) -> Published:
        """Publish one event and wait for the broker's yes.

        NotYet after `timeout_s` (at most the publisher's own): the event may or may not have arrived.
        """
        future, wait_s = self._write(event), self._wait_s(timeout_s)
        try:
            return future.result(wait_s)
        except TimeoutError:
            raise NotYet(f"event {event.event_id}: no answer from the broker in {wait_s:g} s") from None

    def submit(self, event: Event) -> Future[Published]:
        """Publish one event without waiting for the broker: the future does.

        A wrong event or a full queue raises here and now. If nobody looks at the future, `flush` and the end of the
        `with` block still raise for it. What is called when the future is done runs on the publisher's thread: it must not
        wait for anything.
        """
        future = self._write(event)
        future.add_done_callback(self._failures.note)
        return future

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every submitted event is answered.

        Raises the first error among those submitted since the last flush, or NotYet if some are not answered in time.
        """
        left = self._producer.flush(self._wait_s(timeout_s))
        self._raise_for(left)

    def close(self, timeout_s: float | None = None) -> None:
        """Flush, as `flush` does, and let go of the broker. What is not answered by then is given up, and raised."""
        left = self._producer.close(self._wait_s(timeout_s))
        self._raise_for(left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except HooklineError as unpublished:
            if error is None:
                raise
            _log.warning("publisher.closed", extra={"error": str(unpublished)})  # the block's own error goes first

    def _write(self, event: Event) -> Future[Published]:
        value = self._codec.encode_event(event)
        self._check_size(event)
        key = str(event.data[self._catalogue.event_type(event.type).entity]).encode()
        published: Future[Published] = Future()
        published.set_running_or_notify_cancel()
        written = self._producer.write(self._topics.events(event.type), key=key, value=value)
        written.add_done_callback(partial(_pass_on, event.event_id, published))
        return published

    def _check_size(self, event: Event) -> None:
        body_bytes = len(self._renderer.render(event))
        if body_bytes > self._body_bytes_max:
            raise ContractError(
                f"event {event.event_id} makes {body_bytes} bytes of JSON; at most {self._body_bytes_max} can be delivered"
            )

    def _wait_s(self, timeout_s: float | None) -> float:
        return self._producer.answer_timeout_s if timeout_s is None else timeout_s

    def _raise_for(self, left: int) -> None:
        count, first = self._failures.take()
        if left:
            raise NotYet(f"{left} events have no answer from the broker")
        if first is not None:
            _log.info("publisher.flushed", extra={"not_published": count})
            raise first


def new_event(event_type: str, *, account_id: str, occurred_at: datetime, data: Mapping[str, object]) -> Event:
    """An event with a new id. A source that may publish a fact twice should give it an id of its own: `Event(...)`."""
    return Event(event_id=draw.event_id(), account_id=account_id, type=event_type, occurred_at=occurred_at, data=data)


class _Failures:
    """The submitted events that failed since last asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._first: BaseException | None = None

    def note(self, future: Future[Published]) -> None:
        error = future.exception()
        if error is None:
            return
        with self._lock:
            self._count += 1
            self._first = self._first or error

    def take(self) -> tuple[int, BaseException | None]:
        with self._lock:
            count, first = self._count, self._first
            self._count, self._first = 0, None
            return count, first


def _pass_on(event_id: str, published: Future[Published], written: Future[Acknowledged]) -> None:
    error = written.exception()
    if error is not None:
        published.set_exception(error)
        return
    place = written.result()
    published.set_result(
        Published(event_id=event_id, topic=place.topic, partition=place.partition, offset=place.offset)
    )
