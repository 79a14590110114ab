"""The API over real HTTP: the contract's shapes, and the rulings where it is silent."""

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fakes.api import CATALOGUE, CODEC, Api, running_api
from fakes.configuration import MASTER_KEY
from hookline.core.ids import delivery_id
from hookline.core.sealing import unseal
from hookline.runtime.history_questions import DeliveryRow, LogRow
from hookline.runtime.metrics import reading
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Delivery, Subscription, SubscriptionStatus

CONTRACT_BODY = {
    "url": "https://your-app.com/webhooks/handler",
    "events": ["user.created", "order.completed"],
    "description": "Production webhook for user events",
    "secret": "your-webhook-secret",
}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as running:
        yield running


def latest(api: Api) -> Subscription:
    values = api.log.values(api.parts.topics.subscriptions)
    return CODEC.decode(values[-1], Subscription)


def opened(subscription: Subscription) -> str:
    return unseal(
        subscription.secret,
        keys=[MASTER_KEY],
        account_id=subscription.account_id,
        subscription_id=subscription.subscription_id,
    )


# -- making -----------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_made_as_the_contract_shows_it(api: Api) -> None:
    reply = await api.call("POST", "/webhooks", CONTRACT_BODY)
    assert reply.status == 201
    made = reply.json
    assert list(made) == ["id", "url", "events", "description", "created_at", "status"]
    assert {name: made[name] for name in ("url", "events", "description")} == {
        name: CONTRACT_BODY[name] for name in ("url", "events", "description")
    }
    assert made["status"] == "active"
    assert re.fullmatch(r"wh_[0-9a-f]{32}", made["id"])
    assert re.fullmatch(TIME, made["created_at"])
    assert reply.headers["Location"] == f"/webhooks/{made['id']}"
    assert reply.headers["Content-Type"] == "application/json"


