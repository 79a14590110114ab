"""Carries out one delivery: judges whether it may be tried, has it sent, and puts on record what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum, auto

from hookline.core.breaker import Breaker
from hookline.core.cancelling import CalledOff, called_off, ended_at_ms
from hookline.core.limits import REPLAYS, Held
from hookline.core.verdict import Delivered, Ending, GiveUp, NoAnswer, RetryAfter, Trouble, Verdict, judge
from hookline.core.window import Hold, Slot, Window
from hookline.dispatchers.entries import Source
from hookline.dispatchers.health import HealthBook
from hookline.dispatchers.recorder import Recorder
from hookline.dispatchers.sender import Sender
from hookline.runtime.clock import Clock
from hookline.runtime.settings import Settings
from hookline.runtime.view import View
from hookline.schemas.records import Delivery, Subscription, SubscriptionStatus
from hookline.schemas.topics import Topics

OwnerKnown = Callable[[Window], Awaitable[object]]
_OUR_FAULT = NoAnswer(Trouble.SECRET)  # no request was made: it says nothing of the endpoint


class Closing(Enum):
    """How a record was closed."""

    FINISHED = auto()  # its attempt was made, or never will be
    POSTPONED = auto()  # its successor waits on a tier


class Deliverer:
    """Everything about one delivery between its start and its outcome on record."""

    def __init__(
        self,
        *,
        settings: Settings,
        topics: Topics,
        view: View,
        sender: Sender,
        recorder: Recorder,
        health: HealthBook,
        clock: Clock,
    ) -> None:
        self._age_max_ms = settings.delivery_age_max_s * 1_000
        self._tiers_ms = topics.retry_tiers_ms
        self._view = view
        self._sender = sender
        self._recorder = recorder
        self._health = health
        self._clock = clock

    async def carry_out(self, slot: Slot, answered: Callable[[bool], None], owner_known: OwnerKnown) -> Closing:
        """Try it, unless something speaks against that; `answered` hears at once how a request ended.

        `owner_known` waits until it is known whose the window is: a process that was paused may have lost it.
        """
        delivery = slot.delivery
        subscription = self._view.subscription(delivery.subscription_id)
        if self._view.cannot_read(delivery.subscription_id):
            return await self.postpone(slot, Held.UNKNOWN, 0.0)  # written by a newer release: this one must not judge
        why = self._called_off(delivery, subscription)
        if why is not None or subscription is None:
            await self._cancel(delivery, source_of(slot), why or CalledOff.SUBSCRIPTION)
            return Closing.FINISHED
        if not delivery.is_test:
            if subscription.status is SubscriptionStatus.PAUSED:
                return await self.postpone(slot, Held.PAUSED, 0.0)
            if self._health.limits(delivery.subscription_id).breaker is Breaker.OPEN:
                return await self.postpone(slot, Held.BREAKER, 0.0)
        await self._attempt(slot, subscription, answered=answered, owner_known=owner_known)
        return Closing.FINISHED

    async def postpone(self, slot: Slot, held: Held, wait_ms: float) -> Closing:
        """It may not start for so long; or it ends: it would be called off then, or was held back for too long already."""
        delivery, source = slot.delivery, source_of(slot)
        if (why := self.called_off(replace(delivery, postponed=delivery.postponed + 1))) is not None:
            await self._cancel(delivery, source, why)
            return Closing.FINISHED
        if self._clock.now_ms() - delivery.created_at_ms > self._age_max_ms:
            await self._recorder.expired(delivery, source)
            return Closing.FINISHED
        if held is Held.BREAKER:
            wait_ms = max(wait_ms, self._health.probe_in_ms(delivery.subscription_id))
        await self._recorder.postponed(delivery, source, held, wait_ms)
        return Closing.POSTPONED

    def called_off(self, delivery: Delivery) -> CalledOff | None:
        """Why it is not tried any more, as far as this release can judge."""
        if self._view.cannot_read(delivery.subscription_id):
            return None
        return self._called_off(delivery, self._view.subscription(delivery.subscription_id))

    def _called_off(self, delivery: Delivery, subscription: Subscription | None) -> CalledOff | None:
        if (why := self._called_off_for_good(delivery, subscription)) is not None:
            return why
        is_disabled = not delivery.is_test and self._view.disabling(delivery.subscription_id) is not None
        return CalledOff.SUBSCRIPTION if is_disabled else None

    def _called_off_for_good(self, delivery: Delivery, subscription: Subscription | None) -> CalledOff | None:
        """Why it will never be tried. That its webhook is disabled does not say so: it may be enabled before this one is due."""
        if subscription is None or self._is_of_another(subscription, delivery):
            return CalledOff.SUBSCRIPTION
        job = None if delivery.job_id is None else self._view.job(delivery.job_id)
        return called_off(delivery, subscription, job, self._view.retries_cancelled_at)

    def _is_of_another(self, subscription: Subscription, delivery: Delivery) -> bool:
        """Of another account's, or of one that was deleted and made anew with the same Idempotency-Key, and so the same id."""
        is_foreign = subscription.account_id != delivery.account_id
        return is_foreign or self._view.was_deleted_since(delivery.subscription_id, delivery.config_offset)

    async def _cancel(self, delivery: Delivery, source: Source, why: CalledOff) -> None:
        subscription = self._view.subscription(delivery.subscription_id)
        at_ms = ended_at_ms(why, subscription, now_ms=self._clock.now_ms())
        await self._recorder.cancelled(delivery, source, why, at_ms=at_ms)

    async def _attempt(
        self, slot: Slot, subscription: Subscription, *, answered: Callable[[bool], None], owner_known: OwnerKnown
    ) -> None:
        sent = await self._sender.send(slot.delivery, subscription, self._view.account(subscription.account_id))
        verdict = judge(sent.reply, attempt=slot.delivery.attempt, tiers_ms=self._tiers_ms)
        answered(isinstance(verdict, Delivered))
        if not slot.delivery.is_test and sent.reply != _OUR_FAULT:
            await self._health.attempted(subscription, sent, verdict)
        if not isinstance(verdict, Delivered):
            await owner_known(slot.window)  # a retry, or its end, is for who has the partition now
        if slot.window.hold is Hold.GONE:
            await self._recorder.attempted_late(slot.delivery, source_of(slot), sent, verdict)
        else:
            verdict = await self._unless_called_off(slot, verdict)
            await self._recorder.attempted(slot.delivery, source_of(slot), sent, verdict)

    async def _unless_called_off(self, slot: Slot, verdict: Verdict) -> Verdict:
        """The verdict. A retry that will be called off when it is due ends now, or history would say that it is still to come."""
        delivery = slot.delivery
        if not isinstance(verdict, RetryAfter) or self._view.cannot_read(delivery.subscription_id):
            return verdict
        following = replace(delivery, attempt=delivery.attempt + 1)
        why = self._called_off_for_good(following, self._view.subscription(delivery.subscription_id))
        if why is None:
            return verdict
        await self._cancel(following, source_of(slot), why)
        return GiveUp(Ending.CALLED_OFF)


def source_of(slot: Slot) -> Source:
    """Where the slot's record was read."""
    window = slot.window
    return Source(window.topic, window.partition, slot.offset, in_replays=window.lane == REPLAYS)
