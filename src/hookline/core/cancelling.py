"""What is not tried any more: its webhook is gone or disabled, its job was cancelled, or the retries of its webhook were."""

from enum import Enum

from hookline.core.jobs import Asked
from hookline.schemas.records import Delivery, Subscription


class CalledOff(Enum):
    """Who called it off: the word for the attempt's `error`, and a sentence for the endpoint's owner."""

    SUBSCRIPTION = None, None  # gone or disabled, which the API shows by itself
    JOB = "job_cancelled", "The job that asked for this delivery was cancelled before it was sent."
    RETRIES = "retries_cancelled", "The webhook's pending retries were cancelled."

    def __init__(self, word: str | None, sentence: str | None) -> None:
        self.word = word
        self.sentence = sentence


def called_off(delivery: Delivery, subscription: Subscription, job: Asked | None) -> CalledOff | None:
    """Why it is not tried any more although its webhook is there; None if it is. `job`: the delivery's, as far as it is known."""
    is_waiting_again = delivery.attempt > 1 or delivery.postponed > 0
    if is_waiting_again and delivery.created_at_ms < subscription.cancelled_before_ms:
        return CalledOff.RETRIES
    return CalledOff.JOB if job is not None and job.is_cancelled else None


def ended_at_ms(why: CalledOff, subscription: Subscription | None, *, now_ms: int) -> int:
    """When it ended. Cancelled retries ended when they were, so that whoever puts one on record writes the same record."""
    if why is CalledOff.RETRIES and subscription is not None:
        return subscription.cancelled_before_ms
    return now_ms
