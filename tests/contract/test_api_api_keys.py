"""API keys over the API: made, listed without their secret, and revoked at once, also for a request that is under way."""

import asyncio
import hashlib
import json
import logging
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fakes.api import CODEC, Api, Caller, key_caller, running_api
from fakes.clock import SetClock
from hookline.api.examples import EXAMPLES
from hookline.schemas.records import ApiKey

KEY = re.compile(r"(hl_([0-9a-f]{16})_([0-9a-f]{40}))([0-9a-f]{8})")


def of_account(api: Api) -> str:
    return f"/accounts/{api.account_id}/keys"


async def made(api: Api, path: str | None = None, **fields: object) -> Any:
    reply = await api.admin("POST", path or of_account(api), {"name": "backend", **fields})
    assert reply.status == 201, reply.text
    return reply.json


def id_of(caller: Caller) -> str:
    return caller.key.split("_")[1]


# -- making -----------------------------------------------------------------------------------------------------------


async def test_a_key_is_made_of_160_bits_with_a_checksum_and_only_its_hash_is_kept(api: Api) -> None:
    key = await made(api, scope="write")
    assert list(key) == ["id", "name", "scopes", "created_at", "key"]
    found = KEY.fullmatch(key["key"])
    assert found is not None
    assert (key["id"], f"{zlib.crc32(found[1].encode()):08x}") == (found[2], found[4])
    record = CODEC.decode(api.log.changes[-1].value or b"", ApiKey)
    assert record.secret_sha256 == hashlib.sha256(found[3].encode()).digest()
    assert (record.account_id, record.name, record.scopes) == (api.account_id, "backend", "read write")
    for written in (str(api.log.records), (await api.admin("GET", of_account(api))).text, str(api.audited)):
        assert found[3] not in written
        assert found[3].encode().hex() not in written


async def test_a_key_works_as_soon_as_it_is_there_and_no_two_are_alike(api: Api) -> None:
    keys = [await made(api) for _ in range(3)]
    assert len({key["key"] for key in keys}) == len({key["id"] for key in keys}) == 3
    for key in keys:
        said = (await api.call.with_key(key["key"])("GET", "/account")).json
        assert (said["account"]["id"], said["actor"]) == (api.account_id, key["id"])


async def test_keys_are_listed_in_order_and_without_their_secret(api: Api) -> None:
    first, second = await made(api, name="first", scope="read"), await made(api, name="second", expires_in_s=60)
    listed = (await api.admin("GET", of_account(api))).json
    assert list(listed) == ["keys"]
    shown = {key["id"]: key for key in listed["keys"]}
    assert set(shown) == {id_of(api.call), first["id"], second["id"]}
    del first["key"], second["key"]
    assert (shown[first["id"]], shown[second["id"]]) == (first, second)
    assert first["scopes"] == ["read"]
    assert list(second)[-1] == "expires_at"


async def test_no_key_is_in_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_api() as api:
        key = await made(api)
        caller = api.call.with_key(key["key"])
        await caller("GET", "/webhooks")
        await caller("POST", "/webhooks", {})
        mistyped = api.call.with_key(f"{key['key']}x")
        assert (await mistyped("GET", "/webhooks")).status == 401
        secrets = [each.key.split("_")[2] for each in (caller, api.call, api.admin)]
    assert [secret for secret in secrets if secret in caplog.text] == []


async def test_an_account_has_at_most_100_keys_however_many_are_asked_for_at_once(api: Api) -> None:
    replies = await asyncio.gather(*(api.admin("POST", of_account(api), {"name": f"{n}"}) for n in range(110)))
    assert sorted(reply.status for reply in replies) == [201] * 99 + [409] * 11
    refused = next(reply for reply in replies if reply.status == 409)
    assert refused.json["type"] == "urn:hookline:problem:too-many-keys"
    assert len((await api.admin("GET", of_account(api))).json["keys"]) == 100
    assert (await api.admin("POST", f"/accounts/{api.foreign_id}/keys", {"name": "other"})).status == 201
    gone = next(reply for reply in replies if reply.status == 201).json["id"]
    assert (await api.admin("DELETE", f"{of_account(api)}/{gone}")).status == 204
    assert (await api.admin("POST", of_account(api), {"name": "again"})).status == 201


