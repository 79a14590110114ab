"""Making a webhook with an Idempotency-Key: however often the request comes, there is one webhook, and no secret is kept for it."""

import asyncio
from typing import Any

import pytest
from multidict import CIMultiDict

from fakes.api import CODEC, Api, Caller, Reply, running_api
from hookline.schemas.records import Subscription

BODY = {"url": "https://example.com/hook", "events": ["user.created"]}


async def asked(caller: Caller, key: str = "order-1", body: object = None, **headers: str) -> Reply:
    return await caller(
        "POST", "/webhooks", BODY if body is None else body, headers={"Idempotency-Key": key, **headers}
    )


async def made(caller: Caller, key: str = "order-1", **fields: object) -> Any:
    reply = await asked(caller, key, {**BODY, **fields})
    assert reply.status == 201, reply.text
    return reply.json


def webhooks(api: Api) -> int:
    return len([value for value in api.log.values(api.parts.topics.subscriptions) if value is not None])


async def test_the_same_request_again_is_the_same_webhook(api: Api) -> None:
    first, second = await asked(api.call), await asked(api.call)
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert first.json["secret"].startswith("whsec_")
    for name in ("Location", "ETag"):
        assert first.headers[name] == second.headers[name]
    assert (webhooks(api), len(api.audited)) == (1, 1)
    assert (await api.call("GET", "/webhooks")).json["total"] == 1


async def test_20_requests_at_once_make_one_webhook(api: Api) -> None:
    replies = await asyncio.gather(*(asked(api.call) for _ in range(20)))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.text for reply in replies}) == 1
    assert (webhooks(api), len(api.audited)) == (1, 1)


async def test_of_different_requests_with_one_key_at_once_one_makes_the_webhook(api: Api) -> None:
    replies = await asyncio.gather(*(asked(api.call, body={**BODY, "description": f"{n}"}) for n in range(5)))
    assert sorted(reply.status for reply in replies) == [201, 422, 422, 422, 422]
    assert webhooks(api) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://example.com/other"},
        {"url": "https://example.com/hook?a=1"},
        {"events": ["user.created", "user.updated"]},
        {"description": "other"},
        {"description": None},
        {"secret": "other"},
        {"rate_limit": 1},
        {"uid": "other"},
        {"metadata": {"a": 1}},
        {"headers": {"X-A": "1"}},
    ],
)
async def test_another_request_with_the_key_is_refused(api: Api, change: dict[str, object]) -> None:
    first = await made(api.call)
    written = len(api.log.records)
    reply = await asked(api.call, body={**BODY, **change})
    assert (reply.status, reply.json["type"]) == (422, "urn:hookline:problem:idempotency-key-reused")
    assert first["id"] not in reply.text
    assert len(api.log.records) == written


async def test_the_order_of_fields_makes_no_other_request(api: Api) -> None:
    first = await made(api.call, metadata={"a": 1, "b": 2}, secret="given")
    body = {"secret": "given", "metadata": {"b": 2, "a": 1}, **dict(reversed(BODY.items()))}
    assert (await asked(api.call, body=body)).json == first


async def test_a_webhook_made_without_a_key_is_made_each_time(api: Api) -> None:
    replies = [await api.call("POST", "/webhooks", BODY) for _ in range(2)]
    assert len({reply.json["id"] for reply in replies}) == 2


async def test_another_accounts_key_is_another_key(api: Api) -> None:
    own, foreign = await made(api.call), await made(api.stranger)
    assert own["id"] != foreign["id"]
    assert own["secret"] != foreign["secret"]
    named = {"Hookline-Account": api.foreign_id}
    assert (await asked(api.admin, **named)).json == foreign


@pytest.mark.parametrize("key", ["", " ", "a b", "\u00e9", "\u2603", "a\tb", "x" * 256, "\u200b"])
async def test_a_key_that_is_none_is_named_and_makes_nothing(api: Api, key: str) -> None:
    reply = await asked(api.call, key)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert "1 to 255" in reply.json["errors"][0]["detail"]
    assert webhooks(api) == 0


