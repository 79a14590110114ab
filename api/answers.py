"""From records and rows to the bodies of answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from hookline.api.requests import Status, without_nulls
from hookline.api.responses import ListedWebhook, Webhook, WebhookList
from hookline.core.masking import MASK, masked_url
from hookline.core.metadata import read_metadata
from hookline.schemas.records import Disabling, EndpointHealth, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What dispatchers judged of a webhook's endpoint. `disable_after_s` is how long it may fail; 0: for ever."""

    health: EndpointHealth | None
    disabling: Disabling | None
    disable_after_s: int


def answer(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The response with this body."""
    return web.Response(
        status=status,
        body=model.model_dump_json(exclude_unset=True).encode(),
        content_type="application/json",
        headers=headers,
    )


def timestamp(at_ms: int) -> str:
    """A time as the contract writes it: `2023-06-20T14:15:30Z`, whole seconds."""
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def webhook(subscription: Subscription, standing: Standing, *, secret: str | None = None) -> Webhook:
    """One webhook in full; `secret` only in the answer that made it."""
    optional: dict[str, Any] = {
        "description": subscription.description,
        "rate_limit": subscription.rate_limit,
        "timeout_s": subscription.timeout_s,
        "uid": subscription.uid,
        "metadata": None if subscription.metadata is None else read_metadata(subscription.metadata),
        "headers": dict.fromkeys(subscription.header_names, MASK) or None,
        **_judged(standing),
        "secret": secret,
    }
    return Webhook(
        id=subscription.subscription_id,
        url=masked_url(subscription.url),
        events=subscription.events,
        created_at=timestamp(subscription.created_at_ms),
        status=status_of(subscription, standing.disabling),
        **without_nulls(optional),
    )


def webhook_list(
    webhooks: Sequence[tuple[Subscription, Disabling | None]], *, total: int, next_cursor: str | None
) -> WebhookList:
    """A page of `total`; the last one has no cursor."""
    more = {} if next_cursor is None else {"next_cursor": next_cursor}
    return WebhookList(webhooks=tuple(_listed(*each) for each in webhooks), total=total, **more)


def status_of(subscription: Subscription, disabling: Disabling | None) -> Status:
    """Disabled before paused: of the two that is what its owner does not know, and has to act on."""
    return "disabled" if disabling is not None else subscription.status.value


def _judged(standing: Standing) -> dict[str, str]:
    disabling = standing.disabling
    since_ms = None if standing.health is None else standing.health.failing_since_ms
    judged: dict[str, str] = {}
    if disabling is not None:
        judged |= {"disabled_reason": disabling.reason.value, "disabled_at": timestamp(disabling.at_ms)}
    if since_ms is not None:
        judged["failing_since"] = timestamp(since_ms)
    if since_ms is not None and disabling is None and standing.disable_after_s > 0:
        judged["disables_at"] = timestamp(since_ms + standing.disable_after_s * 1_000)
    return judged


def _listed(subscription: Subscription, disabling: Disabling | None) -> ListedWebhook:
    return ListedWebhook(
        id=subscription.subscription_id,
        url=masked_url(subscription.url),
        events=subscription.events,
        status=status_of(subscription, disabling),
        created_at=timestamp(subscription.created_at_ms),
        **without_nulls({"uid": subscription.uid}),
    )
