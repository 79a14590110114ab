"""Puts outcomes on record, always in this order: retry or dead letter, then the attempt, then done.

Each write is repeated until Kafka has it; a request is never sent again for a failed write. So a kill between two of
them can only repeat work, never lose it.
"""

import logging
from dataclasses import replace

from hookline.core import fanout
from hookline.core.cancelling import CalledOff
from hookline.core.limits import Held, postponement_ms
from hookline.core.outcomes import cancelled, entry
from hookline.core.verdict import Answer, Delivered, Ending, GiveUp, RetryAfter, Verdict, error_of
from hookline.dispatchers.entries import Source, buried, held_back, origin, unsent
from hookline.dispatchers.sender import Sent
from hookline.runtime.clock import Clock
from hookline.runtime.log import KafkaRecord, Writer, Written, persisted
from hookline.runtime.metrics import Metrics
from hookline.schemas.codec import Codec
from hookline.schemas.errors import TooLarge
from hookline.schemas.records import Attempt, DeadLetter, DeathReason, Delivery, Outcome
from hookline.schemas.tiers import tier_name
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.dispatcher")
_PAYLOAD_BYTES_MAX = 512 * 1024  # a delivery with a body at its limit; what is larger is kept by size and place alone


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
                await self._bury(delivery, source, DeathReason.EXHAUSTED, f"after {delivery.attempt} attempts")
            case GiveUp() | Delivered():
                pass
        await self._record(self._attempt(delivery, source, sent, verdict, next_attempt_at_ms))
        self._count(delivery, sent, verdict)

    async def attempted_late(self, delivery: Delivery, source: Source, sent: Sent, verdict: Verdict) -> None:
        """A request was made, but the partition is another process's by now, which makes this attempt again."""
        again_at_ms = None if isinstance(verdict, Delivered) else self._clock.now_ms()
        await self._record(self._attempt(delivery, source, sent, verdict, again_at_ms))
        self._count(delivery, sent, verdict)

    async def postponed(self, delivery: Delivery, source: Source, held: Held, wait_ms: float) -> None:
        """No request yet: it waits on a tier. Only the first postponement is put on record."""
        tiers_ms = self._topics.postponed_tiers_ms
        tier = postponement_ms(held, wait_ms, postponed=delivery.postponed, tiers_ms=tiers_ms)
        parked = replace(delivery, postponed=delivery.postponed + 1, origin=origin(delivery, source))
        try:
            written = await self._write(self._topics.postponed(tier), parked)
        except TooLarge as error:
            await self.too_large(delivery, source, str(error))
            return
        if delivery.postponed == 0:
            now_ms, next_ms = self._clock.now_ms(), written.timestamp_ms + tier
            await self._record(held_back(delivery, source, held, now_ms=now_ms, next_attempt_at_ms=next_ms))
        self._metrics.not_attempted.labels("postponed").inc()
        self._metrics.postponed.labels(held.value, tier_name(tier)).inc()

    async def cancelled(self, delivery: Delivery, source: Source, why: CalledOff, *, at_ms: int) -> None:
        """No request: it was called off."""
        account_id, number, place = delivery.account_id, delivery.attempt, origin(delivery, source)
        await self._record(cancelled(delivery, why, account_id=account_id, attempt=number, origin=place, at_ms=at_ms))
        self._metrics.not_attempted.labels("cancelled").inc()

    async def expired(self, delivery: Delivery, source: Source) -> None:
        """No request: it was held back for too long."""
        await self._bury(delivery, source, DeathReason.EXPIRED, "held back for too long")
        await self._record(unsent(delivery, source, Outcome.EXPIRED, now_ms=self._clock.now_ms()))
        self._metrics.not_attempted.labels("expired").inc()

    async def too_large(self, delivery: Delivery, source: Source, reason: str) -> None:
        """No topic takes what should follow, since an operator lowered its limit: it ends here, on record."""
        await self._write_letter(self._letter(delivery, source, DeathReason.TOO_LARGE, reason, keeps_payload=False))
        ended = unsent(delivery, source, Outcome.CANCELLED, now_ms=self._clock.now_ms())
        await self._record(
            replace(ended, error=DeathReason.TOO_LARGE.value, detail="A record of it became too large to keep.")
        )
        self._metrics.not_attempted.labels("too_large").inc()

    async def unreadable(self, record: KafkaRecord, reason: str) -> None:
        """A record that is no delivery."""
        read = fanout.Source(record.topic, record.partition, record.offset, record.timestamp_ms, record.value)
        letter = fanout.unreadable(
            read, detail=reason, payload_bytes_max=_PAYLOAD_BYTES_MAX, now_ms=self._clock.now_ms()
        )
        await self._write_letter(letter)

    async def _retry(self, delivery: Delivery, source: Source, wait_ms: int) -> int | None:
        """When the next attempt may be made; None if its record can't be written, and it ends in dead letters."""
        retried = replace(delivery, attempt=delivery.attempt + 1, postponed=0, origin=origin(delivery, source))
        try:
            written = await self._write(self._topics.retry(wait_ms), retried)
        except TooLarge as error:
            await self._write_letter(
                self._letter(retried, source, DeathReason.TOO_LARGE, str(error), keeps_payload=False)
            )
            return None
        return written.timestamp_ms + wait_ms  # the broker's append time counts, for the forwarder too

    async def _bury(self, delivery: Delivery, source: Source, reason: DeathReason, detail: str) -> None:
        await self._write_letter(self._letter(delivery, source, reason, detail, keeps_payload=True))

    def _letter(
        self, delivery: Delivery, source: Source, reason: DeathReason, detail: str, *, keeps_payload: bool
    ) -> DeadLetter:
        payload = self._codec.encode(replace(delivery, origin=origin(delivery, source)))
        return buried(
            delivery,
            source,
            reason,
            detail=detail,
            payload=payload if keeps_payload else None,
            payload_bytes=len(payload),
            now_ms=self._clock.now_ms(),
        )

    def _attempt(
        self, delivery: Delivery, source: Source, sent: Sent, verdict: Verdict, next_attempt_at_ms: int | None
    ) -> Attempt:
        return entry(
            delivery,
            Outcome.SUCCEEDED if isinstance(verdict, Delivered) else Outcome.FAILED,
            sent.reply,
            account_id=delivery.account_id,
            attempt=delivery.attempt,
            origin=origin(delivery, source),
            started_at_ms=sent.started_at_ms,
            duration_ms=sent.duration_ms,
            next_attempt_at_ms=next_attempt_at_ms,
            request_headers=sent.request_headers,
            response_headers=sent.response_headers,
        )

    async def _record(self, attempt: Attempt) -> None:
        try:
            await self._write_attempt(attempt)
        except TooLarge:
            short = replace(attempt, response_body=b"", request_headers=(), response_headers=())
            await self._write_attempt(short)  # a few hundred bytes: no topic refuses them

    async def _write_attempt(self, attempt: Attempt) -> None:
        await persisted(
            self._writer,
            self._topics.attempts,
            key=attempt.subscription_id.encode(),
            value=self._codec.encode(attempt),
            on_retry=self._rewritten,
        )

    async def _write(self, topic: str, delivery: Delivery) -> Written:
        value = self._codec.encode(delivery)
        return await persisted(self._writer, topic, key=None, value=value, on_retry=self._rewritten)

    async def _write_letter(self, letter: DeadLetter) -> None:
        try:
            await self._write_dead(letter)
        except TooLarge:
            await self._write_dead(replace(letter, payload=None))
        self._metrics.dead_letters.labels(letter.reason.value).inc()

    async def _write_dead(self, letter: DeadLetter) -> None:
        key = None if letter.subscription_id is None else letter.subscription_id.encode()
        value = self._codec.encode(letter)
        await persisted(self._writer, self._topics.dead_letters, key=key, value=value, on_retry=self._rewritten)

    def _rewritten(self, topic: str) -> None:
        self._metrics.write_retries.labels(topic).inc()

    def _count(self, delivery: Delivery, sent: Sent, verdict: Verdict) -> None:
        succeeded = isinstance(verdict, Delivered)
        tiers_ms = self._topics.retry_tiers_ms
        waited = "none" if delivery.attempt == 1 else tier_name(tiers_ms[min(delivery.attempt - 2, len(tiers_ms) - 1)])
        self._metrics.attempts.labels("succeeded" if succeeded else "failed", waited).inc()
        self._metrics.response_seconds.observe(sent.duration_ms / 1_000)
        if succeeded and delivery.attempt == 1 and delivery.job_id is None:  # of a job the log's backlog is no latency
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
                "job_id": delivery.job_id or "-",
                "status": sent.reply.status if isinstance(sent.reply, Answer) else "-",
                "error": error or "-",
                "duration_ms": sent.duration_ms,
                "verdict": type(verdict).__name__,
            },
        )
