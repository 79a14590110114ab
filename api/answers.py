"""From records and rows to the bodies of answers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from aiohttp import web
from pydantic import BaseModel

from hookline.api.models import (
    DeliveredLog,
    DeliveryList,
    FailedDelivery,
    FailedLog,
    ListedWebhook,
    LogList,
    SucceededDelivery,
    Webhook,
    WebhookList,
)
from hookline.runtime.history_questions import DeliveryRow, LogRow
from hookline.schemas.records import Subscription


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


def webhook(subscription: Subscription, *, secret: str | None = None) -> Webhook:
    """One webhook in full; `secret` only in the answer that made it."""
    optional = {"description": subscription.description, "secret": secret}
    return Webhook(
        id=subscription.subscription_id,
        url=subscription.url,
        events=subscription.events,
        created_at=timestamp(subscription.created_at_ms),
        status=subscription.status.value,
        **{name: text for name, text in optional.items() if text is not None},
    )


def webhook_list(subscriptions: Sequence[Subscription]) -> WebhookList:
    return WebhookList(webhooks=tuple(_listed(each) for each in subscriptions), total=len(subscriptions))


def delivery_list(rows: Sequence[DeliveryRow]) -> DeliveryList:
    return DeliveryList(deliveries=tuple(_delivery(row) for row in rows))


def log_list(rows: Sequence[LogRow]) -> LogList:
    return LogList(logs=tuple(_log(row) for row in rows))


def _listed(subscription: Subscription) -> ListedWebhook:
    return ListedWebhook(
        id=subscription.subscription_id,
        url=subscription.url,
        events=subscription.events,
        status=subscription.status.value,
        created_at=timestamp(subscription.created_at_ms),
    )


def _delivery(row: DeliveryRow) -> SucceededDelivery | FailedDelivery:
    if row.status == "succeeded" and row.delivered_at_ms is not None:
        return SucceededDelivery(
            id=row.delivery_id,
            event=row.event_type,
            status="succeeded",
            response_code=row.response_code,
            delivered_at=timestamp(row.delivered_at_ms),
            attempts=row.attempts,
        )
    times = {"last_attempt_at": row.last_attempt_at_ms, "next_attempt_at": row.next_attempt_at_ms}
    return FailedDelivery(
        id=row.delivery_id,
        event=row.event_type,
        status="failed",
        response_code=row.response_code,
        attempts=row.attempts,
        **{name: timestamp(at_ms) for name, at_ms in times.items() if at_ms is not None},
    )


def _log(row: LogRow) -> DeliveredLog | FailedLog:
    if row.status == "delivered":
        return DeliveredLog(
            id=row.attempt_id,
            event=row.event_type,
            status="delivered",
            response_code=row.response_code,
            response_time=row.response_time_ms,
            delivered_at=timestamp(row.at_ms),
        )
    reasons = {"error": row.error, "detail": row.detail}
    return FailedLog(
        id=row.attempt_id,
        event=row.event_type,
        status="failed",
        response_code=row.response_code,
        response_time=row.response_time_ms,
        attempted_at=timestamp(row.at_ms),
        **{name: text for name, text in reasons.items() if text is not None},
    )