@pytest.mark.parametrize("path", ["own", "administrators"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"expires_in_s": 0}, "expires_in_s"),
        ({"expires_in_s": -1}, "expires_in_s"),
        ({"expires_in_s": 10 * 366 * 86_400 + 1}, "expires_in_s"),
        ({"expires_in_s": "60"}, "expires_in_s"),
        ({"expires_in_s": True}, "expires_in_s"),
        ({"scope": "admin"}, "scope"),
        ({"scope": "read write"}, "scope"),
        ({"scope": None}, "scope"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"account_id": "acct_1"}, "account_id"),
        ({"key": "hl_1"}, "key"),
    ],
)
async def test_a_wrong_field_makes_no_key(api: Api, path: str, body: dict[str, object], field: str) -> None:
    written = len(api.log.records)
    reply = await api.admin("POST", of_account(api) if path == "own" else "/keys", {"name": "backend", **body})
    assert (reply.status, [each["field"] for each in reply.json["errors"]]) == (422, [field])
    assert len(api.log.records) == written


# -- administrators' keys ---------------------------------------------------------------------------------------------


async def test_an_administrators_key_administers_and_is_of_no_account(api: Api) -> None:
    key = await made(api, "/keys", name="provisioning")
    assert (key["name"], key["scopes"]) == ("provisioning", ["admin"])
    caller = api.call.with_key(key["key"])
    assert (await caller("POST", "/accounts", {"name": "Acme"})).status == 201
    assert (await caller("GET", "/keys")).json["keys"] == [{name: key[name] for name in key if name != "key"}]
    assert key["id"] not in (await api.admin("GET", of_account(api))).text
    assert (await api.admin("DELETE", f"/keys/{key['id']}")).status == 204
    assert (await caller("GET", "/accounts")).status == 401


async def test_an_administrators_key_can_revoke_itself_and_the_operators_stays(api: Api) -> None:
    key = await made(api, "/keys")
    caller = api.call.with_key(key["key"])
    assert (await caller("DELETE", f"/keys/{key['id']}")).status == 204
    assert (await caller("GET", "/keys")).status == 401
    reply = await api.admin("DELETE", f"/keys/{id_of(api.admin)}")
    assert (reply.status, reply.json["type"]) == (404, "urn:hookline:problem:unknown-key")
    assert (await api.admin("GET", "/keys")).json == {"keys": []}


async def test_administrators_may_have_100_keys(api: Api) -> None:
    replies = await asyncio.gather(*(api.admin("POST", "/keys", {"name": f"{n}"}) for n in range(101)))
    assert sorted(reply.status for reply in replies) == [201] * 100 + [409]


async def test_without_an_operators_key_only_made_ones_administer() -> None:
    async with running_api(admin_key="") as api:
        reply = await api.admin.with_key(f"hl_{'0' * 16}_{'0' * 40}00000000")("GET", "/accounts")
        assert reply.status == 401
        caller = await key_caller(api, "", scopes="admin")
        assert (await caller("GET", "/accounts")).status == 200


# -- revoking ---------------------------------------------------------------------------------------------------------


async def test_a_revoked_key_opens_nothing_any_more_and_others_still_do(api: Api) -> None:
    key, other = await made(api), await made(api)
    caller = api.call.with_key(key["key"])
    assert (await caller("GET", "/webhooks")).status == 200
    assert (await api.admin("DELETE", f"{of_account(api)}/{key['id']}")).status == 204
    for method, path in (("GET", "/webhooks"), ("GET", "/account"), ("POST", "/webhooks")):
        reply = await caller(method, path)
        assert (reply.status, reply.json["type"]) == (401, "urn:hookline:problem:unauthorized")
    assert (await api.call.with_key(other["key"])("GET", "/webhooks")).status == 200
    assert key["id"] not in (await api.admin("GET", of_account(api))).text
    assert (api.log.changes[-1].key, api.log.changes[-1].value) == (key["id"].encode(), None)
    reply = await api.admin("DELETE", f"{of_account(api)}/{key['id']}")
    assert (reply.status, reply.json["type"]) == (404, "urn:hookline:problem:unknown-key")


async def test_a_key_is_revoked_through_its_own_account_alone(api: Api) -> None:
    key, admin_key = await made(api), await made(api, "/keys")
    written = len(api.log.records)
    for path in (
        f"/accounts/{api.foreign_id}/keys/{key['id']}",
        f"/keys/{key['id']}",
        f"{of_account(api)}/{admin_key['id']}",
        f"{of_account(api)}/{id_of(api.stranger)}",
        f"{of_account(api)}/{api.account_id}",
        f"/keys/{api.account_id}",
        f"/keys/{id_of(api.call).upper()}x",
    ):
        reply = await api.admin("DELETE", path)
        assert (reply.status, reply.json["type"]) == (404, "urn:hookline:problem:unknown-key")
    assert len(api.log.records) == written
    assert (await api.call.with_key(key["key"])("GET", "/webhooks")).status == 200


