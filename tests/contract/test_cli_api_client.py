"""The command line's client of the API, on a real one: lists of more than a page, and one delivery."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from fakes.api import CODEC, Api, running_api
from fakes.history import FAILED, SUCCEEDED
from hookline.api.server import listening
from hookline.cli.api_client import api_client
from hookline.cli.follow import outcome
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.records import Subscription


def url_of(api: Api) -> str:
    return f"http://127.0.0.1:{api.port}"


async def copied(api: Api, subscription_id: str, many: int) -> None:
    """Let there be so many webhooks more, all like this one."""
    first = api.view.subscription(subscription_id)
    assert first is not None
    copies = [replace(first, subscription_id=f"wh_{number:032}") for number in range(many)]
    written = await asyncio.gather(*(put(api, each) for each in copies))
    await api.view.wait_applied(api.parts.topics.subscriptions, max(written), timeout_s=20)


async def put(api: Api, subscription: Subscription) -> int:
    topic, key = api.parts.topics.subscriptions, subscription.subscription_id.encode()
    return (await api.log.write(topic, key=key, value=CODEC.encode(subscription))).offset


async def test_an_account_with_more_webhooks_than_a_page_has_is_listed_whole() -> None:
    async with running_api(subscriptions_max=10_000) as api, api_client(url_of(api), api.call.key) as client:
        made = await api.call.made()
        await copied(api, made["id"], 2_000)
        found = [each.webhook_id for each in await client.webhooks()]
    assert len(found) == len(set(found)) == 2_001
    assert made["id"] in found


async def test_a_delivery_is_found_by_its_id_once_it_is_on_record(api: Api) -> None:
    async with api_client(url_of(api), api.call.key) as client:
        await api.call.made()
        (webhook,) = await client.webhooks()
        assert await client.delivery(FAILED.delivery_id) is None
        api.history.delivery_rows = [SUCCEEDED, FAILED]
        for row in (SUCCEEDED, FAILED):
            found = await client.delivery(row.delivery_id)
            seen = outcome(webhook, row.delivery_id, found, after_s=1)
            assert (seen.status, seen.attempts, seen.response_code) == (row.status, row.attempts, row.response_code)
        assert seen.next_attempt_at == "2023-06-20T16:15:30Z"


async def test_who_refuses_or_is_away_is_named(api: Api) -> None:
    async with api_client(url_of(api), "hl_wrong") as client:
        with pytest.raises(ConfigError, match=f"{url_of(api)} answered 401"):
            await client.delivery(FAILED.delivery_id)
    async with api_client(url_of(api), api.call.key) as client:
        api.history.error = NotYet("the store is busy")
        with pytest.raises(NotYet, match="answered 503"):
            await client.delivery(FAILED.delivery_id)


@pytest.mark.parametrize("body", ["[]", "null", '"not found"', '{"type": "urn:hookline:problem:unknown-path"}'])
async def test_an_api_that_knows_no_such_path_is_not_waited_for(body: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=404, text=body)

    app = web.Application()
    app.router.add_get("/deliveries/{id}", answer)
    async with (
        listening(app, host="127.0.0.1", port=0) as port,
        api_client(f"http://127.0.0.1:{port}", "hl_any") as client,
    ):
        with pytest.raises(ConfigError, match="answered 404"):
            await client.delivery("delivery_1")
