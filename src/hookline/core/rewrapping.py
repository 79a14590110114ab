"""Sealing all that a subscription's record holds encrypted anew, under the newest master key. Its owner notices nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hookline.core.masking import masked_url, needs_sealing
from hookline.core.sealing import Key, Purpose, seal, unseal
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import SealedSecret, Subscription

Nonce = Callable[[], bytes]
_PARTS = {
    "secret": Purpose.SECRET,
    "next_secret": Purpose.SECRET,
    "headers": Purpose.HEADERS,
    "sealed_url": Purpose.URL,
    "asked": Purpose.REQUEST,
}
_DISPENSABLE = Purpose.REQUEST  # it serves nothing but a repeat of the request, and its owner can't give it anew


def key_ids(subscription: Subscription) -> frozenset[str]:
    """The ids of the master keys that it takes to open all of it."""
    return frozenset(sealed.key_id for sealed in _sealed(subscription).values())


def rewrapped(subscription: Subscription, *, keys: Sequence[Key], nonce: Nonce) -> Subscription:
    """The subscription with everything sealed under `keys[0]`, a URL with a query that was in clear as well.

    The very same one if nothing had to be done. Its version stays: nothing has changed for its owner. The digest of the
    request that made it is dropped if it does not open: such a request is then another one. ConfigError if a key of the
    rest is missing, ContractError if something of it does not open.
    """
    whose = {"account_id": subscription.account_id, "subscription_id": subscription.subscription_id}
    found: dict[str, SealedSecret | str | None] = {}
    for name, sealed in _sealed(subscription).items():
        if sealed.key_id != keys[0].key_id:
            found[name] = _anew(sealed, _PARTS[name], keys, nonce, **whose)
    if subscription.sealed_url is None and needs_sealing(subscription.url):
        url = subscription.url
        found["sealed_url"] = seal(url, key=keys[0], nonce=nonce(), purpose=Purpose.URL, **whose)
        found["url"] = masked_url(url)
    return replace(subscription, **found) if found else subscription  # type: ignore[arg-type]  # each has its field's type


def forgets(before: Subscription, after: Subscription) -> bool:
    """Whether the request that made it was remembered before, and is not after: then a repeat of it is refused."""
    return before.asked is not None and after.asked is None


def _anew(
    sealed: SealedSecret, purpose: Purpose, keys: Sequence[Key], nonce: Nonce, **whose: str
) -> SealedSecret | None:
    """The same, sealed under `keys[0]`; None if it does not open and is dropped."""
    try:
        text = unseal(sealed, keys=keys, purpose=purpose, **whose)
    except (ConfigError, ContractError):
        if purpose is _DISPENSABLE:
            return None
        raise
    return seal(text, key=keys[0], nonce=nonce(), purpose=purpose, **whose)


def _sealed(subscription: Subscription) -> dict[str, SealedSecret]:
    values = {name: getattr(subscription, name) for name in _PARTS}
    return {name: value for name, value in values.items() if value is not None}
