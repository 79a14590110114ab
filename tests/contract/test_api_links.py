"""Console links over the API: what they let in to, when they end, and that nothing is kept of them."""

import asyncio
import base64
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.api import Api, Caller, key_caller, running_api
from fakes.clock import SetClock
from fakes.configuration import MASTER_KEY
from hookline.core.links import Link, write
from hookline.runtime.settings import MasterKey

OTHER_KEY = MasterKey("k2", bytes(range(1, 33)))


async def made(api: Api, body: object = None, *, by: Caller | None = None) -> Any:
    reply = await (by or api.admin)("POST", f"/accounts/{api.account_id}/links", body)
    assert reply.status == 201, reply.text
    return reply.json


def signed(api: Api, **changes: Any) -> Link:
    """One as the API itself would write it for an administrator."""
    made_by = api.admin.key.split("_")[1]
    expires_at_ms = api.parts.clock.now_ms() + 60_000
    whole = Link(account_id=api.account_id, scopes="read write", expires_at_ms=expires_at_ms, made_by=made_by)
    return replace(whole, **changes)


async def let_in(api: Api, token: str) -> int:
    return (await api.call.with_key(token)("GET", "/webhooks")).status


async def test_a_link_bears_its_token_where_no_server_sees_it_and_lets_in_for_an_hour() -> None:
    clock = SetClock()
    async with running_api(clock=clock) as api:
        link = await made(api)
        assert list(link) == ["url", "token", "expires_at"]
        assert link["url"] == f"/console#{link['token']}"
        assert link["expires_at"] == "1970-01-01T01:16:40Z"
        clock.s += 3_599.999
        assert await let_in(api, link["token"]) == 200
        clock.s += 0.001
        assert await let_in(api, link["token"]) == 401


async def test_a_link_does_what_its_scope_says_in_its_account_alone(api: Api) -> None:
    own, foreign = await api.call.made(), await api.stranger.made()
    reads = api.call.with_key((await made(api, {"scope": "read"}))["token"])
    writes = api.call.with_key((await made(api))["token"])
    assert [each["id"] for each in (await reads("GET", "/webhooks")).json["webhooks"]] == [own["id"]]
    assert (await reads("GET", f"/webhooks/{own['id']}/secret")).status == 403
    assert (await reads("DELETE", f"/webhooks/{own['id']}")).status == 403
    assert (await writes("GET", f"/webhooks/{foreign['id']}")).status == 404
    assert (await writes("GET", "/webhooks", headers={"Hookline-Account": api.foreign_id})).status == 404
    assert (await writes("POST", f"/accounts/{api.account_id}/links", {})).status == 403
    assert (await writes("DELETE", f"/webhooks/{own['id']}")).status == 204


async def test_who_came_by_a_link_is_known_by_the_key_that_made_it(api: Api) -> None:
    key = (await api.admin("POST", "/keys", {"name": "console"})).json
    link = await made(api, {"valid_s": 60}, by=api.call.with_key(key["key"]))
    writes = api.call.with_key(link["token"])
    actor = f"link:{key['id']}"
    said = (await writes("GET", "/account")).json
    assert (said["actor"], said["scopes"]) == (actor, ["read", "write"])
    await writes.made()
    assert (api.audited[-1].actor, api.audited[-1].account_id) == (actor, api.account_id)


async def test_a_link_ends_with_the_key_that_made_it(api: Api) -> None:
    key = (await api.admin("POST", "/keys", {"name": "console"})).json
    link = await made(api, by=api.call.with_key(key["key"]))
    assert await let_in(api, link["token"]) == 200
    await api.admin("DELETE", f"/keys/{key['id']}")
    assert await let_in(api, link["token"]) == 401


async def test_a_link_ends_when_the_key_that_made_it_expires() -> None:
    clock = SetClock()
    async with running_api(clock=clock) as api:
        key = (await api.admin("POST", "/keys", {"name": "console", "expires_in_s": 60})).json
        link = await made(api, {"valid_s": 3_600}, by=api.call.with_key(key["key"]))
        clock.s += 60
        assert await let_in(api, link["token"]) == 401