async def test_revoked_by_many_at_once_a_key_goes_once(api: Api) -> None:
    key = await made(api)
    before = len(api.log.records)
    replies = await asyncio.gather(*(api.admin("DELETE", f"{of_account(api)}/{key['id']}") for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [204, 404, 404, 404, 404]
    assert len(api.log.records) == before + 2


# -- expiring ---------------------------------------------------------------------------------------------------------


async def test_a_key_works_until_it_expires_and_is_still_listed_then() -> None:
    clock = SetClock()
    async with running_api(clock=clock) as api:
        key = await made(api, expires_in_s=60)
        assert key["expires_at"] == "1970-01-01T00:17:40Z"
        caller = api.call.with_key(key["key"])
        clock.s += 59.999
        assert (await caller("GET", "/webhooks")).status == 200
        clock.s += 0.001
        assert (await caller("GET", "/webhooks")).status == 401
        assert key["id"] in (await api.admin("GET", of_account(api))).text
        assert (await api.admin("DELETE", f"{of_account(api)}/{key['id']}")).status == 204


# -- a body that takes its time ---------------------------------------------------------------------------------------


class Slow:
    """A request whose head and half of whose body the API has."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._rest = rest

    async def finished(self) -> int:
        """Send the rest; the status of the answer."""
        self._writer.write(self._rest)
        async with asyncio.timeout(10):
            return int((await self._reader.readline()).split()[1])


@asynccontextmanager
async def slow(api: Api, caller: Caller, method: str, path: str, body: Mapping[str, Any]) -> AsyncIterator[Slow]:
    sent = json.dumps(body).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {caller.key}",
        "Content-Type: application/json",
        f"Content-Length: {len(sent)}",
        "Expect: 100-continue",
    ]
    if caller is not api.call and path.startswith("/webhooks"):
        lines.append(f"Hookline-Account: {api.account_id}")
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + sent[:5])
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")  # it has begun with the request
        yield Slow(reader, writer, sent[5:])
    finally:
        writer.close()


BODIES = [
    ("POST", "/webhooks", "NewWebhook"),
    ("PUT", "/webhooks/{id}", "WebhookChange"),
    ("PATCH", "/webhooks/{id}", "WebhookChange"),
    ("POST", "/webhooks/{id}/secret/rotate", "NewSecret"),
    ("POST", "/webhooks/{id}/test", "TestRequest"),
    ("POST", "/accounts", "NewAccount"),
    ("PATCH", "/accounts/{account_id}", "AccountChange"),
    ("POST", "/accounts/{account_id}/keys", "NewKey"),
    ("POST", "/accounts/{account_id}/links", "NewLink"),
    ("POST", "/keys", "NewAdminKey"),
    ("POST", "/redrives", "Redrive"),
]


@pytest.mark.parametrize(("method", "path", "model"), BODIES)
async def test_a_request_whose_key_is_revoked_while_its_body_comes_changes_nothing(
    api: Api, method: str, path: str, model: str
) -> None:
    webhook, key = await api.call.made(), await made(api, "/keys")
    caller = api.call.with_key(key["key"])
    path = path.format(id=webhook["id"], account_id=api.account_id)
    async with slow(api, caller, method, path, EXAMPLES[model]) as request:
        assert (await api.admin("DELETE", f"/keys/{key['id']}")).status == 204
        written = len(api.log.records)
        assert await request.finished() == 401
    assert len(api.log.records) == written


@pytest.mark.parametrize(("method", "path", "model"), BODIES)
async def test_a_request_whose_key_stays_is_answered_however_its_body_comes(
    api: Api, method: str, path: str, model: str
) -> None:
    webhook = await api.call.made()
    path = path.format(id=webhook["id"], account_id=api.account_id)
    async with slow(api, api.admin, method, path, EXAMPLES[model]) as request:
        assert 200 <= await request.finished() < 300


async def test_a_key_that_expires_while_a_body_comes_changes_nothing() -> None:
    clock = SetClock()
    async with running_api(clock=clock) as api:
        key = await made(api, expires_in_s=60)
        caller = api.call.with_key(key["key"])
        written = len(api.log.records)
        async with slow(api, caller, "POST", "/webhooks", EXAMPLES["NewWebhook"]) as request:
            clock.s += 60
            assert await request.finished() == 401
        assert len(api.log.records) == written


async def test_a_test_of_a_webhook_that_is_deleted_while_its_body_comes_sends_nothing(api: Api) -> None:
    webhook = await api.call.made()
    path = f"/webhooks/{webhook['id']}"
    async with slow(api, api.call, "POST", f"{path}/test", {"event": "user.created"}) as request:
        assert (await api.call("DELETE", path)).status == 204
        assert await request.finished() == 404
    assert api.log.values(api.parts.topics.deliveries) == []