async def test_a_given_secret_is_kept_sealed_and_never_shown(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reply = await api.call("POST", "/webhooks", CONTRACT_BODY)
    replies = [
        reply.text,
        (await api.call("GET", f"/webhooks/{reply.json['id']}")).text,
        (await api.call("GET", "/webhooks")).text,
        (await api.call("PUT", f"/webhooks/{reply.json['id']}", {"status": "paused"})).text,
        caplog.text,
        str(api.log.records),
    ]
    assert opened(latest(api)) == "your-webhook-secret"
    assert not [text for text in replies if "your-webhook-secret" in text]


async def test_a_secret_that_was_not_given_is_made_and_shown_once(api: Api) -> None:
    made = await api.call.made()
    assert list(made)[-1] == "secret"
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert opened(latest(api)) == made["secret"]
    assert "secret" not in (await api.call("GET", f"/webhooks/{made['id']}")).json
    assert (await api.call.made())["secret"] != made["secret"]


async def test_an_absent_description_is_left_out(api: Api) -> None:
    made = await api.call.made(description=None)
    assert "description" not in made
    assert "description" not in (await api.call("GET", f"/webhooks/{made['id']}")).json


async def test_a_confirmed_webhook_is_in_the_log_and_in_the_view(api: Api) -> None:
    made = await api.call.made()
    record = latest(api)
    assert api.view.subscription(made["id"]) == record
    assert (record.subscription_id, record.account_id, record.version) == (made["id"], api.account_id, 1)
    assert api.log.records[-1].key == made["id"].encode()


async def test_an_account_has_at_most_its_cap_of_webhooks_however_many_ask_at_once() -> None:
    async with running_api(subscriptions_max=3) as api:
        body = {"url": "https://example.com", "events": ["user.created"]}
        replies = await asyncio.gather(*(api.call("POST", "/webhooks", body) for _ in range(10)))
        assert sorted(reply.status for reply in replies) == [201] * 3 + [409] * 7
        refused = next(reply for reply in replies if reply.status == 409)
        assert refused.json["type"] == "urn:hookline:problem:too-many-webhooks"
        assert "3 webhooks" in refused.json["detail"]
        assert (await api.stranger("POST", "/webhooks", body)).status == 201


# -- reading ----------------------------------------------------------------------------------------------------------


async def test_webhooks_are_listed_as_the_contract_shows_them(api: Api) -> None:
    first, second = await api.call.made(description="first"), await api.call.made()
    await api.stranger.made()
    listed = (await api.call("GET", "/webhooks")).json
    assert list(listed) == ["webhooks", "total"]
    assert listed["total"] == 2
    assert sorted(each["id"] for each in listed["webhooks"]) == sorted([first["id"], second["id"]])
    assert [list(each) for each in listed["webhooks"]] == [["id", "url", "events", "status", "created_at"]] * 2


async def test_an_account_without_webhooks_has_an_empty_list(api: Api) -> None:
    assert (await api.call("GET", "/webhooks")).json == {"webhooks": [], "total": 0}


async def test_one_webhook_is_read_in_full(api: Api) -> None:
    made = await api.call.made(description="first", secret="given")
    assert (await api.call("GET", f"/webhooks/{made['id']}")).json == made


# -- changing ---------------------------------------------------------------------------------------------------------


async def test_fields_left_out_of_a_change_keep_their_value(api: Api) -> None:
    made = await api.call.made(description="first", secret="given")
    path = f"/webhooks/{made['id']}"
    changed = await api.call("PUT", path, {"events": ["user.created", "user.updated", "order.completed"]})
    assert changed.status == 200
    assert changed.json == {**made, "events": ["user.created", "user.updated", "order.completed"]}
    assert list(changed.json) == list(made)
    changed = await api.call("PUT", path, {"status": "paused", "url": "https://example.com/other"})
    assert changed.json["status"] == "paused"
    assert changed.json["url"] == "https://example.com/other"
    assert (await api.call("GET", path)).json == changed.json
    record = latest(api)
    assert (record.version, record.status, opened(record)) == (3, SubscriptionStatus.PAUSED, "given")
    assert record.updated_at_ms >= record.created_at_ms


async def test_a_description_of_null_takes_it_away(api: Api) -> None:
    made = await api.call.made(description="first")
    changed = await api.call("PUT", f"/webhooks/{made['id']}", {"description": None})
    assert "description" not in changed.json
    assert latest(api).description is None


async def test_a_webhook_sent_back_as_it_was_read_changes_nothing(api: Api) -> None:
    made = await api.call.made(description="first", secret="given")
    written = len(api.log.records)
    for body in (made, {}, {"status": "active"}):
        reply = await api.call("PUT", f"/webhooks/{made['id']}", body)
        assert (reply.status, reply.json) == (200, made)
    assert len(api.log.records) == written


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"secret": "new"}, "secret", "rotation"),
        ({"secret": None}, "secret", "rotation"),
        ({"id": "wh_other"}, "id", "can't be changed"),
        ({"created_at": "2023-06-20T14:15:30Z"}, "created_at", "can't be changed"),
        ({"stauts": "paused"}, "stauts", "is no field of this body"),
        ({"status": "disabled"}, "status", "'active' or 'paused'"),
        ({"status": None}, "status", "'active' or 'paused'"),
        ({"url": None}, "url", "valid string"),
        ({"url": "http://example.com"}, "url", "https"),
        ({"events": None}, "events", "valid list"),
        ({"events": []}, "events", "at least one"),
        ({"events": ["nope"]}, "events", "no event type"),
        ({"description": 1}, "description", "valid string"),
    ],
)
async def test_a_wrong_change_names_the_field_and_changes_nothing(
    api: Api, body: dict[str, object], field: str, said: str
) -> None:
    made = await api.call.made()
    reply = await api.call("PUT", f"/webhooks/{made['id']}", body)
    assert reply.status == 422
    assert [each["field"] for each in reply.json["errors"]] == [field]
    assert said in reply.json["errors"][0]["detail"]
    assert latest(api).version == 1


async def test_changes_of_one_webhook_at_once_are_all_kept(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}"
    bodies: Sequence[dict[str, object]] = [
        {"description": "changed"},
        {"status": "paused"},
        {"url": "https://example.com/changed"},
        {"events": ["order.created"]},
    ]
    replies = await asyncio.gather(*(api.call("PUT", path, body) for body in bodies))
    assert [reply.status for reply in replies] == [200] * 4
    kept = (await api.call("GET", path)).json
    assert {name: value for body in bodies for name, value in body.items()}.items() <= kept.items()
    assert latest(api).version == 5


# -- deleting ---------------------------------------------------------------------------------------------------------


