"""From what a request wants to a subscription's record: new, or changed. Looks nothing up, and writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from hookline.api.answers import timestamp
from hookline.api.problems import FieldError, invalid
from hookline.api.requests import NewWebhook, WebhookChange
from hookline.api.vault import Vault
from hookline.core.masking import MASK, masked_url, needs_sealing
from hookline.core.metadata import write_metadata
from hookline.core.sealing import Purpose
from hookline.schemas.records import Disabling, SealedSecret, Subscription, SubscriptionStatus

_NOT_DISABLED = "can be sent back only while the webhook is disabled, and it is not; send 'active' or 'paused'"
_MOVED = "must be given again with their values, or as null, when the URL moves to another host or port"
_MASKED_URL = f"has {MASK} where its query was; send it in full, or as it is shown to leave it as it is"
_MASKED_HEADER = f"has {MASK} for a value, and there is none yet that it could stand for: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A webhook to make. `digest` is the request's, if it bore an Idempotency-Key."""

    account_id: str
    subscription_id: str
    secret: str
    digest: str | None
    now_ms: int


def new_subscription(wanted: NewWebhook, order: Order, vault: Vault) -> Subscription:
    """The record of a new subscription; Refused if a mask was sent where a value was wanted."""
    whose = {"account_id": order.account_id, "subscription_id": order.subscription_id}
    if _is_masked(wanted.url):
        raise invalid([FieldError("url", _MASKED_URL)])
    headers = _unmasked(wanted.headers or {}, {})
    return Subscription(
        subscription_id=order.subscription_id,
        account_id=order.account_id,
        version=1,
        url=masked_url(wanted.url),
        events=tuple(wanted.events),
        description=wanted.description,
        status=SubscriptionStatus.ACTIVE,
        secret=vault.sealed(order.secret, Purpose.SECRET, **whose),
        created_at_ms=order.now_ms,
        updated_at_ms=order.now_ms,
        rate_limit=wanted.rate_limit,
        timeout_s=wanted.timeout_s,
        uid=wanted.uid,
        metadata=None if wanted.metadata is None else write_metadata(wanted.metadata),
        headers=vault.sealed_headers(headers, **whose),
        header_names=tuple(headers),
        sealed_url=_sealed_url(wanted.url, vault, whose),
        asked=None if order.digest is None else vault.sealed(order.digest, Purpose.REQUEST, **whose),
    )


def changed_subscription(
    current: Subscription, wanted: WebhookChange, vault: Vault, *, disabling: Disabling | None, now_ms: int
) -> Subscription:
    """The subscription as wanted, as its next version; the very same one if that changes nothing. Refused if it can't be."""
    _check_unchangeable(current, wanted)
    if wanted.status == "disabled" and disabling is None:
        raise invalid([FieldError("status", _NOT_DISABLED)])
    new_url = _new_url(current, wanted, vault)
    if new_url:
        _check_headers_move(current, wanted)
    given = {**_plain(wanted), **new_url, **_new_headers(current, wanted, vault)}
    was_off = disabling is not None or current.status is SubscriptionStatus.PAUSED
    enables = was_off and given.get("status") is SubscriptionStatus.ACTIVE
    changed = replace(current, **given)
    if enables or "url" in given:
        # What was judged before, or is being judged now, is of an endpoint that its owner has changed or mended; and the
        # time for which it was paused is none in which it failed.
        changed = _unjudged(changed, disabling)
    return current if changed == current else advanced(changed, now_ms=now_ms)


def enabled_subscription(current: Subscription, disabling: Disabling, *, now_ms: int) -> Subscription:
    """The subscription, of whose endpoint nothing that was judged counts any more; `disabling` is what does now."""
    return advanced(_unjudged(current, disabling), now_ms=now_ms)


def _unjudged(subscription: Subscription, disabling: Disabling | None) -> Subscription:
    """It counts from its next version on, which is above the one that was judged: that was higher if it came back from an old file."""
    last = max(subscription.version, 0 if disabling is None else disabling.subscription_version)
    return replace(subscription, version=last, judged_from=last + 1)


