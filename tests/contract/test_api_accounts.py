"""Accounts over the API: made, listed, read and changed by administrators, with a cap of webhooks for each."""

import asyncio
import re
from typing import Any

import pytest
from multidict import CIMultiDict

from fakes.api import CODEC, Api, key_caller, running_api
from hookline.schemas.records import Account

FIELDS = ["id", "name", "created_at", "webhooks", "webhooks_max", "checks_ownership", "signs_ed25519"]
WEBHOOK = {"url": "https://example.com/hook", "events": ["user.created"]}


async def made(api: Api, **fields: object) -> Any:
    reply = await api.admin("POST", "/accounts", {"name": "Acme", **fields})
    assert reply.status == 201, reply.text
    return reply.json


async def changed(api: Api, account_id: str, body: object, *, edition: str | None = None) -> Any:
    headers = None if edition is None else {"If-Match": edition}
    return await api.admin("PATCH", f"/accounts/{account_id}", body, headers=headers)


def kept(api: Api, account_id: str) -> Account:
    found = api.view.account(account_id)
    assert found is not None
    return found


def written(api: Api) -> int:
    return len(api.log.records)


# -- making and reading -----------------------------------------------------------------------------------------------


async def test_an_account_is_made_with_what_the_installation_lets_it_have(api: Api) -> None:
    reply = await api.admin("POST", "/accounts", {"name": "Acme"})
    assert reply.status == 201, reply.text
    account = reply.json
    assert list(account) == FIELDS
    assert re.fullmatch(r"acct_[0-9a-f]{32}", account["id"])
    said = {name: account[name] for name in FIELDS if name not in {"id", "created_at"}}
    limits = {"webhooks": 0, "webhooks_max": 100}
    assert said == {"name": "Acme", **limits, "checks_ownership": False, "signs_ed25519": False}
    assert reply.headers["Location"] == f"/accounts/{account['id']}"
    assert reply.headers["ETag"] == '"1"'
    assert kept(api, account["id"]).subscriptions_max is None


async def test_an_account_is_read_as_it_was_made(api: Api) -> None:
    account = await made(api, webhooks_max=3, checks_ownership=True, signs_ed25519=True)
    reply = await api.admin("GET", f"/accounts/{account['id']}")
    assert (reply.status, reply.json, reply.headers["ETag"]) == (200, account, '"1"')
    assert (account["webhooks_max"], account["checks_ownership"], account["signs_ed25519"]) == (3, True, True)


async def test_a_made_account_is_in_the_log_and_its_first_key_works(api: Api) -> None:
    account = await made(api)
    record = CODEC.decode(api.log.changes[-1].value or b"", Account)
    assert (record, record.version) == (kept(api, account["id"]), 1)
    assert record.created_at_ms == record.updated_at_ms
    key = (await api.admin("POST", f"/accounts/{account['id']}/keys", {"name": "first"})).json["key"]
    assert (await api.call.with_key(key)("GET", "/webhooks")).json == {"webhooks": [], "total": 0}


async def test_an_account_counts_its_own_webhooks(api: Api) -> None:
    await api.call.made()
    await api.call.made()
    await api.stranger.made()
    assert (await api.admin("GET", f"/accounts/{api.account_id}")).json["webhooks"] == 2


async def test_who_asks_is_told_whose_key_it_is(api: Api) -> None:
    own = (await api.admin("GET", f"/accounts/{api.account_id}")).json
    key_id = api.call.key.split("_")[1]
    said = (await api.call("GET", "/account")).json
    assert list(said) == ["account", "scopes", "actor"]
    assert said == {"account": own, "scopes": ["read", "write"], "actor": key_id}


async def test_an_administrator_is_of_no_account_but_in_the_one_that_they_name(api: Api) -> None:
    actor = api.admin.key.split("_")[1]
    assert (await api.admin("GET", "/account")).json == {"scopes": ["admin"], "actor": actor}
    said = (await api.admin("GET", "/account", headers={"Hookline-Account": api.account_id})).json
    assert (said["account"]["id"], said["actor"]) == (api.account_id, actor)


async def test_a_key_whose_account_was_never_written_has_an_account_with_defaults(api: Api) -> None:
    caller = await key_caller(api, "acct_unwritten")
    account = (await caller("GET", "/account")).json["account"]
    assert (account["id"], account["webhooks_max"]) == ("acct_unwritten", 100)
    assert (await caller.made())["status"] == "active"


