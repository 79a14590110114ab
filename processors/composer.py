"""From the bytes of one source record to the records that are written for it: deliveries, or a dead letter."""

import logging
import traceback
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hookline.core.fanout import Source, fan_out, too_large, unreadable
from hookline.core.rendering import Renderer
from hookline.runtime.clock import Clock
from hookline.runtime.metrics import Metrics
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import DeadLetter, Subscription
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.fanout")
# An event that nobody wants is rendered only if its bytes are a fair part of the limit: else the JSON's size is no question.
_SUSPECT_PART = 8


class Outgoing(NamedTuple):
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes


class Matching(Protocol):
    """The live view, as the fan-out uses it (`hookline.runtime.view.View`)."""

    @property
    def applied(self) -> int:
        """Everything of `webhooks.subscriptions` below this offset has been applied."""
        ...

    def matching(self, account_id: str, event_type: str) -> Sequence[Subscription]:
        """The active subscriptions of this account that want this event type."""
        ...


class Composer:
    """Reads, matches and renders. Never raises: what can't be read becomes a dead letter."""

    def __init__(
        self,
        *,
        topics: Topics,
        codec: Codec,
        renderer: Renderer,
        view: Matching,
        metrics: Metrics,
        clock: Clock,
        body_bytes_max: int,
    ) -> None:
        self._topics = topics
        self._codec = codec
        self._renderer = renderer
        self._view = view
        self._metrics = metrics
        self._clock = clock
        self._body_bytes_max = body_bytes_max

    def compose(self, source: Source) -> Sequence[Outgoing]:
        """What to write for this record; nothing if nobody wants it."""
        try:
            return self._composed(source)
        except ContractError as error:
            detail = str(error)
        except Exception as error:  # noqa: BLE001 - a bug that one record meets must not stop its partition
            # Without the message, which may quote the payload.
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
            _log.error(
                "event.not_understood",
                extra={**_place(source), "error": type(error).__name__, "where": where},
            )
            detail = f"{type(error).__name__} while it was read"
        return (self.refused(source, detail),)

    def refused(self, source: Source, detail: str, *, payload_bytes_max: int | None = None) -> Outgoing:
        """The dead letter of a record that can't be read, or whose deliveries can't be written."""
        limit = self._body_bytes_max if payload_bytes_max is None else payload_bytes_max
        letter = unreadable(source, detail=detail, payload_bytes_max=limit, now_ms=self._clock.now_ms())
        return self._buried(letter)

    def _composed(self, source: Source) -> Sequence[Outgoing]:
        event = self._codec.decode_event(source.value)
        self._metrics.events.labels(event.type).inc()
        subscriptions = self._view.matching(event.account_id, event.type)
        if not subscriptions and len(source.value or b"") * _SUSPECT_PART < self._body_bytes_max:
            return ()
        now_ms = self._clock.now_ms()
        body = self._renderer.render(event)
        if len(body) > self._body_bytes_max:
            letter = too_large(source, event, body_bytes=len(body), body_bytes_max=self._body_bytes_max, now_ms=now_ms)
            return (self._buried(letter),)
        deliveries = fan_out(
            event,
            subscriptions,
            body=body,
            config_offset=self._view.applied,
            now_ms=now_ms,
            source_at_ms=source.at_ms,
        )
        self._metrics.deliveries_created.inc(len(deliveries))
        return [
            Outgoing(self._topics.deliveries, each.subscription_id.encode(), self._codec.encode(each))
            for each in deliveries
        ]

    def _buried(self, letter: DeadLetter) -> Outgoing:
        self._metrics.events_rejected.labels(letter.reason).inc()
        self._metrics.dead_letters.labels(letter.reason).inc()
        _log.info(
            "event.rejected",
            extra={
                "topic": letter.topic,
                "partition": letter.partition,
                "offset": letter.offset,
                "reason": letter.reason,
                "detail": letter.detail,
                "bytes": letter.payload_bytes,
            },
        )
        return Outgoing(self._topics.dead_letters, None, self._codec.encode(letter))


def _place(source: Source) -> dict[str, object]:
    return {"topic": source.topic, "partition": source.partition, "offset": source.offset}
