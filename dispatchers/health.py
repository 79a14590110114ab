"""What this process judges of endpoints, and what others did: their circuit breakers, and who is disabled.

The judgement is shared through `webhooks.endpoint-state`, written when it changes; the last one to be judged holds.
"""

import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from hookline.core.breaker import WELL, Health, after_failure, breaker, is_hopeless, is_news
from hookline.core.limits import FREE, Limits
from hookline.core.verdict import Answer, Delivered, Ending, GiveUp, Verdict
from hookline.dispatchers.sender import Sent
from hookline.runtime.clock import Clock
from hookline.runtime.log import Writer, Written, persisted
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import (
    Disabling,
    DisablingReason,
    EndpointHealth,
    Subscription,
    SubscriptionStatus,
    disabling_key,
)
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.dispatcher")
_OVER = Limits(is_over=True)
_VIEW_WAIT_S = 10.0


@dataclass(slots=True)
class _Known:
    """One endpoint that is not simply well. `recorded` is what Kafka has, or is being given."""

    judged_from: int
    health: Health
    recorded: Health
    at_ms: int
    heard: EndpointHealth | None  # what another process, or we, had put on record when this was judged
    writing: bool = False


class HealthBook:
    """Endpoints' health, by subscription. Holds only those that failed lately."""

    def __init__(
        self,
        *,
        settings: Settings,
        topics: Topics,
        codec: Codec,
        view: View,
        writer: Writer,
        clock: Clock,
        metrics: Metrics,
        tasks: Tasks,
    ) -> None:
        self._disable_after_ms = settings.disable_after_s * 1_000
        self._topic = topics.endpoint_state
        self._codec = codec
        self._view = view
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._tasks = tasks
        self._known: dict[str, _Known] = {}
        metrics.endpoints_failing.set_function(lambda: len(self._swept()))
        metrics.breakers_open.set_function(lambda: sum(known.health.opened > 0 for known in self._swept()))

    def limits(self, subscription_id: str) -> Limits:
        """What holds for this endpoint now."""
        subscription = self._view.subscription(subscription_id)
        if subscription is None:
            self._known.pop(subscription_id, None)
            return _OVER
        if self._view.disabling(subscription_id) is not None:
            return _OVER
        if subscription.status is SubscriptionStatus.PAUSED:
            return _OVER
        known = self._of(subscription)
        if known is None:
            return FREE if subscription.rate_limit is None else Limits(subscription.rate_limit)
        return Limits(subscription.rate_limit, breaker(known.health, self._clock.now_ms()))

    def probe_in_ms(self, subscription_id: str) -> int:
        """How long until an open breaker lets a probe through; 0 if none is open."""
        known = self._known.get(subscription_id)
        if known is None or known.health.probe_at_ms is None:
            return 0
        return max(0, known.health.probe_at_ms - self._clock.now_ms())

    async def attempted(self, subscription: Subscription, sent: Sent, verdict: Verdict) -> None:
        """A request was made; returns once Kafka knows if that disables the subscription."""
        current = self._view.subscription(subscription.subscription_id)
        if current is None or current.judged_from > subscription.judged_from:
            return  # another URL, or enabled again since: this says nothing of what it is now
        if isinstance(verdict, Delivered):
            self._judge(subscription, WELL)
            return
        now_ms = self._clock.now_ms()
        known = self._of(subscription)
        failing = after_failure(
            WELL if known is None else known.health,
            answered=isinstance(sent.reply, Answer),
            now_ms=now_ms,
            disable_after_ms=self._disable_after_ms,
        )
        self._judge(subscription, failing)
        if verdict == GiveUp(Ending.GONE):
            await self._disable(subscription, DisablingReason.GONE)
        elif is_hopeless(failing, now_ms=now_ms, disable_after_ms=self._disable_after_ms):
            await self._disable(subscription, DisablingReason.FAILING)

    def _of(self, subscription: Subscription) -> _Known | None:
        """What is known of it: our own judgement, or another process's if that is later."""
        known = self._known.get(subscription.subscription_id)
        if known is not None and known.judged_from != subscription.judged_from:
            known = None
            del self._known[subscription.subscription_id]
        record = self._view.health(subscription.subscription_id)
        # Clocks differ: a record from the future is news only once.
        if record is None or (known is not None and (record.at_ms <= known.at_ms or record == known.heard)):
            return known
        recorded = _health(record)
        weight = 0 if known is None else known.health.weight
        if recorded == WELL:
            self._known.pop(subscription.subscription_id, None)
            return None
        found = _Known(subscription.judged_from, replace(recorded, weight=weight), recorded, record.at_ms, record)
        self._known[subscription.subscription_id] = found
        return found

    def _judge(self, subscription: Subscription, health: Health) -> None:
        known = self._of(subscription)
        if known is None:
            if health is WELL:
                return
            known = _Known(subscription.judged_from, WELL, WELL, self._clock.now_ms(), None)
            self._known[subscription.subscription_id] = known
        before, known.health, known.at_ms = known.health, health, self._clock.now_ms()
        known.heard = self._view.health(subscription.subscription_id)
        self._tell(subscription, before, health)
        if is_news(known.recorded, health, now_ms=known.at_ms):
            known.recorded = health
            self._write_soon(subscription, known)
        elif health == WELL:
            self._known.pop(subscription.subscription_id, None)

    def _write_soon(self, subscription: Subscription, known: _Known) -> None:
        if not known.writing:
            known.writing = True
            self._tasks.spawn(self._write(subscription, known))

    async def _write(self, subscription: Subscription, known: _Known) -> None:
        """One write at a time for an endpoint, so that the last to be written is the last that was judged."""
        written: Health | None = None
        while written != known.recorded:
            written = known.recorded
            record = _record(subscription, written, known.at_ms)
            place = await self._put(subscription, subscription.subscription_id.encode(), self._codec.encode(record))
        known.writing = False
        if (
            known.health == WELL
        ):  # forgotten once the view says the same: until then it would bring the old judgement back
            with suppress(NotYet):
                await self._view.wait_applied(self._topic, place.offset, timeout_s=_VIEW_WAIT_S)
                self._forget_if_well(subscription.subscription_id, known)

    def _forget_if_well(self, subscription_id: str, known: _Known) -> None:
        if known.health == WELL and not known.writing and self._known.get(subscription_id) is known:
            del self._known[subscription_id]

    async def _disable(self, subscription: Subscription, reason: DisablingReason) -> None:
        if self._view.disabling(subscription.subscription_id) is not None:
            return
        disabling = Disabling(
            subscription_id=subscription.subscription_id,
            account_id=subscription.account_id,
            subscription_version=subscription.version,
            reason=reason,
            at_ms=self._clock.now_ms(),
        )
        await self._put(subscription, disabling_key(subscription.subscription_id), self._codec.encode(disabling))
        self._metrics.disabled.labels(reason.value).inc()
        _log.info("subscription.disabled", extra=_facts(subscription) | {"reason": reason.value})

    async def _put(self, subscription: Subscription, key: bytes, value: bytes) -> Written:
        """Write it; and take it back if the subscription was deleted meanwhile, for nobody would remove it later."""
        written = await persisted(self._writer, self._topic, key=key, value=value)
        if self._view.subscription(subscription.subscription_id) is None:
            return await persisted(self._writer, self._topic, key=key, value=None)
        return written

    def _swept(self) -> Collection[_Known]:
        """What is known, without what was deleted, judged anew by others or changed by its owner since."""
        for subscription_id in list(self._known):
            self.limits(subscription_id)
        return self._known.values()

    def _tell(self, subscription: Subscription, before: Health, after: Health) -> None:
        if after.opened > before.opened:
            self._metrics.breaker_changes.labels("open").inc()
            _log.info("endpoint.breaker_opened", extra=_facts(subscription) | {"opened": after.opened})
        elif before.opened and not after.opened:
            self._metrics.breaker_changes.labels("closed").inc()
            _log.info("endpoint.breaker_closed", extra=_facts(subscription))
        if after.warnings > before.warnings:
            _log.warning("subscription.will_be_disabled", extra=_facts(subscription) | {"warning": after.warnings})


def _facts(subscription: Subscription) -> dict[str, object]:
    return {"subscription_id": subscription.subscription_id, "account_id": subscription.account_id}


def _health(record: EndpointHealth) -> Health:
    return Health(
        opened=record.opened,
        probe_at_ms=record.probe_at_ms,
        failing_since_ms=record.failing_since_ms,
        warnings=record.warnings,
    )


def _record(subscription: Subscription, health: Health, at_ms: int) -> EndpointHealth:
    return EndpointHealth(
        subscription_id=subscription.subscription_id,
        account_id=subscription.account_id,
        subscription_version=subscription.version,
        opened=health.opened,
        probe_at_ms=health.probe_at_ms,
        failing_since_ms=health.failing_since_ms,
        warnings=health.warnings,
        at_ms=at_ms,
    )
