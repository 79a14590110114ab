"""Puts outcomes on record, always in this order: retry or dead letter, then the attempt, then done.

Each write is repeated until Kafka has it; a request is never sent again for a failed write. So a kill between two of
them can only repeat work, never lose it.
"""

import logging
from dataclasses import dataclass, replace

from hookline.core import fanout
from hookline.core.ids import attempt_id
from hookline.core.verdict import Answer, Delivered, Ending, GiveUp, Reply, RetryAfter, Verdict, error_of
from hookline.dispatchers.sender import Sent
from hookline.runtime.clock import Clock
from hookline.runtime.log import KafkaRecord, Writer, Written, persisted
from hookline.runtime.metrics import Metrics
from hookline.schemas.codec import Codec
from hookline.schemas.records import Attempt, DeadLetter, DeathReason, Delivery, Outcome, Place
from hookline.schemas.tiers import tier_name
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.dispatcher")
_PAYLOAD_BYTES_MAX = 512 * 1024  # a delivery with a body at its limit; what is larger is kept by size and place alone


@dataclass(frozen=True, slots=True)
class Source:
    """The place a delivery was read from."""

    topic: str
    partition: int
    offset: int


class Recorder:
    """Writes retries, postponements, dead letters and attempts."""

    def __init__(self, *, writer: Writer, codec: Codec, topics: Topics, clock: Clock, metrics: Metrics) -> None:
        self._writer = writer
        self._codec = codec
        self._topics = topics
        self._clock = clock
        self._metrics = metrics

    async def attempted(self, delivery: Delivery, source: Source, sent: Sent, verdict: Verdict) -> None:
        """A request was made, and this is what follows."""
        next_attempt_at_ms = None
        match verdict:
            case RetryAfter(wait_ms):
                next_attempt_at_ms = await self._retry(delivery, source, wait_ms)
            case GiveUp(Ending.EXHAUSTED):
                await self._bury(delivery, source, DeathReason.EXHAUSTED)
            case GiveUp() | Delivered():
                pass
        await self._record(self._attempt(delivery, source, sent, verdict, next_attempt_at_ms))
        self._count(delivery, sent, verdict)

    async def attempted_late(self, delivery: Delivery, source: Source, sent: Sent, verdict: Verdict) -> None:
        """A request was made, but the partition is another process's by now, which makes this attempt again."""
        again_at_ms = None if isinstance(verdict, Delivered) else self._clock.now_ms()
        await self._record(self._attempt(delivery, source, sent, verdict, again_at_ms))
        self._count(delivery, sent, verdict)

    async def postponed(self, delivery: Delivery, source: Source) -> None:
        """No request yet: it waits on a tier that grows with each postponement. Only the first is put on record."""
        tiers_ms = self._topics.postponed_tiers_ms
        wait_ms = tiers_ms[min(delivery.postponed, len(tiers_ms) - 1)]
        held = replace(delivery, postponed=delivery.postponed + 1, origin=origin(delivery, source))
        written = await self._write(self._topics.postponed(wait_ms), held)
        if delivery.postponed == 0:
            await self._record(self._unsent(delivery, source, Outcome.POSTPONED, written.timestamp_ms + wait_ms))
        self._metrics.not_attempted.labels("postponed").inc()

    async def cancelled(self, delivery: Delivery, source: Source) -> None:
        """No request: the subscription is gone."""
        await self._record(self._unsent(delivery, source, Outcome.CANCELLED, None))
        self._metrics.not_attempted.labels("cancelled").inc()

    async def expired(self, delivery: Delivery, source: Source) -> None:
        """No request: it was held back for too long."""
        await self._bury(delivery, source, DeathReason.EXPIRED)
        await self._record(self._unsent(delivery, source, Outcome.EXPIRED, None))
        self._metrics.not_attempted.labels("expired").inc()

    async def unreadable(self, record: KafkaRecord, reason: str) -> None:
        """A record that is no delivery."""
        read = fanout.Source(record.topic, record.partition, record.offset, record.timestamp_ms, record.value)
        letter = fanout.unreadable(
            read, detail=reason, payload_bytes_max=_PAYLOAD_BYTES_MAX, now_ms=self._clock.now_ms()
        )
        await self._write_letter(letter)

    async def _retry(self, delivery: Delivery, source: Source, wait_ms: int) -> int:
        retried = replace(delivery, attempt=delivery.attempt + 1, postponed=0, origin=origin(delivery, source))
        written = await self._write(self._topics.retry(wait_ms), retried)
        return written.timestamp_ms + wait_ms  # the broker's append time counts, for the forwarder too

    async def _bury(self, delivery: Delivery, source: Source, reason: DeathReason) -> None:
        payload = self._codec.encode(replace(delivery, origin=origin(delivery, source)))
        letter = DeadLetter(
            reason=reason,
            detail=f"after {delivery.attempt} attempts"
            if reason is DeathReason.EXHAUSTED
            else "held back for too long",
            at_ms=self._clock.now_ms(),
            topic=source.topic,
            partition=source.partition,
            offset=source.offset,
            payload_bytes=len(payload),
            payload=payload,
            delivery_id=delivery.delivery_id,
            account_id=delivery.account_id,
            subscription_id=delivery.subscription_id,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            attempts=delivery.attempt if reason is DeathReason.EXHAUSTED else delivery.attempt - 1,
        )
        await self._write_letter(letter)

    def _attempt(
        self, delivery: Delivery, source: Source, sent: Sent, verdict: Verdict, next_attempt_at_ms: int | None
    ) -> Attempt:
        outcome = Outcome.SUCCEEDED if isinstance(verdict, Delivered) else Outcome.FAILED
        return _entry(
            delivery,
            source,
            outcome,
            sent.reply,
            started_at_ms=sent.started_at_ms,
            duration_ms=sent.duration_ms,
            next_attempt_at_ms=next_attempt_at_ms,
        )

    def _unsent(self, delivery: Delivery, source: Source, outcome: Outcome, next_attempt_at_ms: int | None) -> Attempt:
        now_ms = self._clock.now_ms()
        return _entry(
            delivery,
            source,
            outcome,
            None,
            started_at_ms=now_ms,
            duration_ms=0,
            next_attempt_at_ms=next_attempt_at_ms,
        )

    async def _record(self, attempt: Attempt) -> None:
        await persisted(
            self._writer,
            self._topics.attempts,
            key=attempt.subscription_id.encode(),
            value=self._codec.encode(attempt),
            on_retry=self._rewritten,
        )

    async def _write(self, topic: str, delivery: Delivery) -> Written:
        return await persisted(
            self._writer, topic, key=None, value=self._codec.encode(delivery), on_retry=self._rewritten
        )

    async def _write_letter(self, letter: DeadLetter) -> None:
        key = None if letter.subscription_id is None else letter.subscription_id.encode()
        value = self._codec.encode(letter)
        await persisted(self._writer, self._topics.dead_letters, key=key, value=value, on_retry=self._rewritten)
        self._metrics.dead_letters.labels(letter.reason.value).inc()

    def _rewritten(self, topic: str) -> None:
        self._metrics.write_retries.labels(topic).inc()

    def _count(self, delivery: Delivery, sent: Sent, verdict: Verdict) -> None:
        succeeded = isinstance(verdict, Delivered)
        tiers_ms = self._topics.retry_tiers_ms
        waited = "none" if delivery.attempt == 1 else tier_name(tiers_ms[min(delivery.attempt - 2, len(tiers_ms) - 1)])
        self._metrics.attempts.labels("succeeded" if succeeded else "failed", waited).inc()
        self._metrics.response_seconds.observe(sent.duration_ms / 1_000)
        if succeeded and delivery.attempt == 1:
            age_ms = sent.started_at_ms + sent.duration_ms - delivery.source_at_ms
            self._metrics.end_to_end_seconds.observe(max(0, age_ms) / 1_000)
        self._log_attempt(delivery, sent, verdict)

    def _log_attempt(self, delivery: Delivery, sent: Sent, verdict: Verdict) -> None:
        error, _ = error_of(sent.reply)
        if error is not None:
            self._metrics.attempt_errors.labels(error).inc()
        if not _log.isEnabledFor(logging.DEBUG) and error is None:
            return  # a line for each success would cost more than the request: they are in the history
        _log.info(
            "delivery.attempted",
            extra={
                "delivery_id": delivery.delivery_id,
                "subscription_id": delivery.subscription_id,
                "account_id": delivery.account_id,
                "event_type": delivery.event_type,
                "attempt": delivery.attempt,
                "status": sent.reply.status if isinstance(sent.reply, Answer) else "-",
                "error": error or "-",
                "duration_ms": sent.duration_ms,
                "verdict": type(verdict).__name__,
            },
        )


def _entry(
    delivery: Delivery,
    source: Source,
    outcome: Outcome,
    reply: Reply | None,
    *,
    started_at_ms: int,
    duration_ms: int,
    next_attempt_at_ms: int | None,
) -> Attempt:
    answer = reply if isinstance(reply, Answer) else None
    error, detail = (None, None) if reply is None else error_of(reply)
    return Attempt(
        attempt_id=attempt_id(delivery.delivery_id, delivery.run, delivery.attempt, started_at_ms),
        delivery_id=delivery.delivery_id,
        account_id=delivery.account_id,
        subscription_id=delivery.subscription_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        run=delivery.run,
        attempt=delivery.attempt,
        is_test=delivery.is_test,
        outcome=outcome,
        started_at_ms=started_at_ms,
        duration_ms=duration_ms,
        response_code=None if answer is None else answer.status,
        response_body=b"" if answer is None else answer.body,
        error=error,
        detail=detail,
        next_attempt_at_ms=next_attempt_at_ms,
        origin=origin(delivery, source),
    )


def origin(delivery: Delivery, source: Source) -> Place:
    """Where the delivery's first record lies: it says so itself, unless it is that record."""
    return delivery.origin or Place(partition=source.partition, offset=source.offset)
