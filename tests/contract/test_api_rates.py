"""How many requests one key may make in a minute: one more is told when to come again, and nobody else is."""

import asyncio
import time

import pytest

from fakes.api import Caller, Reply, key_caller, running_api

BODY = {"url": "https://example.com/hook", "events": ["user.created"]}


@pytest.fixture(autouse=True)
async def no_turn_of_the_minute() -> None:
    """Limits count by the minute of the clock: at its turn a part of what was counted is forgotten."""
    while not 1 < time.time() % 60 < 50:
        await asyncio.sleep(0.1)


async def statuses(caller: Caller, count: int, method: str = "GET", path: str = "/webhooks") -> list[int]:
    return [(await caller(method, path)).status for _ in range(count)]


def is_told_to_wait(reply: Reply) -> bool:
    return reply.status == 429 and 1 <= int(reply.headers["Retry-After"]) <= 60


async def test_one_request_too_many_is_told_when_to_come_again() -> None:
    async with running_api(requests_per_minute=3) as api:
        assert await statuses(api.call, 3) == [200] * 3
        reply = await api.call("GET", "/webhooks")
        assert is_told_to_wait(reply)
        assert reply.json["type"] == "urn:hookline:problem:too-many-requests"
        assert reply.headers["Content-Type"] == "application/problem+json"


async def test_a_change_too_many_changes_nothing() -> None:
    async with running_api(requests_per_minute=3) as api:
        replies = await asyncio.gather(*(api.call("POST", "/webhooks", BODY) for _ in range(10)))
        assert sorted(reply.status for reply in replies) == [201] * 3 + [429] * 7
        assert len(api.view.subscriptions_of(api.account_id)) == 3
        assert len(api.audited) == 3


async def test_other_keys_are_not_held_up_also_of_the_same_account() -> None:
    async with running_api(requests_per_minute=3) as api:
        other = await key_caller(api, api.account_id)
        assert await statuses(api.call, 4) == [200, 200, 200, 429]
        for caller in (other, api.stranger):
            assert await statuses(caller, 4) == [200, 200, 200, 429]
        assert (await api.admin("GET", "/accounts")).status == 200


async def test_an_administrator_has_one_number_in_all_accounts() -> None:
    async with running_api(requests_per_minute=3) as api:
        for name in (api.account_id, api.foreign_id, api.account_id):
            assert (await api.admin("GET", "/webhooks", headers={"Hookline-Account": name})).status == 200
        assert is_told_to_wait(await api.admin("GET", "/webhooks", headers={"Hookline-Account": api.foreign_id}))


async def test_whatever_a_right_key_asks_is_counted_what_it_may_not_do_as_well() -> None:
    async with running_api(requests_per_minute=4) as api:
        asked = [("GET", "/accounts", 403), ("GET", "/webhooks/none", 404), ("POST", "/webhooks", 415)]
        for method, path, status in asked:
            assert (await api.call(method, path)).status == status
        named = {"Hookline-Account": api.foreign_id}
        assert (await api.call("GET", "/webhooks", headers=named)).status == 404
        assert is_told_to_wait(await api.call("GET", "/accounts"))
        assert is_told_to_wait(await api.call("GET", "/webhooks"))


async def test_wrong_keys_are_counted_for_nobody() -> None:
    async with running_api(requests_per_minute=3) as api:
        key_id = api.call.key.split("_")[1]
        for wrong in (f"hl_{key_id}_{'0' * 48}", api.call.key[:-1], f"{api.call.key}0", "", "hll_x.y"):
            assert await statuses(api.call.with_key(wrong), 5) == [401] * 5
        assert await statuses(api.call, 4) == [200, 200, 200, 429]


async def test_the_links_of_one_account_do_not_hold_up_those_of_another() -> None:
    async with running_api(requests_per_minute=3) as api:
        links = [(await api.admin("POST", f"/accounts/{each}/links")).json for each in (api.account_id, api.foreign_id)]
        own, foreign = (api.call.with_key(link["token"]) for link in links)
        assert await statuses(own, 4) == [200, 200, 200, 429]
        assert await statuses(foreign, 3) == [200, 200, 200]
        assert (await api.admin("GET", "/accounts")).status == 200  # nor the key that made them


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/.well-known/jwks.json", "/nothing"])
async def test_what_is_for_everybody_is_not_counted(path: str) -> None:
    async with running_api(requests_per_minute=1) as api:
        assert 429 not in await statuses(api.call, 3, path=path)
        assert (await api.call("GET", "/webhooks")).status == 200


async def test_with_a_limit_of_0_any_number_is_answered() -> None:
    async with running_api(requests_per_minute=0) as api:
        assert set(await statuses(api.call, 200)) == {200}


async def test_a_large_body_that_comes_too_often_is_told_so_as_well() -> None:
    async with running_api(requests_per_minute=1) as api:
        assert await statuses(api.call, 1) == [200]
        for _ in range(3):
            assert is_told_to_wait(await api.call("POST", "/webhooks", data=b" " * 60_000))
