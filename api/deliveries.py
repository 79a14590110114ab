"""Test deliveries: `/webhooks/{id}/test`."""

from datetime import UTC, datetime

from aiohttp import web

from hookline.api.answers import answer
from hookline.api.bodies import read_body
from hookline.api.configuration import AGAIN, KAFKA_ANSWER_S, confirmed
from hookline.api.history_responses import TestAccepted
from hookline.api.ports import Parts
from hookline.api.requests import TestRequest
from hookline.api.webhooks import own_subscription, rules, subscription_of
from hookline.core.ids import delivery_id
from hookline.runtime.changes import Write
from hookline.schemas.codec import sample_event
from hookline.schemas.records import Delivery, Subscription


class Deliveries:
    """The handlers."""

    def __init__(self, parts: Parts, *, answer_s: float = KAFKA_ANSWER_S) -> None:
        self._parts = parts
        self._answer_s = answer_s
        self._rules = rules(parts.catalogue, parts.settings)

    async def test(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/test`: a sample event for this one webhook, on the normal road; also while it is paused."""
        subscription_of(request, self._parts.view)  # 404 before anything is said of the body
        wanted = await read_body(request, TestRequest, context=self._rules)
        asked = own_subscription(request, self._parts.view, request[AGAIN]())  # a body can take its time
        delivery = self._test_delivery(asked, wanted.event)
        write = Write(
            topic=self._parts.topics.deliveries,
            key=asked.subscription_id.encode(),
            value=self._parts.codec.encode(delivery),
        )
        await confirmed(self._parts.writer, write, answer_s=self._answer_s)
        return answer(TestAccepted(delivery_id=delivery.delivery_id), status=202)

    def _test_delivery(self, subscription: Subscription, event_type: str) -> Delivery:
        now_ms = self._parts.clock.now_ms()
        event = sample_event(
            self._parts.catalogue,
            event_type,
            event_id=self._parts.draw.event_id(),
            account_id=subscription.account_id,
            occurred_at=datetime.fromtimestamp(now_ms // 1_000, UTC),
        )
        return Delivery(
            delivery_id=delivery_id(subscription.account_id, event.event_id, subscription.subscription_id),
            account_id=subscription.account_id,
            subscription_id=subscription.subscription_id,
            event_id=event.event_id,
            event_type=event_type,
            body=self._parts.renderer.render(event),
            config_offset=self._parts.view.applied,
            created_at_ms=now_ms,
            source_at_ms=now_ms,
            is_test=True,
        )