# -- listing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_of_accounts_show_each_once_and_in_order(api: Api, limit: int) -> None:
    names = [(await made(api, name=f"number {number}"))["id"] for number in range(3)]
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        page = (await api.admin("GET", f"/accounts?limit={limit}{cursor}")).json
        assert (page["total"], len(page["accounts"]) <= limit) == (5, True)
        seen += [each["id"] for each in page["accounts"]]
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [each.account_id for each in api.view.accounts()]
    assert set(seen) == {*names, api.account_id, api.foreign_id}


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("cursor=nonsense!", "cursor"), ("name=Acme", "name")]
)
async def test_a_wrong_query_of_accounts_is_named(api: Api, query: str, field: str) -> None:
    reply = await api.admin("GET", f"/accounts?{query}")
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)


# -- changing ---------------------------------------------------------------------------------------------------------


async def test_what_is_left_out_of_a_change_keeps_its_value(api: Api) -> None:
    account = await made(api, webhooks_max=3, checks_ownership=True)
    reply = await changed(api, account["id"], {"name": "Acme Ltd", "signs_ed25519": True})
    assert (reply.status, reply.headers["ETag"]) == (200, '"2"')
    assert reply.json == {**account, "name": "Acme Ltd", "signs_ed25519": True}
    record = kept(api, account["id"])
    assert (record.version, record.checks_ownership, record.subscriptions_max) == (2, True, 3)
    assert record.updated_at_ms >= record.created_at_ms


async def test_a_cap_of_null_is_the_installations_again(api: Api) -> None:
    account = await made(api, webhooks_max=3)
    assert (await changed(api, account["id"], {"webhooks_max": None})).json["webhooks_max"] == 100
    assert kept(api, account["id"]).subscriptions_max is None


@pytest.mark.parametrize("body", [{}, {"name": "Acme"}, {"webhooks_max": 3, "checks_ownership": False}])
async def test_a_change_that_changes_nothing_writes_nothing(api: Api, body: dict[str, object]) -> None:
    account = await made(api, webhooks_max=3)
    before = written(api)
    reply = await changed(api, account["id"], body)
    assert (reply.status, reply.json, reply.headers["ETag"]) == (200, account, '"1"')
    assert written(api) == before


async def test_an_edition_that_is_not_the_current_one_changes_nothing(api: Api) -> None:
    account = await made(api)
    await changed(api, account["id"], {"name": "Other"})
    before = written(api)
    reply = await changed(api, account["id"], {"name": "Third"}, edition='"1"')
    assert (reply.status, reply.json["type"]) == (412, "urn:hookline:problem:changed-meanwhile")
    assert reply.headers["ETag"] == '"2"'
    assert written(api) == before
    assert (await changed(api, account["id"], {"name": "Third"}, edition='"1", "2"')).status == 200


async def test_of_two_editors_at_once_one_is_told(api: Api) -> None:
    account = await made(api)
    names = ["one", "two", "three", "four"]
    replies = await asyncio.gather(*(changed(api, account["id"], {"name": name}, edition='"1"') for name in names))
    assert sorted(reply.status for reply in replies) == [200, 412, 412, 412]
    assert kept(api, account["id"]).version == 2


# -- caps -------------------------------------------------------------------------------------------------------------


