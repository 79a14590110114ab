"""An account that wants it so: before a webhook is made, or moved, its endpoint must agree to be called."""

import asyncio
import logging

import pytest
from aiohttp import web

from fakes.api import Api, Reply, running_api
from fakes.endpoint import Step, answer, endpoint, reset, when

YES = answer(headers={"WebHook-Allowed-Origin": "hookline"})
NO = answer(headers={"WebHook-Allowed-Origin": "other.example"})
REFUSED: list[tuple[Step, str]] = [
    (200, "does not allow it"),
    (NO, "does not allow it"),
    (404, "404"),
    (answer(302, headers={"WebHook-Allowed-Origin": "*", "Location": "/other"}), "302"),
    (answer(500, headers={"WebHook-Allowed-Origin": "*"}), "500"),
    (reset, "did not answer"),
]


@pytest.fixture
async def checked(api: Api) -> Api:
    """An API whose first account wants its endpoints to agree."""
    assert (await api.admin("PATCH", f"/accounts/{api.account_id}", {"checks_ownership": True})).status == 200
    return api


async def asked_to_make(api: Api, url: str, **headers: str) -> Reply:
    return await api.call("POST", "/webhooks", {"url": url, "events": ["user.created"]}, headers=headers)


def webhooks(api: Api) -> int:
    return len(api.view.subscriptions_of(api.account_id))


async def test_an_endpoint_that_agrees_is_asked_once_and_gets_its_webhook(checked: Api) -> None:
    async with endpoint(YES) as (url, seen):
        reply = await asked_to_make(checked, f"{url}/hook?token=abc")
        assert reply.status == 201, reply.text
        (request,) = seen
        assert (request.method, request.path) == ("OPTIONS", "/hook?token=abc")
        assert request.headers["WebHook-Request-Origin"] == "hookline"
        assert reply.json["secret"] not in str(request)


@pytest.mark.parametrize(("step", "said"), REFUSED)
async def test_an_endpoint_that_does_not_agree_gets_none(checked: Api, step: Step, said: str) -> None:
    written = len(checked.log.records)
    async with endpoint(step) as (url, _):
        reply = await asked_to_make(checked, f"{url}/hook?token=canary")
    assert (reply.status, reply.json["type"]) == (422, "urn:hookline:problem:ownership-not-shown")
    assert said in reply.json["detail"]
    assert "canary" not in reply.text
    assert len(checked.log.records) == written


async def test_what_is_wrong_with_the_request_itself_is_said_before_anybody_is_asked(checked: Api) -> None:
    async with endpoint(YES) as (url, seen):
        for body in ({"url": url, "events": []}, {"url": url}, {"url": f"{url}?***", "events": ["user.created"]}):
            assert (await checked.call("POST", "/webhooks", body)).status == 422
        assert (await checked.call.with_key("")("POST", "/webhooks", {"url": url})).status == 401
        assert len(seen) == 0


async def test_an_address_that_may_not_be_called_is_not_asked(checked: Api) -> None:
    for url in ("https://10.0.0.1/hook", "http://169.254.169.254/latest", f"http://127.0.0.1:{checked.port}/webhooks"):
        reply = await asked_to_make(checked, url)
        assert reply.status == 422
    assert webhooks(checked) == 0


async def test_accounts_that_do_not_want_it_are_not_asked_for_it(api: Api) -> None:
    async with endpoint(404) as (url, seen):
        assert (await asked_to_make(api, url)).status == 201
        assert len(seen) == 0


async def test_a_webhook_is_moved_only_to_an_endpoint_that_agrees(checked: Api) -> None:
    async with endpoint(YES, 404, YES) as (url, seen):
        made = (await asked_to_make(checked, f"{url}/first?a=1")).json
        path = f"/webhooks/{made['id']}"
        assert (await checked.call("PUT", path, {"url": f"{url}/second"})).status == 422
        assert (await checked.call("GET", path)).json["url"] == f"{url}/first?***"
        assert (await checked.call("PUT", path, {"url": f"{url}/first?a=2"})).status == 200
        assert [request.path for request in seen] == ["/first?a=1", "/second", "/first?a=2"]


