"""Requests that are allowed but odd: HEAD, headers that are there twice, charsets, bodies where none is wanted."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from fakes.api import Api
from fakes.history import SUCCEEDED
from fakes.openapi import described, read_document

ALWAYS_ITS_OWN = {"X-Request-Id", "Date"}


async def test_head_is_answered_like_get_and_without_a_body(api: Api) -> None:
    webhook, account = await api.call.made(), api.account_id
    api.history.delivery_rows = [SUCCEEDED]
    for each in described(await read_document(api)):
        ids = {"id": webhook["id"], "account_id": account, "delivery_id": SUCCEEDED.delivery_id, "event_id": "evt_123"}
        path = each.path.format(**ids, key_id="none", letter_id="0-0", job_id="none")
        if each.method == "GET":
            got, head = (
                await api.admin("GET", path, headers=named(api)),
                await api.admin("HEAD", path, headers=named(api)),
            )
            assert (head.status, head.text) == (got.status, "")
            assert plain(head.headers) == plain(got.headers), path


@pytest.mark.parametrize("path", ["/nothing", "/webhooks/none", "/webhooks?limit=0"])
async def test_head_is_refused_like_get_and_without_a_body(api: Api, path: str) -> None:
    got, head = await api.call("GET", path), await api.call("HEAD", path)
    assert (head.status, head.text) == (got.status, "")
    assert head.status >= 400
    assert head.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [
        ("Authorization", ["Bearer {key}", "Bearer {key}"], 401),
        ("Authorization", ["Bearer {key}", "Bearer hl_other"], 401),
        ("Hookline-Account", ["{account}", "{other}"], 404),
        ("Hookline-Account", ["{other}", "{account}"], 404),
        ("Hookline-Account", ["{account}", "{account}"], 404),
        ("If-Match", ['"0"', '"1"'], 204),
        ("If-Match", ['"0"', "nonsense"], 412),
    ],
)
async def test_a_header_that_is_there_twice_is_never_read_in_half(
    api: Api, name: str, values: list[str], status: int
) -> None:
    made = await api.call.made()
    known = {"key": api.admin.key, "account": api.account_id, "other": await stranger_of(api)}
    headers = CIMultiDict({"Authorization": f"Bearer {api.admin.key}", **named(api)})
    headers.popall(name, None)
    for value in values:
        headers.add(name, value.format(**known))
    assert await status_of(api, "DELETE", f"/webhooks/{made['id']}", headers) == status


async def test_an_idempotency_key_that_is_there_twice_makes_nothing(api: Api) -> None:
    headers = CIMultiDict({"Authorization": f"Bearer {api.call.key}", "Content-Type": "application/json"})
    headers.add("Idempotency-Key", "one")
    headers.add("Idempotency-Key", "two")
    body = b'{"url": "https://example.com/", "events": ["*"]}'
    assert await status_of(api, "POST", "/webhooks", headers, body) == 422
    assert api.log.values(api.parts.topics.subscriptions) == []


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ('application/json; charset="UTF-8"', 201),
        ("Application/JSON;charset=US-ASCII", 201),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=none", 415),
        ("application/json, text/plain", 415),
        ("application/problem+json", 415),
        ("text/json", 415),
        ("", 415),
    ],
)
async def test_a_body_is_json_in_utf_8_or_refused(api: Api, content_type: str, status: int) -> None:
    body = b'{"url": "https://example.com/", "events": ["*"]}'
    reply = await api.call("POST", "/webhooks", data=body, headers={"Content-Type": content_type})
    assert reply.status == status
    assert status == 201 or reply.json["type"] == "urn:hookline:problem:wrong-media-type"


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/{id}/enable",
        "/webhooks/{id}/secret/promote",
        "/webhooks/{id}/secret/rotate",
        "/webhooks/{id}/cancel-retries",
    ],
)
async def test_where_no_body_has_to_be_an_empty_one_is_none(api: Api, path: str) -> None:
    made = await api.call.made()
    reply = await api.call("POST", path.format(id=made["id"]), data=b"", headers={"Content-Type": "text/plain"})
    assert reply.status in {200, 202, 204}


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "QUERY", "PURGE"])
async def test_a_method_that_no_path_knows_is_told_which_are_known(api: Api, method: str) -> None:
    for each in described(await read_document(api)):
        ids = {"id": "x", "account_id": "y", "key_id": "z", "delivery_id": "d", "event_id": "e", "job_id": "j"}
        path = each.path.format(**ids, letter_id="0-0")
        reply = await api.call(method, path)
        assert (reply.status, reply.json["type"]) == (405, "urn:hookline:problem:wrong-method")
        assert each.method in reply.headers["Allow"].split(", ")


async def stranger_of(api: Api) -> str:
    return str((await api.stranger("GET", "/account")).json["account"]["id"])


def named(api: Api) -> Mapping[str, str]:
    return {"Hookline-Account": api.account_id}


def plain(headers: Mapping[str, str]) -> Mapping[str, Any]:
    its_own = {name.lower() for name in ALWAYS_ITS_OWN}
    return {name.lower(): value for name, value in headers.items() if name.lower() not in its_own}


async def status_of(api: Api, method: str, path: str, headers: CIMultiDict[str], body: bytes | None = None) -> int:
    """The status, for a request with just these headers."""
    async with aiohttp.request(method, f"http://127.0.0.1:{api.port}{path}", headers=headers, data=body) as response:
        return response.status
