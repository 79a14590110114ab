"""What somebody writes with a client that was generated from our OpenAPI document; tests/contract/test_api_client.py runs it."""

import json
import os

from hookline_client import AuthenticatedClient
from hookline_client.api.deliveries import list_deliveries, read_delivery, read_event
from hookline_client.api.numbers import read_stats
from hookline_client.api.webhooks import create_webhook, delete_webhook, list_webhooks, patch_webhook, read_webhook
from hookline_client.models import EventPattern, NewWebhook, WebhookChange


def main() -> None:
    client = AuthenticatedClient(base_url=os.environ["URL"], token=os.environ["KEY"])
    wanted = NewWebhook(url="https://example.com/hook", events=[EventPattern.USER_CREATED])
    made = create_webhook.sync(client=client, body=wanted, idempotency_key="once")
    again = create_webhook.sync(client=client, body=wanted, idempotency_key="once")
    change = WebhookChange(description="for users")
    stale = patch_webhook.sync(made.id, client=client, body=change, if_match='"0"')
    changed = patch_webhook.sync(made.id, client=client, body=change)
    listed = list_webhooks.sync(client=client, limit=10)
    deliveries = list_deliveries.sync(made.id, client=client)
    delivery = read_delivery.sync("delivery_124", client=client)
    event = read_event.sync("evt_124", client=client)
    numbers = read_stats.sync(client=client)
    deleted = delete_webhook.sync_detailed(made.id, client=client)
    gone = read_webhook.sync(made.id, client=client)
    told = {
        "made": made.to_dict(),
        "again": again.id,
        "stale": stale.to_dict(),
        "changed": [changed.description, changed.created_at.isoformat()],
        "listed": [each.id for each in listed.webhooks],
        "deliveries": [type(each).__name__ for each in deliveries.deliveries],
        "delivery": [delivery.state, delivery.body_state, [each.outcome for each in delivery.steps]],
        "event": [event.event, [each.webhook_id for each in event.deliveries]],
        "numbers": [numbers.success_rate, numbers.response_time.p99, numbers.errors.to_dict()],
        "deleted": deleted.status_code,
        "gone": gone.to_dict(),
    }
    print(json.dumps(told))


main()