async def test_an_account_has_at_most_its_own_cap_of_webhooks(api: Api) -> None:
    await changed(api, api.account_id, {"webhooks_max": 2})
    replies = await asyncio.gather(*(api.call("POST", "/webhooks", WEBHOOK) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [201, 201, 409, 409, 409]
    refused = next(reply for reply in replies if reply.status == 409)
    assert refused.json["type"] == "urn:hookline:problem:too-many-webhooks"
    assert "2 webhooks" in refused.json["detail"]
    assert (await api.stranger("POST", "/webhooks", WEBHOOK)).status == 201


async def test_a_cap_can_be_above_the_installations() -> None:
    async with running_api(subscriptions_max=1) as api:
        await api.call.made()
        assert (await api.call("POST", "/webhooks", WEBHOOK)).status == 409
        await changed(api, api.account_id, {"webhooks_max": 2})
        assert (await api.call("POST", "/webhooks", WEBHOOK)).status == 201


async def test_a_cap_below_what_there_is_takes_nothing_away(api: Api) -> None:
    webhooks = [await api.call.made(secret="given") for _ in range(2)]
    await changed(api, api.account_id, {"webhooks_max": 0})
    assert (await api.call("POST", "/webhooks", WEBHOOK)).status == 409
    assert (await api.call("GET", "/webhooks")).json["total"] == 2
    assert (await api.call("PUT", f"/webhooks/{webhooks[0]['id']}", {"status": "paused"})).status == 200


# -- what is wrong ----------------------------------------------------------------------------------------------------

WRONG = [
    ({"name": ""}, "name"),
    ({"name": " \t"}, "name"),
    ({"name": "n" * 201}, "name"),
    ({"name": None}, "name"),
    ({"name": 5}, "name"),
    ({"webhooks_max": -1}, "webhooks_max"),
    ({"webhooks_max": 100_001}, "webhooks_max"),
    ({"webhooks_max": "5"}, "webhooks_max"),
    ({"webhooks_max": True}, "webhooks_max"),
    ({"webhooks_max": 1.5}, "webhooks_max"),
    ({"checks_ownership": "yes"}, "checks_ownership"),
    ({"checks_ownership": None}, "checks_ownership"),
    ({"signs_ed25519": 1}, "signs_ed25519"),
    ({"id": "acct_1"}, "id"),
    ({"webhooks": 1}, "webhooks"),
    ({"subscriptions_max": 1}, "subscriptions_max"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
async def test_a_wrong_field_is_named_and_nothing_is_written(api: Api, body: dict[str, object], field: str) -> None:
    before = written(api)
    replies = [
        await api.admin("POST", "/accounts", {"name": "Acme", **body}),
        await changed(api, api.account_id, body),
    ]
    for reply in replies:
        assert (reply.status, reply.json["type"]) == (422, "urn:hookline:problem:invalid-field")
        assert [each["field"] for each in reply.json["errors"]] == [field]
    assert written(api) == before


async def test_an_account_needs_a_name(api: Api) -> None:
    reply = await api.admin("POST", "/accounts", {})
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "name")


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"name": "Acme"}),
        ("PATCH", "", {"name": 5}),
        ("GET", "/keys", None),
        ("POST", "/keys", {"name": "first"}),
        ("DELETE", "/keys/0123456789abcdef", None),
        ("POST", "/links", {}),
    ],
)
@pytest.mark.parametrize("account_id", ["acct_none", "%00", "..%2f", "a" * 5_000])
async def test_an_unknown_account_is_told_before_anything_else(
    api: Api, method: str, suffix: str, body: object, account_id: str
) -> None:
    before = written(api)
    reply = await api.admin(method, f"/accounts/{account_id}{suffix}", body)
    assert (reply.status, reply.json["type"]) == (404, "urn:hookline:problem:unknown-account")
    assert written(api) == before


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("acct_none", 404, "unknown-account"),
        ("*", 404, "unknown-account"),
        ("\u2603", 404, "unknown-account"),
        ("", 400, "account-needed"),
    ],
)
async def test_an_administrator_is_told_of_an_account_that_is_not_there(
    api: Api, name: str, status: int, said: str
) -> None:
    reply = await api.admin("GET", "/webhooks", headers={"Hookline-Account": name})
    assert (reply.status, reply.json["type"]) == (status, f"urn:hookline:problem:{said}")


async def test_of_two_accounts_that_are_named_none_is_meant(api: Api) -> None:
    """A proxy that adds a header of its own must not decide whose webhooks are changed."""
    both = CIMultiDict([("Hookline-Account", api.account_id), ("Hookline-Account", api.foreign_id)])
    for caller in (api.admin, api.call):
        reply = await caller("GET", "/webhooks", headers=both)
        assert (reply.status, reply.json["type"]) == (404, "urn:hookline:problem:unknown-account")


async def test_another_account_than_ones_own_is_as_unknown_as_none(api: Api) -> None:
    replies = [
        await api.call("GET", "/webhooks", headers={"Hookline-Account": name}) for name in (api.foreign_id, "acct_none")
    ]
    assert [reply.status for reply in replies] == [404, 404]
    assert {**replies[0].json, "request_id": 0} == {**replies[1].json, "request_id": 0}
    own = await api.call("GET", "/webhooks", headers={"Hookline-Account": api.account_id})
    assert own.status == 200
