"""What is not tried any more: its webhook is gone or disabled, its job was cancelled, or the retries of its webhook were.

Cancelling retries ends every delivery that was made before it: no attempt follows its first one, and it is not postponed. What
whoever made a delivery knew of the configuration (`config_offset`) says whether it was before; its time must say so as well, for
a process that began later may know only of a later change of the webhook, which is all that Kafka has kept.
"""

from collections.abc import Callable
from enum import Enum

from hookline.core.jobs import Asked
from hookline.schemas.records import Delivery, Subscription

# So much may the clocks of two processes differ, with the moment until a dispatcher has heard of it.
_UNHEARD_MS = 60_000


class CalledOff(Enum):
    """Who called it off: the word for the attempt's `error`, and a sentence for the endpoint's owner."""

    SUBSCRIPTION = None, None  # gone or disabled, which the API shows by itself
    JOB = "job_cancelled", "The job that asked for this delivery was cancelled before it was sent."
    RETRIES = "retries_cancelled", "The webhook's pending retries were cancelled."

    def __init__(self, word: str | None, sentence: str | None) -> None:
        self.word = word
        self.sentence = sentence


def called_off(
    delivery: Delivery, subscription: Subscription, job: Asked | None, cancelled_at: Callable[[str], int]
) -> CalledOff | None:
    """Why it is not tried any more although its webhook is there; None if it is. `job`: the delivery's, as far as it is known.

    `cancelled_at` is asked with the subscription's id where in the configuration its retries were cancelled; -1: never.
    """
    is_waiting_again = delivery.attempt > 1 or delivery.postponed > 0
    if (
        is_waiting_again
        and delivery.created_at_ms < subscription.cancelled_before_ms
        and delivery.config_offset <= cancelled_at(subscription.subscription_id)
    ):
        return CalledOff.RETRIES
    return CalledOff.JOB if job is not None and job.is_cancelled else None


def may_be_called_off(subscription: Subscription, *, recorded_at_ms: int) -> bool:
    """Whether what is still to be tried may be ended with the cancelled retries; `recorded_at_ms`: its last record's time.

    It is not if that record is surely of a dispatcher that had heard of it, for then it would say that it was cancelled.
    """
    before_ms = subscription.cancelled_before_ms
    return before_ms > 0 and recorded_at_ms < before_ms + _UNHEARD_MS


def surely_called_off(subscription: Subscription, *, run_began_ms: int) -> bool:
    """Whether dispatchers will end what is still to be tried of a run whose first record is of this time.

    Its record does not say what its maker knew of the configuration, so its time must be earlier by all that clocks may differ.
    """
    return run_began_ms < subscription.cancelled_before_ms - _UNHEARD_MS


def ended_at_ms(why: CalledOff, subscription: Subscription | None, *, now_ms: int) -> int:
    """When it ended. Cancelled retries ended when they were, so that whoever puts one on record writes the same record."""
    if why is CalledOff.RETRIES and subscription is not None:
        return subscription.cancelled_before_ms
    return now_ms