def retries_cancelled(current: Subscription, *, now_ms: int) -> Subscription:
    """The subscription, of whose deliveries none that was made before now is tried again."""
    # A clock that was set back brings none back; and each time it grows, for by that the view knows where it happened.
    before_ms = max(now_ms, current.cancelled_before_ms + 1)
    return advanced(replace(current, cancelled_before_ms=before_ms), now_ms=now_ms)


def advanced(changed: Subscription, *, now_ms: int) -> Subscription:
    """A changed subscription as its next version."""
    return replace(changed, version=changed.version + 1, updated_at_ms=now_ms)


def full_url(current: Subscription, wanted: WebhookChange, vault: Vault) -> str | None:
    """The URL that is asked for, if it is another one than there is; Refused if it is only the mask of another."""
    if "url" not in wanted.model_fields_set or wanted.url == masked_url(current.url):
        return None
    if _is_masked(wanted.url):
        raise invalid([FieldError("url", _MASKED_URL)])
    return None if vault.has_url(current, wanted.url) else wanted.url


def _plain(wanted: WebhookChange) -> dict[str, Any]:
    values: dict[str, Any] = {
        "events": tuple(wanted.events),
        "description": wanted.description,
        "rate_limit": wanted.rate_limit,
        "timeout_s": wanted.timeout_s,
        "uid": wanted.uid,
        "metadata": None if wanted.metadata is None else write_metadata(wanted.metadata),
    }
    if wanted.status != "disabled":  # sent back as it was read: it stays what it is
        values["status"] = SubscriptionStatus(wanted.status)
    return {name: value for name, value in values.items() if name in wanted.model_fields_set}


def _new_url(current: Subscription, wanted: WebhookChange, vault: Vault) -> dict[str, Any]:
    url = full_url(current, wanted, vault)
    if url is None:
        return {}
    return {"url": masked_url(url), "sealed_url": _sealed_url(url, vault, _whose(current))}


def _new_headers(current: Subscription, wanted: WebhookChange, vault: Vault) -> dict[str, Any]:
    if "headers" not in wanted.model_fields_set:
        return {}
    headers = wanted.headers or {}
    if headers == dict.fromkeys(current.header_names, MASK):
        return {}  # as they were read; or none where there are none
    if MASK in headers.values():
        headers = _unmasked(headers, vault.headers(current))
    if vault.has_headers(current, headers):
        return {}
    return {"headers": vault.sealed_headers(headers, **_whose(current)), "header_names": tuple(headers)}


def _unmasked(wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """The headers with their values, those that were sent back masked with the value that is there."""
    known = {name.lower(): value for name, value in there.items()}
    lost = [name for name, value in wanted.items() if value == MASK and name.lower() not in known]
    if lost:
        raise invalid([FieldError("headers", _MASKED_HEADER + ", ".join(lost))])
    return {name: known[name.lower()] if value == MASK else value for name, value in wanted.items()}


def _check_headers_move(current: Subscription, wanted: WebhookChange) -> None:
    """Values that are never shown must not be sent to a host that someone else may have chosen: they are given again."""
    if not current.header_names or _origin(current.url) == _origin(wanted.url):  # a mask leaves the host as it is
        return
    is_given = "headers" in wanted.model_fields_set and MASK not in (wanted.headers or {}).values()
    if not is_given:
        raise invalid([FieldError("headers", _MOVED)])


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _is_masked(url: str) -> bool:
    return url.partition("?")[2] == MASK


def _sealed_url(url: str, vault: Vault, whose: Mapping[str, str]) -> SealedSecret | None:
    return vault.sealed(url, Purpose.URL, **whose) if needs_sealing(url) else None


def _whose(subscription: Subscription) -> dict[str, str]:
    return {"account_id": subscription.account_id, "subscription_id": subscription.subscription_id}


def _check_unchangeable(current: Subscription, wanted: WebhookChange) -> None:
    kept = {"id": current.subscription_id, "created_at": timestamp(current.created_at_ms)}
    sent = wanted.model_dump(include=wanted.model_fields_set & kept.keys())
    wrong = [name for name, value in sent.items() if value != kept[name]]
    if wrong:
        raise invalid([FieldError(name, "can't be changed; leave it out or send it as it is") for name in wrong])