async def test_a_deleted_webhook_is_gone(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}"
    reply = await api.call("DELETE", path)
    assert (reply.status, reply.text) == (204, "")
    assert api.log.records[-1][4:] == (made["id"].encode(), None)
    for method, suffix in [("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("GET", "/logs")]:
        assert (await api.call(method, path + suffix)).status == 404
    assert (await api.call("PUT", path, {})).status == 404
    assert (await api.call("POST", f"{path}/test", {"event": "user.created"})).status == 404


# -- who may ask ------------------------------------------------------------------------------------------------------

OPERATIONS = [
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "/deliveries"),
    ("GET", "/logs"),
    ("POST", "/test"),
]


@pytest.mark.parametrize(("method", "suffix"), OPERATIONS)
async def test_a_webhook_of_another_account_is_as_unknown_as_none(api: Api, method: str, suffix: str) -> None:
    made = await api.call.made()
    body = {"event": "user.created"} if suffix == "/test" else {"status": "paused"} if method == "PUT" else None
    foreign = await api.stranger(method, f"/webhooks/{made['id']}{suffix}", body)
    missing = await api.stranger(method, f"/webhooks/wh_none{suffix}", body)
    assert foreign.status == missing.status == 404
    assert {**foreign.json, "request_id": 0} == {**missing.json, "request_id": 0}
    assert foreign.json["type"] == "urn:hookline:problem:unknown-webhook"
    assert api.view.subscription(made["id"]) is not None
    assert api.history.asked == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/webhooks"), ("POST", "/webhooks"), ("PUT", "/webhooks/x")])
@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic dTpw", "{wrong}", "{unknown}", "{key} x"]
)
async def test_without_a_right_key_nothing_is_answered(api: Api, method: str, path: str, header: str) -> None:
    flipped = "1" if api.call.key[25] == "0" else "0"
    wrong = api.call.key[:25] + flipped + api.call.key[26:]
    unknown = f"Bearer hl_{'0' * 16}_{'0' * 40}00000000"
    given = header.format(wrong=f"Bearer {wrong}", unknown=unknown, key=f"Bearer {api.call.key}")
    reply = await api.call(method, path, headers={"Authorization": given})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="hookline"')
    assert reply.json["type"] == "urn:hookline:problem:unauthorized"
    assert api.call.key[25:] not in reply.text


async def test_a_right_checksum_alone_opens_nothing(api: Api) -> None:
    from hookline.core import apikeys

    known = apikeys.parse(api.call.key)
    assert known is not None
    for key_id, secret in [(known.key_id, "0" * 40), ("0" * 16, known.secret)]:
        forged = apikeys.write(key_id, secret)
        assert (await api.call("GET", "/webhooks", headers={"Authorization": f"Bearer {forged}"})).status == 401


async def test_a_key_works_whatever_the_case_of_its_scheme(api: Api) -> None:
    reply = await api.call("GET", "/webhooks", headers={"Authorization": f"bearer  {api.call.key}"})
    assert reply.status == 200


# -- what is not valid ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"url": ...}, "url", "required"),
        ({"events": ...}, "events", "required"),
        ({"url": ""}, "url", "https://"),
        ({"url": "https://user:pass@example.com/"}, "url", "user name"),
        ({"url": "https://example.com/#x"}, "url", "fragment"),
        ({"url": "https://10.0.0.1/"}, "url", "public address"),
        ({"url": "https://example.com/" + "a" * 2048}, "url", "at most 2048"),
        ({"url": "https://exam\u0000ple.com/"}, "url", "control character"),
        ({"url": 5}, "url", "valid string"),
        ({"url": {"a": []}}, "url", "valid string"),
        ({"events": "user.created"}, "events", "valid list"),
        ({"events": {}}, "events", "valid list"),
        ({"events": []}, "events", "at least one"),
        ({"events": [1]}, "events[0]", "valid string"),
        ({"events": ["user.created", None]}, "events[1]", "valid string"),
        ({"events": ["user.created", "user.create"]}, "events", "'user.create', which is no event type"),
        ({"events": ["user.created"] * 2}, "events", "twice"),
        ({"events": ["a"] * 10_000}, "events", "at most 1000"),
        ({"events": ["*"]}, "events", "no event type"),
        ({"secret": ""}, "secret", "at least 1"),
        ({"secret": "s" * 513}, "secret", "at most 512"),
        ({"secret": 123456}, "secret", "valid string"),
        ({"description": "d" * 1001}, "description", "at most 1000"),
        ({"description": True}, "description", "valid string"),
        ({"status": "paused"}, "status", "no field"),
        ({"n" * 500: 1}, "n" * 64, "no field"),
        ({"\u0000": 1}, "\u0000", "no field"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, change: dict[str, Any], field: str, said: str) -> None:
    body = {name: value for name, value in {**CONTRACT_BODY, **change}.items() if value is not ...}
    reply = await api.call("POST", "/webhooks", body)
    assert reply.status == 422
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json
    assert list(problem) == ["type", "title", "status", "detail", "request_id", "errors"]
    assert (problem["type"], problem["status"]) == ("urn:hookline:problem:invalid-field", 422)
    assert [each["field"] for each in problem["errors"]] == [field]
    assert said in problem["errors"][0]["detail"]
    assert field in problem["detail"]
    assert "your-webhook-secret" not in reply.text
    assert api.log.values(api.parts.topics.subscriptions) == []


