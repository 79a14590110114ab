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


# -- heads ------------------------------------------------------------------------------------------------------------


def head(api: Api, *lines: str, method: str = "GET", path: str = "/webhooks") -> bytes:
    first = f"{method} {path} HTTP/1.1"
    return "\r\n".join([first, "Host: x", f"Authorization: Bearer {api.call.key}", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([f"X-{number}: 1" for number in range(120)], 200),
        ([f"X-{number}: {'a' * 8_000}" for number in range(100)], 200),
        ([f"X-{number}: 1" for number in range(130)], 400),
        ([f"X-{number}: {'a' * 8_000}" for number in range(130)], 400),
        (["X-Long: " + "a" * 8_180], 200),
        (["X-Long: " + "a" * 8_200], 400),
        (["X" * 8_200 + ": 1"], 400),
        (["X-Bytes: \u00ff\u2603"], 200),
        (["X-Tab: a\tb"], 200),
        (["X-Control: a\x01b"], 400),
        (["X-Folded: a", " b"], 400),
        (["Host: y"], 400),
    ],
)
async def test_a_head_is_read_or_refused_and_the_connection_ends_cleanly(
    api: Api, lines: list[str], status: int
) -> None:
    answered = await raw(api, head(api, "Connection: close", *lines), ends=False)
    assert answered.split(maxsplit=2)[1] == str(status).encode()
    told, _, body = answered.partition(b"\r\n\r\n")
    assert int(told.lower().partition(b"content-length:")[2].split()[0]) == len(body)
    assert (await api.call("GET", "/webhooks")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "lines"),
    [
        ("PUT", "/webhooks/{id}", ['If-Match: "7"']),
        ("PUT", "/webhooks/{id}", ["Content-Type: text/plain"]),
        ("POST", "/webhooks", ["Idempotency-Key: a b"]),
        ("GET", "/webhooks", ["Hookline-Account: acct_none"]),
        ("GET", "/webhooks?limit=0", []),
        ("GET", "/nothing", []),
        ("POST", "/webhooks/{id}", []),
    ],
)
async def test_a_connection_goes_on_after_a_refusal(api: Api, method: str, path: str, lines: list[str]) -> None:
    made = await api.call.made()
    body = b'{"url": 1}'
    refused = head(api, *lines, f"Content-Length: {len(body)}", method=method, path=path.format(id=made["id"])) + body
    answered = await raw(api, refused + head(api, "Connection: close"), ends=False)
    first, second = answered.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"4")
    assert second.startswith(b"200 ")


@pytest.mark.parametrize("tag", ["x" + " " * 8_000 + "x", '"a"' + " " * 8_000 + "x", '"' * 8_001, '"a" ' * 2_000])
async def test_no_edition_that_is_asked_for_takes_long_to_read(api: Api, tag: str) -> None:
    """Each byte once: as the first of all that follow it they took 17 s, and nobody else was answered meanwhile."""
    made = await api.call.made()
    lines = [*[f"If-Match: {tag}"] * 4, "Connection: close"]
    sent = head(api, *lines, method="DELETE", path=f"/webhooks/{made['id']}")
    started_s = api.parts.clock.monotonic_s()
    answered = await raw(api, sent, ends=False)
    assert answered.startswith(b"HTTP/1.1 412 ")
    assert api.parts.clock.monotonic_s() - started_s < 8


@pytest.mark.parametrize(
    "media_type", ["application/json" + ";" * 8_000, '"' * 8_000, "application/json; a=" + "b" * 200]
)
async def test_no_media_type_takes_long_to_read(api: Api, media_type: str) -> None:
    reply = await api.call("POST", "/webhooks", {}, headers={"Content-Type": media_type})
    assert (reply.status, reply.json["type"]) == (415, "urn:hookline:problem:wrong-media-type")


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