async def test_a_change_that_leaves_the_url_as_it_is_asks_nobody(checked: Api) -> None:
    async with endpoint(YES, 404) as (url, seen):
        made = (await asked_to_make(checked, f"{url}/hook?a=1")).json
        path = f"/webhooks/{made['id']}"
        for body in ({"url": made["url"]}, {"url": f"{url}/hook?a=1"}, {"status": "paused"}, {"headers": {"X-A": "1"}}):
            assert (await checked.call("PUT", path, body)).status == 200
        assert (await checked.call("POST", f"{path}/enable")).status == 200
        assert (await checked.call("POST", f"{path}/secret/rotate")).status == 200
        assert len(seen) == 1


async def test_a_request_that_comes_again_asks_nobody_again(checked: Api) -> None:
    async with endpoint(YES, 404) as (url, seen):
        replies = [await asked_to_make(checked, url, **{"Idempotency-Key": "order-1"}) for _ in range(2)]
        assert [reply.status for reply in replies] == [201, 201]
        assert replies[0].json == replies[1].json
        assert len(seen) == 1


async def test_a_request_that_comes_again_while_its_webhook_is_deleted_makes_none_that_nobody_agreed_to(
    checked: Api,
) -> None:
    async with endpoint(*[YES] * 5) as (own, _), endpoint(*[404] * 5) as (foreign, _):
        for number in range(5):
            key = {"Idempotency-Key": f"order-{number}"}
            made = (await asked_to_make(checked, own, **key)).json
            gone = checked.call("DELETE", f"/webhooks/{made['id']}")
            _, reply = await asyncio.gather(gone, asked_to_make(checked, foreign, **key))
            assert reply.status == 422, reply.text
    assert webhooks(checked) == 0


async def test_an_account_has_ten_endpoints_asked_at_a_time(checked: Api) -> None:
    opened = asyncio.Event()
    async with endpoint(*[when(opened, YES)] * 11) as (url, seen):
        waiting = [asyncio.create_task(asked_to_make(checked, f"{url}/{number}")) for number in range(10)]
        await seen.wait_for(10)
        refused = await asked_to_make(checked, f"{url}/10")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
        assert "10 endpoints of this account" in refused.json["detail"]
        opened.set()
        assert {reply.status for reply in await asyncio.gather(*waiting)} == {201}
        assert (await asked_to_make(checked, f"{url}/10")).status == 201


async def test_what_was_agreed_before_the_account_wanted_it_stays(api: Api) -> None:
    async with endpoint(404) as (url, _):
        made = (await asked_to_make(api, url)).json
        await api.admin("PATCH", f"/accounts/{api.account_id}", {"checks_ownership": True})
        assert (await api.call("PUT", f"/webhooks/{made['id']}", {"description": "kept"})).status == 200


async def test_an_endpoint_that_hangs_holds_up_no_other_request(checked: Api) -> None:
    opened = asyncio.Event()
    async with endpoint(when(opened, 404)) as (hanging, seen), endpoint(YES) as (url, _):
        waiting = asyncio.create_task(asked_to_make(checked, hanging))
        await seen.wait_for(1)
        assert (await asked_to_make(checked, url)).status == 201
        assert (await checked.stranger("GET", "/webhooks")).status == 200
        assert not waiting.done()
        opened.set()
        assert (await waiting).status == 422


async def test_a_key_that_is_revoked_while_the_endpoint_is_asked_makes_nothing(checked: Api) -> None:
    path = f"/accounts/{checked.account_id}/keys"
    key = (await checked.admin("POST", path, {"name": "short"})).json
    caller, opened = checked.call.with_key(key["key"]), asyncio.Event()
    async with endpoint(when(opened, YES)) as (url, seen):
        body = {"url": url, "events": ["user.created"]}
        waiting = asyncio.create_task(caller("POST", "/webhooks", body))
        await seen.wait_for(1)
        await checked.admin("DELETE", f"{path}/{key['id']}")
        opened.set()
        assert (await waiting).status == 401
    assert webhooks(checked) == 0


async def test_the_question_is_in_no_log_with_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_api() as api, endpoint(YES, web_error) as (url, _):
        await api.admin("PATCH", f"/accounts/{api.account_id}", {"checks_ownership": True})
        assert (await asked_to_make(api, f"{url}/hook?token=canary")).status == 201
        assert (await asked_to_make(api, f"{url}/hook?token=canary")).status == 422
    assert "canary" not in caplog.text


async def web_error(request: web.Request) -> web.StreamResponse:
    raise web.HTTPInternalServerError