async def test_two_keys_are_none(api: Api) -> None:
    both = CIMultiDict([("Idempotency-Key", "a"), ("Idempotency-Key", "a")])
    assert (await api.call("POST", "/webhooks", BODY, headers=both)).status == 422
    assert webhooks(api) == 0


@pytest.mark.parametrize("key", ["!", "~", "x" * 255, '"quoted"', "../..", "hl_x", "a,b;c=d"])
async def test_any_visible_ascii_is_a_key(api: Api, key: str) -> None:
    assert await made(api.call, key) == await made(api.call, key)
    assert webhooks(api) == 1


async def test_a_request_that_was_refused_takes_no_key(api: Api) -> None:
    assert (await asked(api.call, body={**BODY, "events": []})).status == 422
    await made(api.call)


async def test_a_request_that_comes_again_needs_no_room_and_keeps_its_uid() -> None:
    async with running_api(subscriptions_max=1) as api:
        first = await made(api.call, uid="mine")
        assert await made(api.call, uid="mine") == first
        assert (await asked(api.call, "order-2")).status == 409


# -- afterwards -------------------------------------------------------------------------------------------------------


async def test_after_a_change_it_is_answered_with_the_webhook_as_it_is(api: Api) -> None:
    first = await made(api.call)
    path = f"/webhooks/{first['id']}"
    await api.call("PUT", path, {"status": "paused", "url": "https://example.com/moved"})
    again = await asked(api.call)
    assert again.json == {**first, "status": "paused", "url": "https://example.com/moved"}
    assert again.headers["ETag"] == (await api.call("GET", path)).headers["ETag"]


async def test_after_a_rotation_it_is_answered_with_the_secret_that_signs(api: Api) -> None:
    first = await made(api.call)
    secret = f"/webhooks/{first['id']}/secret"
    rotated = (await api.call("POST", f"{secret}/rotate")).json
    assert (await made(api.call))["secret"] == first["secret"]  # for as long as both sign
    await api.call("POST", f"{secret}/promote")
    assert (await made(api.call))["secret"] == rotated["secret"]


async def test_after_a_deletion_the_key_is_free_and_makes_a_new_webhook(api: Api) -> None:
    first = await made(api.call)
    await api.call("DELETE", f"/webhooks/{first['id']}")
    again = await made(api.call, description="another request")
    assert again["id"] == first["id"]
    assert again["secret"] != first["secret"]
    record = api.view.subscription(again["id"])
    assert record is not None
    assert record.version == 1


# -- secrets ----------------------------------------------------------------------------------------------------------


async def test_a_given_secret_is_in_no_answer(api: Api) -> None:
    replies = [await asked(api.call, body={**BODY, "secret": "a canary"}) for _ in range(2)]
    assert [reply.status for reply in replies] == [201, 201]
    assert [text for text in (replies[0].text, replies[1].text, str(api.log.records)) if "canary" in text] == []
    assert "secret" not in replies[1].json


async def test_no_answer_is_kept_and_what_is_kept_of_the_request_says_nothing_of_it(api: Api) -> None:
    shown = await made(api.call, "a-canary-key", metadata={"a": 1})
    everything = b"".join(record.value or b"" for record in api.log.records)
    for text in (shown["secret"], shown["secret"].removeprefix("whsec_"), "a-canary-key"):
        assert text.encode() not in everything
    first = CODEC.decode(api.log.values(api.parts.topics.subscriptions)[0], Subscription)
    other = await made(api.stranger, "a-canary-key", metadata={"a": 1})
    second = api.view.subscription(other["id"])
    assert second is not None
    assert first.asked is not None
    assert second.asked is not None
    assert first.asked.ciphertext != second.asked.ciphertext  # sealed: a guess can't be tried on it


async def test_a_key_is_looked_at_by_whoever_may_write_alone(api: Api) -> None:
    shown = await made(api.call)
    link = (await api.admin("POST", f"/accounts/{api.account_id}/links", {"scope": "read"})).json
    reply = await asked(api.call.with_key(link["token"]))
    assert reply.status == 403
    assert shown["secret"] not in reply.text