async def test_all_wrong_fields_are_named_at_once_but_no_endless_list(api: Api) -> None:
    reply = await api.call("POST", "/webhooks", {"url": "x", "events": [], "secret": ""})
    assert [each["field"] for each in reply.json["errors"]] == ["url", "events", "secret"]
    reply = await api.call("POST", "/webhooks", {"url": "x", "events": list(range(900))})
    assert len(reply.json["errors"]) == 20


HOSTILE_BODIES: Sequence[tuple[str, bytes, int]] = [
    ("empty", b"", 400),
    ("blank", b" \n\t ", 400),
    ("cut short", b'{"url": "https://example.com", "events": ["user.crea', 400),
    ("no JSON", b"url=https://example.com", 400),
    ("single quotes", b"{'url': 1}", 400),
    ("comment", b"{} // x", 400),
    ("two values", b"{}{}", 400),
    ("NUL bytes", b"\0\0\0\0", 400),
    ("NUL after", b"{}\0", 400),
    ("byte order mark", b"\xef\xbb\xbf{}", 400),
    ("UTF-16", '{"url": 1}'.encode("utf-16"), 400),
    ("no UTF-8", b'{"url": "\xff\xfe"}', 400),
    ("overlong UTF-8", b'{"url": "\xc0\xaf"}', 400),
    ("surrogate bytes", b'{"url": "\xed\xa0\x80"}', 400),
    ("lone surrogate", rb'{"url": "https://example.com/\ud800"}', 400),
    ("lone surrogate as name", rb'{"\udfff": 1}', 400),
    ("lone surrogate inside", rb'{"url": "x", "events": ["\udc00\ud800"]}', 400),
    ("control character", b'{"url": "\x01"}', 400),
    ("bad escape", rb'{"url": "\x41"}', 400),
    ("NaN", b'{"url": NaN}', 400),
    ("Infinity", b'{"url": -Infinity}', 400),
    ("overflowing number", b'{"url": 1e999}', 422),
    ("huge number", b'{"url": ' + b"9" * 20_000 + b"}", 400),
    ("large number", b'{"url": ' + b"9" * 400 + b"}", 422),
    ("duplicate names", b'{"url": "https://a.example", "url": "https://b.example"}', 400),
    ("deep arrays", b"[" * 30_000, 400),
    ("deep closed arrays", b"[" * 30_000 + b"]" * 30_000, 400),
    ("deep objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
    ("a bit too deep", b'{"url": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
    ("deep enough", b'{"url": ' + b"[" * 20 + b"]" * 20 + b"}", 422),
    ("an array", b"[]", 422),
    ("a string", b'"x"', 422),
    ("a number", b"1", 422),
    ("null", b"null", 422),
    ("true", b"true", 422),
    ("empty name", b'{"": 1}', 422),
    ("python name", b'{"__class__": 1, "model_config": {}}', 422),
    ("many names", json.dumps({f"n{n}": n for n in range(4_000)}).encode(), 422),
    ("many events", json.dumps({"url": "x", "events": ["e"] * 9_000}).encode(), 422),
    ("100,000 events", json.dumps({"url": "x", "events": ["e"] * 100_000}).encode(), 413),
    ("over the limit", b" " * (64 * 1024 + 1), 413),
]


@pytest.mark.parametrize(
    ("body", "status"), [(body, status) for _, body, status in HOSTILE_BODIES], ids=[row[0] for row in HOSTILE_BODIES]
)
@pytest.mark.parametrize("operation", ["create", "change", "test"])
async def test_no_body_breaks_anything(api: Api, operation: str, body: bytes, status: int) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}"
    method, path = {"create": ("POST", "/webhooks"), "change": ("PUT", path), "test": ("POST", f"{path}/test")}[
        operation
    ]
    written = len(api.log.records)
    reply = await api.call(method, path, data=body)
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert len(api.log.records) == written
    assert (await api.call("GET", "/webhooks")).status == 200


@pytest.mark.parametrize("body", [b"[]", b"1", b"null"])
async def test_a_body_that_is_no_object_is_told_so_in_words_of_json(api: Api, body: bytes) -> None:
    reply = await api.call("POST", "/webhooks", data=body)
    assert reply.json["errors"] == [{"field": "body", "detail": "must be a JSON object"}]


async def test_a_chunked_body_has_the_same_limit(api: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1_024

    reply = await api.call("POST", "/webhooks", data=chunks())
    assert (reply.status, reply.json["type"]) == (413, "urn:hookline:problem:too-large")


async def test_a_body_at_the_limit_is_read(api: Api) -> None:
    body = json.dumps(CONTRACT_BODY).encode()
    assert (await api.call("POST", "/webhooks", data=body + b" " * (64 * 1024 - len(body)))).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/problem+json"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; charset=no-such-thing"},
        {"Content-Type": ";;;"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "br, deflate"},
    ],
)
async def test_only_plain_json_is_taken(api: Api, headers: dict[str, str]) -> None:
    reply = await api.call("POST", "/webhooks", CONTRACT_BODY, headers=headers)
    assert (reply.status, reply.json["type"]) == (415, "urn:hookline:problem:wrong-media-type")


