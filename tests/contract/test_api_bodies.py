"""What the API takes as a body: a wrong field is named, and no body breaks anything."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from fakes.api import Api
from fakes.contract import CONTRACT_WEBHOOK


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
        ({"events": ["order*"]}, "events", "no event type"),
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
    body = {name: value for name, value in {**CONTRACT_WEBHOOK, **change}.items() if value is not ...}
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


@pytest.mark.parametrize("number", [b"21", b"21.0", b"2.1e1"])
async def test_a_whole_number_may_be_written_in_any_way_that_json_has(api: Api, number: bytes) -> None:
    body = b'{"url": "https://example.com/", "events": ["*"], "rate_limit": ' + number + b"}"
    reply = await api.call("POST", "/webhooks", data=body)
    assert (reply.status, reply.json.get("rate_limit")) == (201, 21)
    assert '"rate_limit":21' in reply.text


@pytest.mark.parametrize("number", [b"21.5", b"true", b'"21"', b"1e400", b"-1e400", b"0.0", b"1e17"])
async def test_what_is_no_whole_number_or_none_in_its_bounds_is_refused(api: Api, number: bytes) -> None:
    body = b'{"url": "https://example.com/", "events": ["*"], "rate_limit": ' + number + b"}"
    reply = await api.call("POST", "/webhooks", data=body)
    assert (reply.status, [each["field"] for each in reply.json["errors"]]) == (422, ["rate_limit"])


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
    body = json.dumps(CONTRACT_WEBHOOK).encode()
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
    reply = await api.call("POST", "/webhooks", CONTRACT_WEBHOOK, headers=headers)
    assert (reply.status, reply.json["type"]) == (415, "urn:hookline:problem:wrong-media-type")


async def test_json_with_its_charset_said_is_taken(api: Api) -> None:
    reply = await api.call(
        "POST", "/webhooks", CONTRACT_WEBHOOK, headers={"Content-Type": "Application/JSON; Charset=UTF-8"}
    )
    assert reply.status == 201


async def test_a_body_where_none_is_wanted_is_not_looked_at(api: Api) -> None:
    made = await api.call.made()
    assert (await api.call("GET", "/webhooks", data=b"\0" * 200_000)).status == 200
    assert (await api.call("DELETE", f"/webhooks/{made['id']}", data=b"{")).status == 204