async def test_a_link_ends_with_the_master_key_that_signed_it() -> None:
    async with running_api(master_keys=(OTHER_KEY, MASTER_KEY)) as api:
        assert await let_in(api, write(signed(api), key=MASTER_KEY)) == 200
        assert await let_in(api, (await made(api))["token"]) == 200
    async with running_api(master_keys=(OTHER_KEY,)) as api:
        assert await let_in(api, write(signed(api), key=MASTER_KEY)) == 401
        assert await let_in(api, write(signed(api), key=MasterKey("k2", MASTER_KEY.key))) == 401


async def test_a_token_in_which_anything_was_changed_lets_nobody_in(api: Api) -> None:
    token = (await made(api, {"scope": "read"}))["token"]
    payload, _, signature = token.removeprefix("hll_").partition(".")
    values = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    for place, forged in enumerate(["k2", api.foreign_id, "admin", 2**50, api.stranger.key.split("_")[1]]):
        changed = [*values[:place], forged, *values[place + 1 :]]
        text = base64.urlsafe_b64encode(json.dumps(changed, separators=(",", ":")).encode()).decode().rstrip("=")
        assert await let_in(api, f"hll_{text}.{signature}") == 401
    for text in (token[:-1], f"{token}=", f"{token}.", token.upper(), f"hll_{payload}", f"hll_{payload}.", "hll_"):
        assert await let_in(api, text) == 401
    assert await let_in(api, token) == 200


async def test_a_link_whose_maker_nobody_knows_lets_nobody_in(api: Api) -> None:
    for made_by in ("", "0" * 16, api.account_id, f"link:{api.admin.key.split('_')[1]}"):
        assert await let_in(api, write(signed(api, made_by=made_by), key=MASTER_KEY)) == 401


async def test_a_wrong_token_is_told_like_a_wrong_key(api: Api) -> None:
    replies = [
        await api.call.with_key(text)("GET", "/webhooks")
        for text in ("hll_x.y", write(signed(api, expires_at_ms=1), key=MASTER_KEY), f"hl_{'0' * 64}")
    ]
    said = [{**reply.json, "request_id": reply.headers["WWW-Authenticate"]} for reply in replies]
    assert said[0] == said[1] == said[2]
    assert replies[0].status == 401


visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60)


@settings(max_examples=10, deadline=None)
@given(st.lists(visible | visible.map("hll_{}".format) | visible.map("hll_e30.{}".format), min_size=20, max_size=40))
def test_no_random_token_lets_anybody_in(texts: list[str]) -> None:
    async def tried() -> set[int]:
        async with running_api() as api:
            return {await let_in(api, text) for text in texts}

    assert asyncio.run(tried()) == {401}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "admin"}, "scope"),
        ({"scope": "read write"}, "scope"),
        ({"scope": None}, "scope"),
        ({"valid_s": 0}, "valid_s"),
        ({"valid_s": 86_401}, "valid_s"),
        ({"valid_s": "60"}, "valid_s"),
        ({"account_id": "acct_other"}, "account_id"),
        ([], "body"),
    ],
)
async def test_a_wrong_field_makes_no_link(api: Api, body: object, field: str) -> None:
    reply = await api.admin("POST", f"/accounts/{api.account_id}/links", body)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)
    assert "hll_" not in reply.text


async def test_nothing_is_kept_of_a_link_and_no_line_of_the_log_has_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_api() as api:
        before = len(api.log.records)
        token = (await made(api))["token"]
        assert len(api.log.records) == before
        caller = api.call.with_key(token)
        await caller.made()
        await caller("POST", "/webhooks", {})
        await caller("GET", "/nothing")
        assert await let_in(api, f"{token}x") == 401
        written = str(api.log.records)
    payload, _, signature = token.partition(".")
    assert [part for part in ("hll_", payload, signature) if part in caplog.text + written] == []


async def test_a_key_whose_account_was_never_written_has_no_links(api: Api) -> None:
    await key_caller(api, "acct_unwritten")
    assert (await api.admin("POST", "/accounts/acct_unwritten/links", {})).status == 404