async def test_json_with_its_charset_said_is_taken(api: Api) -> None:
    reply = await api.call(
        "POST", "/webhooks", CONTRACT_BODY, headers={"Content-Type": "Application/JSON; Charset=UTF-8"}
    )
    assert reply.status == 201


async def test_a_body_where_none_is_wanted_is_not_looked_at(api: Api) -> None:
    made = await api.call.made()
    assert (await api.call("GET", "/webhooks", data=b"\0" * 200_000)).status == 200
    assert (await api.call("DELETE", f"/webhooks/{made['id']}", data=b"{")).status == 204


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhook",
        "/webhooks/",
        "/webhooks/a/b",
        "/webhooks/%00",
        "/webhooks/%ff%fe",
        "/webhooks/%ed%a0%80",
        "/webhooks/..%2f..%2fetc",
        "/webhooks/%2e%2e",
        "/webhooks/" + "a" * 7_000,
        "/webhooks/wh_1%0d%0aX-Injected:%201",
        "/webhooks/\u2603",
        "/webhooks/wh_%/deliveries",
        "/webhooks/;/logs",
    ],
)
async def test_no_path_breaks_anything(api: Api, path: str) -> None:
    reply = await api.call("GET", path)
    assert reply.status == 404
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "X-Injected" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/webhooks", "GET, HEAD, POST"),
        ("PATCH", "/webhooks/x", "DELETE, GET, HEAD, PUT"),
        ("POST", "/webhooks/x", "DELETE, GET, HEAD, PUT"),
        ("POST", "/webhooks/x/deliveries", "GET, HEAD"),
        ("GET", "/webhooks/x/test", "POST"),
        ("OPTIONS", "/webhooks", "GET, HEAD, POST"),
        ("PROPFIND", "/webhooks", "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(api: Api, method: str, path: str, allowed: str) -> None:
    reply = await api.call(method, path)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)
    assert reply.json["type"] == "urn:hookline:problem:wrong-method"


