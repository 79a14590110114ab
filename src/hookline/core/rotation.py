"""Changing a signing secret: for a time both sign, so that a receiver can change over without missing one."""

from dataclasses import replace
from typing import NamedTuple

from hookline.schemas.records import SealedSecret, Subscription


class Secrets(NamedTuple):
    """The secret that receivers know, and the one that is coming; None while none is."""

    current: SealedSecret
    coming: SealedSecret | None


def secrets_at(subscription: Subscription, now_ms: int) -> Secrets:
    """What signs at this time."""
    coming, from_ms = subscription.next_secret, subscription.next_secret_from_ms
    if coming is None or from_ms is None:
        return Secrets(subscription.secret, None)
    return Secrets(coming, None) if now_ms >= from_ms else Secrets(subscription.secret, coming)


def rotated(subscription: Subscription, new: SealedSecret, *, now_ms: int, overlap_ms: int) -> Subscription:
    """The subscription with a new secret that takes over after `overlap_ms`; 0: at once."""
    current = secrets_at(subscription, now_ms).current
    if overlap_ms == 0:
        return replace(subscription, secret=new, next_secret=None, next_secret_from_ms=None)
    return replace(subscription, secret=current, next_secret=new, next_secret_from_ms=now_ms + overlap_ms)


def promoted(subscription: Subscription) -> Subscription:
    """The subscription whose new secret has taken over; the same one if there is none."""
    if subscription.next_secret is None:
        return subscription
    return replace(subscription, secret=subscription.next_secret, next_secret=None, next_secret_from_ms=None)
