"""Sealing all that a subscription's record holds encrypted anew, under the newest master key. Its owner notices nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hookline.core.masking import masked_url, needs_sealing
from hookline.core.sealing import Key, Purpose, seal, unseal
from hookline.schemas.records import SealedSecret, Subscription

Nonce = Callable[[], bytes]
_PARTS = {
    "secret": Purpose.SECRET,
    "next_secret": Purpose.SECRET,
    "headers": Purpose.HEADERS,
    "sealed_url": Purpose.URL,
    "asked": Purpose.REQUEST,
}


def key_ids(subscription: Subscription) -> frozenset[str]:
    """The ids of the master keys that it takes to open all of it."""
    return frozenset(sealed.key_id for sealed in _sealed(subscription).values())


def rewrapped(subscription: Subscription, *, keys: Sequence[Key], nonce: Nonce) -> Subscription:
    """The subscription with everything sealed under `keys[0]`, a URL with a query that was in clear as well.

    The very same one if nothing had to be done. Its version stays: nothing has changed for its owner. ConfigError if a
    key is missing, ContractError if something does not open.
    """
    whose = {"account_id": subscription.account_id, "subscription_id": subscription.subscription_id}
    found: dict[str, SealedSecret | str] = {}
    for name, sealed in _sealed(subscription).items():
        if sealed.key_id != keys[0].key_id:
            text = unseal(sealed, keys=keys, purpose=_PARTS[name], **whose)
            found[name] = seal(text, key=keys[0], nonce=nonce(), purpose=_PARTS[name], **whose)
    if subscription.sealed_url is None and needs_sealing(subscription.url):
        url = subscription.url
        found["sealed_url"] = seal(url, key=keys[0], nonce=nonce(), purpose=Purpose.URL, **whose)
        found["url"] = masked_url(url)
    return replace(subscription, **found) if found else subscription  # type: ignore[arg-type]  # each has its field's type


def _sealed(subscription: Subscription) -> dict[str, SealedSecret]:
    values = {name: getattr(subscription, name) for name in _PARTS}
    return {name: value for name, value in values.items() if value is not None}