async def raw(api: Api, sent: bytes, *, ends: bool = True) -> bytes:
    """What comes back for these bytes, until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        writer.write(sent)
        await writer.drain()
        if ends:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


HEAD = "POST /webhooks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        "GET /webhooks HTTP/1.1\r\nHost: x\r\nX-Long: " + "a" * 20_000 + "\r\n\r\n",
        "GET /webhooks HTTP/1.1\r\nHost: x\r\n" + "".join(f"X-{n}: 1\r\n" for n in range(500)) + "\r\n",
        "GET /" + "a" * 20_000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /webhooks HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET /webhooks HTTP/1.1\r\nHost: x\r\nName\0: x\r\n\r\n",
        HEAD + "Content-Length: -1\r\n\r\n",
        HEAD + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        HEAD + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "HELO example.com\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_a_problem_too(api: Api, sent: str) -> None:
    answered = await raw(api, sent.encode("latin-1"), ends=False)
    assert answered.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    head, _, body = answered.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert b"Server: hookline\r\n" in head
    assert json.loads(body)["type"] == "urn:hookline:problem:bad-request"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 100\r\n", b"{"),
        ("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n"),
        ("Content-Length: 0\r\n", b""),
    ],
)
async def test_a_body_that_ends_too_early_makes_nothing(api: Api, headers: str, body: bytes) -> None:
    authorized = f"{HEAD}Authorization: Bearer {api.call.key}\r\n{headers}\r\n"
    answered = await raw(api, authorized.encode() + body)
    assert not answered or answered.startswith(b"HTTP/1.1 400 ")
    assert api.log.values(api.parts.topics.subscriptions) == []
    assert (await api.call("GET", "/webhooks")).status == 200


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(api: Api) -> None:
    started = api.parts.clock.monotonic_s()
    authorized = f"{HEAD}Authorization: Bearer {api.call.key}\r\nContent-Length: 99999999\r\n\r\n{{"
    answered = await raw(api, authorized.encode(), ends=False)
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert api.parts.clock.monotonic_s() - started < 5


async def test_a_path_of_two_slashes_is_no_other_host(api: Api) -> None:
    answered = await raw(api, b"GET //webhooks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", ends=False)
    assert answered.startswith(b"HTTP/1.1 404 ")


async def test_an_unknown_expectation_gets_a_problem(api: Api) -> None:
    answered = await raw(api, f"{HEAD}Expect: a-pony\r\nContent-Length: 0\r\n\r\n".encode(), ends=False)
    assert answered.startswith(b"HTTP/1.1 417 ")
    assert b"application/problem+json" in answered


# -- every answer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/webhooks", "/webhooks/none", "/nothing"])
async def test_every_answer_bears_an_id_and_safe_headers(api: Api, path: str) -> None:
    first, second = await api.call("GET", path), await api.call("GET", path, headers={"X-Request-Id": "mine\t1"})
    assert re.fullmatch(r"req_[0-9a-f]{32}", first.headers["X-Request-Id"])
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"] != "mine\t1"
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert first.headers["Server"] == "hookline"


async def test_a_bug_is_a_500_without_details_and_logged_under_the_request_id(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    made = await api.call.made()
    api.history.error = RuntimeError("a detail of ours")
    reply = await api.call("GET", f"/webhooks/{made['id']}/logs")
    assert (reply.status, reply.json["type"]) == (500, "urn:hookline:problem:broken")
    assert "detail of ours" not in reply.text
    broke = next(record for record in caplog.records if record.message == "request.broke")
    assert vars(broke)["request_id"] == reply.json["request_id"] == reply.headers["X-Request-Id"]
    assert broke.exc_info is not None


async def test_one_line_tells_of_a_request_whose_it_was_and_never_what_it_held(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hookline")
    made = await api.call.made(description="a canary", secret="another canary")
    (line,) = [vars(record) for record in caplog.records if record.name == "hookline.api"]
    assert line["message"] == "request.answered"
    facts = {"account_id": api.account_id, "subscription_id": made["id"], "method": "POST", "route": "/webhooks"}
    assert {**facts, "status": 201}.items() <= line.items()
    assert "canary" not in str(line)


async def test_requests_are_counted_by_route_and_never_by_id(api: Api) -> None:
    made = await api.call.made()
    await api.call("GET", f"/webhooks/{made['id']}")
    await api.call("GET", "/nothing/here")
    await api.call("PROPFIND", "/webhooks")
    registry = api.parts.metrics.registry
    rows = [
        {"method": "POST", "route": "/webhooks", "status": "201"},
        {"method": "GET", "route": "/webhooks/{id}", "status": "200"},
        {"method": "GET", "route": "unknown", "status": "404"},
        {"method": "other", "route": "unknown", "status": "405"},
    ]
    assert [reading(registry, "hookline_api_requests_total", row) for row in rows] == [1, 1, 1, 1]
    assert reading(registry, "hookline_api_seconds_count") == 4


# -- when Kafka or the store is away ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["is_down", "is_silent"])
async def test_a_write_that_kafka_does_not_confirm_says_that_its_fate_is_unknown(state: str) -> None:
    async with running_api(answer_s=0.2) as api:
        made = await api.call.made()
        path = f"/webhooks/{made['id']}"
        setattr(api.log, state, True)
        replies = [
            await api.call("POST", "/webhooks", CONTRACT_BODY),
            await api.call("PUT", path, {"status": "paused"}),
            await api.call("POST", f"{path}/test", {"event": "user.created"}),
            await api.call("DELETE", path),
        ]
        for reply in replies:
            assert (reply.status, reply.json["type"]) == (503, "urn:hookline:problem:unavailable")
            assert int(reply.headers["Retry-After"]) >= 1
            assert "not known" in reply.json["detail"]
        assert (await api.call("GET", "/webhooks")).status == 200
        setattr(api.log, state, False)
        assert (await api.call("POST", "/webhooks", CONTRACT_BODY)).status == 201


async def test_changes_that_queue_behind_one_that_waits_are_refused_in_time() -> None:
    async with running_api(answer_s=0.2) as api:
        made = await api.call.made()
        path = f"/webhooks/{made['id']}"
        api.log.is_silent, api.log.is_followed = True, False
        replies = await asyncio.gather(*(api.call("PUT", path, {"status": "paused"}) for _ in range(20)))
        said = [reply.json["detail"] for reply in replies]
        assert {reply.status for reply in replies} == {503}
        assert sum("Nothing was changed" in each for each in said) >= 17


async def test_who_may_not_change_a_webhook_does_not_wait_for_those_who_may() -> None:
    async with running_api(answer_s=0.5) as api:
        made = await api.call.made()
        path, written = f"/webhooks/{made['id']}", len(api.log.records)
        api.log.is_silent, api.log.is_followed = True, False
        waiting = asyncio.create_task(api.call("PUT", path, {"status": "paused"}))
        while len(api.log.records) == written:
            await asyncio.sleep(0)
        for method in ("PUT", "DELETE"):
            assert (await api.stranger(method, path, {})).status == 404
        assert not waiting.done()
        await waiting


async def test_a_write_that_is_not_read_back_in_time_is_not_confirmed() -> None:
    async with running_api(answer_s=0.2) as api:
        api.log.is_followed = False
        reply = await api.call("POST", "/webhooks", CONTRACT_BODY)
        assert reply.status == 503
        assert "will take effect" in reply.json["detail"]


async def test_an_api_that_still_reads_its_configuration_says_so(api: Api) -> None:
    api.view._ready.clear()
    reply = await api.call("GET", "/webhooks")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")


async def test_a_history_store_that_is_away_is_no_bug(api: Api) -> None:
    made = await api.call.made()
    api.history.error = NotYet("the store is busy")
    for suffix in ("deliveries", "logs"):
        reply = await api.call("GET", f"/webhooks/{made['id']}/{suffix}")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


# -- deliveries, logs and tests ---------------------------------------------------------------------------------------

SUCCEEDED = DeliveryRow(
    delivery_id="delivery_123",
    event_type="user.created",
    status="succeeded",
    response_code=200,
    attempts=1,
    delivered_at_ms=1_687_270_535_000,
    last_attempt_at_ms=1_687_270_535_000,
    next_attempt_at_ms=None,
    is_test=False,
    state="succeeded",
)
FAILED = DeliveryRow(
    delivery_id="delivery_124",
    event_type="order.completed",
    status="failed",
    response_code=500,
    attempts=3,
    delivered_at_ms=None,
    last_attempt_at_ms=1_687_275_930_999,
    next_attempt_at_ms=1_687_277_730_999,
    is_test=False,
    state="retrying",
)


async def test_deliveries_are_shown_as_in_the_contract(api: Api) -> None:
    made = await api.call.made()
    exhausted = replace(FAILED, response_code=None, next_attempt_at_ms=None, state="exhausted")
    waiting = replace(exhausted, attempts=0, last_attempt_at_ms=None, state="postponed")
    api.history.delivery_rows = [SUCCEEDED, FAILED, exhausted, waiting]
    reply = await api.call("GET", f"/webhooks/{made['id']}/deliveries")
    assert json.dumps(reply.json["deliveries"][:2], indent=2) == _CONTRACT_DELIVERIES
    assert reply.json["deliveries"][2:] == [
        {
            "id": "delivery_124",
            "event": "order.completed",
            "status": "failed",
            "response_code": None,
            "last_attempt_at": "2023-06-20T15:45:30Z",
            "attempts": 3,
        },
        {"id": "delivery_124", "event": "order.completed", "status": "failed", "response_code": None, "attempts": 0},
    ]
    assert api.history.asked == [(api.account_id, made["id"], 100)]


# The contract's own example, but for `next_attempt_at`: 30 minutes follow the third attempt, not 2 hours.
_CONTRACT_DELIVERIES = """[
  {
    "id": "delivery_123",
    "event": "user.created",
    "status": "succeeded",
    "response_code": 200,
    "delivered_at": "2023-06-20T14:15:35Z",
    "attempts": 1
  },
  {
    "id": "delivery_124",
    "event": "order.completed",
    "status": "failed",
    "response_code": 500,
    "last_attempt_at": "2023-06-20T15:45:30Z",
    "attempts": 3,
    "next_attempt_at": "2023-06-20T16:15:30Z"
  }
]"""

DELIVERED_LOG = LogRow(
    attempt_id="log_123",
    delivery_id="delivery_123",
    event_type="user.created",
    status="delivered",
    attempt=1,
    response_code=200,
    response_time_ms=150,
    at_ms=1_687_270_535_000,
    error=None,
    detail=None,
)


async def test_logs_are_shown_as_in_the_contract(api: Api) -> None:
    made = await api.call.made()
    failed = replace(
        DELIVERED_LOG,
        status="failed",
        response_code=None,
        error="timeout",
        detail="The endpoint did not answer in full within the time limit.",
    )
    api.history.log_rows = [DELIVERED_LOG, failed]
    reply = await api.call("GET", f"/webhooks/{made['id']}/logs")
    delivered, refused = reply.json["logs"]
    assert list(delivered.items()) == [
        ("id", "log_123"),
        ("event", "user.created"),
        ("status", "delivered"),
        ("response_code", 200),
        ("response_time", 150),
        ("delivered_at", "2023-06-20T14:15:35Z"),
    ]
    assert refused == {
        "id": "log_123",
        "event": "user.created",
        "status": "failed",
        "response_code": None,
        "response_time": 150,
        "attempted_at": "2023-06-20T14:15:35Z",
        "error": "timeout",
        "detail": "The endpoint did not answer in full within the time limit.",
    }


@pytest.mark.parametrize("suffix", ["deliveries", "logs"])
async def test_a_list_is_as_long_as_asked(api: Api, suffix: str) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}/{suffix}"
    assert (await api.call("GET", f"{path}?limit=1000")).status == 200
    assert api.history.asked[-1][2] == 1_000
    for wrong in ("0", "1001", "-1", "", "x", "1.5", "9" * 30, "%00", "\u0661"):
        reply = await api.call("GET", f"{path}?limit={wrong}")
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize("event_type", sorted(CATALOGUE.event_types))
async def test_a_test_delivery_takes_the_normal_road_with_the_sample(api: Api, event_type: str) -> None:
    made = await api.call.made()
    await api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"})
    reply = await api.call("POST", f"/webhooks/{made['id']}/test", {"event": event_type})
    assert reply.status == 202
    assert list(reply.json) == ["delivery_id"]
    record = api.log.records[-1]
    assert (record.topic, record.key) == (api.parts.topics.deliveries, made["id"].encode())
    delivery = CODEC.decode(record.value, Delivery)
    assert delivery.delivery_id == reply.json["delivery_id"]
    assert delivery.delivery_id == delivery_id(api.account_id, delivery.event_id, made["id"])
    assert (delivery.is_test, delivery.run, delivery.attempt, delivery.origin) == (True, 0, 1, None)
    assert delivery.config_offset == api.view.applied == 2
    body = json.loads(delivery.body)
    assert list(body) == ["event", "timestamp", "data"]
    assert (body["event"], body["data"]) == (event_type, CATALOGUE.event_types[event_type].sample)


async def test_a_second_test_is_another_delivery(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}/test"
    first, second = [await api.call("POST", path, {"event": "user.created"}) for _ in range(2)]
    assert first.json["delivery_id"] != second.json["delivery_id"]


@pytest.mark.parametrize("body", [{}, {"event": "nope"}, {"event": None}, {"event": ["user.created"]}])
async def test_a_test_of_no_event_type_names_the_field(api: Api, body: dict[str, object]) -> None:
    made = await api.call.made()
    reply = await api.call("POST", f"/webhooks/{made['id']}/test", body)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "event")
    assert api.log.values(api.parts.topics.deliveries) == []
