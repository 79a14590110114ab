"""One sample event through the whole road, seen through the API: what `hookline trigger` does."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hookline.cli.api_client import ApiClient, Webhook
from hookline.cli.publishing import publisher
from hookline.core.ids import delivery_id
from hookline.runtime import draw
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.settings import Settings
from hookline.schemas.codec import sample_event
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import Event

_LOOK_S = 0.1
_PUBLISH_MIN_S = 1.0  # to find the broker, however short the wait
_PUBLISH_MAX_S = 30.0
_ANSWER_S = 1.0  # so much later at most does Kafka's client say that its time is up


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the event at one webhook. `after_s` is from the broker's yes until the API knew."""

    webhook_id: str
    url: str
    delivery_id: str
    status: str = "pending"
    response_code: int | None = None
    attempts: int = 0
    next_attempt_at: str | None = None
    after_s: float | None = None

    def __str__(self) -> str:
        if self.after_s is None:
            return f"{self.url}  nothing known yet"
        code = self.response_code if self.response_code is not None else "no answer"
        again = f", next attempt not before {self.next_attempt_at}" if self.next_attempt_at else ""
        return f"{self.url}  {self.status} ({code}) after {self.after_s:.2f} s, attempts: {self.attempts}{again}"

    def is_settled(self, until: datetime) -> bool:
        """Whether nothing more can happen before `until`."""
        if self.status == "pending":
            return False
        return self.next_attempt_at is None or datetime.fromisoformat(self.next_attempt_at) > until


async def followed(
    event_type: str, *, api: ApiClient, settings: Settings, account_id: str, wait_s: float
) -> Sequence[Outcome]:
    """Publish one sample event, and say what became of it at each webhook that wants it, at the latest after `wait_s`.

    NotYet if the broker did not take the event within that time.
    """
    event = _sample(event_type, account_id)
    webhooks = [webhook for webhook in await api.webhooks() if webhook.wants(event_type)]
    started_s = time.monotonic()
    await asyncio.to_thread(_publish, event, settings, timeout_s=publish_timeout_s(wait_s))
    left_s = max(0.0, wait_s - (time.monotonic() - started_s))
    return await asyncio.gather(*(_watch(api, webhook, event, wait_s=left_s) for webhook in webhooks))


def publish_timeout_s(wait_s: float) -> float:
    """How long the broker has for its yes, so that its no is known within `wait_s` (both in seconds)."""
    return min(max(wait_s - _ANSWER_S, _PUBLISH_MIN_S), _PUBLISH_MAX_S)


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """What a script is told: 0 all delivered, 1 something failed, 3 something is not known yet."""
    found = {each.status for each in outcomes}
    if "failed" in found:
        return 1
    return 3 if "pending" in found else 0


def outcome(webhook: Webhook, delivery: str, found: Mapping[str, Any] | None, *, after_s: float) -> Outcome:
    """What the API says of this delivery; `pending` while it knows nothing."""
    if found is None:
        return Outcome(webhook_id=webhook.webhook_id, url=webhook.url, delivery_id=delivery)
    return Outcome(
        webhook_id=webhook.webhook_id,
        url=webhook.url,
        delivery_id=delivery,
        status=found["status"],
        response_code=found.get("response_code"),
        attempts=found["attempts"],
        next_attempt_at=found.get("next_attempt_at"),
        after_s=round(after_s, 3),
    )


async def _watch(api: ApiClient, webhook: Webhook, event: Event, *, wait_s: float) -> Outcome:
    delivery = delivery_id(event.account_id, event.event_id, webhook.webhook_id)
    started_s, until = time.monotonic(), datetime.now(UTC) + timedelta(seconds=wait_s)
    while True:
        found = await api.delivery(delivery)
        after_s = time.monotonic() - started_s
        seen = outcome(webhook, delivery, found, after_s=after_s)
        if seen.is_settled(until) or after_s >= wait_s:
            return seen
        await asyncio.sleep(_LOOK_S)


def _sample(event_type: str, account_id: str) -> Event:
    try:
        return sample_event(
            load_catalogue(),
            event_type,
            event_id=draw.event_id(),
            account_id=account_id,
            occurred_at=datetime.now(UTC),
        )
    except ContractError as error:
        raise ConfigError(str(error)) from error


def _publish(event: Event, settings: Settings, *, timeout_s: float) -> None:
    with publisher(settings, timeout_s=timeout_s) as publishing:
        publishing.publish(event)
