"""The API as an HTTP server: wrong paths, methods and bytes get a problem, and every answer has its id and its log line."""

import asyncio
import json
import logging
import re

import pytest

from fakes.api import Api
from hookline.runtime.metrics import reading


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
        ("OPTIONS", "/webhooks/x", "DELETE, GET, HEAD, PATCH, PUT"),
        ("POST", "/webhooks/x", "DELETE, GET, HEAD, PATCH, PUT"),
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
