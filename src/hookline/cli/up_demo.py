"""The demo receiver's webhook: made once through the public API, and kept true to where the receiver listens."""

import asyncio
from collections.abc import Sequence

from hookline.cli.api_client import ApiClient, Webhook
from hookline.cli.up_account import Identity
from hookline.schemas.errors import NotYet

_DESCRIPTION = "Demo receiver of hookline up"
_TRIES = 20
_AGAIN_S = 0.25


async def register(api: ApiClient, identity: Identity, *, url: str, events: Sequence[str]) -> str:
    """The id of the receiver's webhook, which is active and points to `url` from now on."""
    known = {webhook.webhook_id: webhook for webhook in await _webhooks(api)}
    found = known.get(identity.receiver_webhook_id)
    if found is None:
        body = {"url": url, "events": list(events), "description": _DESCRIPTION, "secret": identity.receiver_secret}
        return (await api.create(body)).webhook_id
    if found.url != url or not found.active or set(found.events) != set(events):
        await api.change(found.webhook_id, {"url": url, "events": list(events), "status": "active"})
    return found.webhook_id


async def rest(api: ApiClient, identity: Identity) -> None:
    """Pause the receiver's webhook, if there is one: nobody listens there in a run without the demo."""
    for webhook in await _webhooks(api):
        if webhook.webhook_id == identity.receiver_webhook_id and webhook.active:
            await api.change(webhook.webhook_id, {"status": "paused"})


async def _webhooks(api: ApiClient) -> Sequence[Webhook]:
    """The account's webhooks, once the API knows the account: its record may be a moment behind."""
    for _ in range(_TRIES - 1):
        try:
            return await api.webhooks()
        except NotYet:
            await asyncio.sleep(_AGAIN_S)
    return await api.webhooks()
