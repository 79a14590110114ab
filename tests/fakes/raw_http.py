"""Requests as no client would send them, byte for byte, and what must hold of every answer."""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from fakes.openapi import complaints
from fakes.served import Served

_WAIT_S = 20
_METHODS = (
    "GET",
    "GET",
    "HEAD",
    "POST",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "get",
    "G\0T",
    "",
)
_PATHS = (
    *("/webhooks", "/webhooks/{id}", "/webhooks/{id}", "/webhooks/{id}/secret/rotate", "/webhooks/{id}/test", "/accounts"),
    *("/accounts/{account_id}", "/accounts/{account_id}/keys/x", "/audit", "/account", "/keys", "/docs", "/openapi.json"),
    *("/webhooks/{id}/deliveries", "/webhooks/{id}/logs", "/webhooks/{id}/stats", "/stats", "/deliveries/x", "/events/x"),
    *("/webhooks/{id}/replay", "/webhooks/{id}/recover", "/webhooks/{id}/deliveries/x/retry", "/webhooks/{id}/jobs", "/jobs/x", "/jobs/x/pause"),
    *("", "*", "/", "//webhooks", "http://x/webhooks", "https://x:0/", "http://[::1", "webhooks", "/webhooks/..", "/webhooks/."),
)  # fmt: skip
_ENDS = (
    *("", "", "", "/", "//", "/..", "/../..", "/%2e%2e", "/..%2f..%2fetc", "/%00", "%", "%zz", "/%ff%fe", "/%ed%a0%80", "\\", ";a=b"),
    *("#x", "\x80", "\xff", "/\u2603", " ", "\t", "?", "?limit=1&limit=2", "?limit=%00", "?limit=1e3", "?limit=" + "9" * 400, "?=", "?&&"),
    *("?cursor=%ff", "?cursor=" + "A" * 5_000, "?cursor=MTo", "?%00=1", "?limit", "?event=%ed%a0%80", "?limit=\u0661", "?a[]=1&a[b]=2"),
    *("?since=%00", "?until=2023-06-20T14:15:30+02:00", "?since=9999-12-31T23:59:59Z", "?until=0001-01-01T00:00:00%2B23:59", "?state=x"),
    *("/" + "a" * 7_000, "?" + "a=1&" * 1_500),
)  # fmt: skip
_NAMED = "Hookline-Account: {account_id}"
_CONTENT_TYPES = (
    *("application/json",) * 4,
    *("application/json; charset=utf-16", 'application/json; charset="', "application/json;charset=none", "APPLICATION/JSON"),
    *("application/json, text/plain", "text/plain", "", "/", "json", "application/json; charset=\xff", "multipart/form-data; boundary=x"),
    "application/x-www-form-urlencoded",
)  # fmt: skip
_HEADERS = (
    *("Authorization: {bearer}", "Authorization: Bearer", "Authorization: Bearer \xff", "authorization: basic Og==", "Authorization:"),
    *("Authorization: Bearer hl_" + "a" * 6_000, "Authorization: Bearer hl_0123456789abcdef_0", "Authorization: Bearer hll_e30.e30"),
    *("Hookline-Account: {account_id}", "Hookline-Account:", "Hookline-Account: \xff\xfe", "Hookline-Account: a, b"),
    *("If-Match: nonsense", "If-Match:", 'If-Match: "', "If-Match: *, *", 'If-Match: W/"1"', 'If-Match: "1", "2', "If-Match: " + '"a",' * 1_500),
    *('If-Match: "\xff"', "If-None-Match: *", "If-Modified-Since: now", "Range: bytes=0-1", "Range: bytes=9-1"),
    *("Idempotency-Key: once", "Idempotency-Key: once", "Idempotency-Key:", "Idempotency-Key: a b", "Idempotency-Key: \xe4", "Idempotency-Key: " + "k" * 300),
    *("Content-Encoding: gzip", "Content-Encoding: identity", "Content-Encoding: nonsense", "Accept: nonsense", "Accept-Encoding: br;q=2"),
    *("Expect: 100-continue", "Expect: a-pony", "Upgrade: websocket", "Upgrade: h2c", "Sec-WebSocket-Key: x", "Cookie: a=b; c", "Origin: null"),
    *("X-HTTP-Method-Override: DELETE", "X-Forwarded-For: ::1", "X-Forwarded-Host: evil", "Forwarded: for=_", "X-Request-Id: mine", "Te: x"),
)  # fmt: skip
_BROKEN = (
    *("Host: y", "no colon", "X: " + "a" * 9_000, " folded", "X\0: 1", "X: \0", "X: a\rb", ": empty", "Content-Length: 1", "Content-Length: -1"),
    *("Content-Length: 99999999999", "Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked"),
)  # fmt: skip
_BODIES = (
    *(b"", b"{}", b"[]", b"null", b"1", b'""', b"{", b"\xff", b"\xef\xbb\xbf{}", b"\0", b" \n", b'{"a":1,"a":2}', b'{"\\ud800":1}', b'"\\ud800"'),
    *(b"NaN", b"-Infinity", b"1e999", b"9" * 5_000, b"[" * 40 + b"]" * 40, b"[" * 60_000, b'{"name":"\\u0000"}', b'{"name":"n"}' + b" " * 70_000),
    *(b'{"url":"https://example.com/","events":["*"]}', b'{"url":"https://example.com/\\u0000","events":["*"]}', b'{"event":"user.created"}'),
    *(b'{"url":"https://[::1","events":[]}', b'{"url":"https://\\u2603.example.com/","events":["*"],"rate_limit":1e400}', b'{"overlap_s":-0.0}'),
    *(b'{"since":"2023-06-20T14:15:30Z","dry_run":true}', b'{"since":"0001-01-01T00:00:00+23:59"}', b'{"since":"9999-12-31T23:59:60Z","rate":1e9}'),
    *(b'{"webhooks_max":true}', b'{"description":null}', b'{"metadata":{"":1}}', b'{"headers":{"a":"b\\r\\nc: d"}}', b'{"secret":"\\ud83d"}'),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Raw:
    """A request as it goes over the wire. With `is_cut` nothing comes after it."""

    head: str
    body: bytes
    is_cut: bool

    def sent(self) -> bytes:
        """Its bytes."""
        return self.head.encode("latin-1", "replace") + self.body


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back: nothing, if the connection was just closed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def raw_requests(names: Mapping[str, str]) -> st.SearchStrategy[Raw]:
    """Requests of odd parts; `names` stand for what is there."""
    lines = st.builds(
        "{} {}{} HTTP/1.1".format,
        st.sampled_from(_METHODS),
        st.sampled_from(_PATHS),
        st.sampled_from(["", "", "", None]).flatmap(
            lambda end: st.sampled_from(_ENDS) if end is None else st.just(end)
        ),
    )
    types = (st.just(_CONTENT_TYPES[0]) | st.sampled_from(_CONTENT_TYPES)).map("Content-Type: {}".format)
    odd = st.just([_NAMED]) | st.lists(st.sampled_from(_HEADERS), max_size=2).map(lambda some: [_NAMED, *some])
    broken = st.sampled_from([False, False, False, True]).flatmap(
        lambda is_broken: st.sampled_from(_BROKEN).map(lambda one: [one]) if is_broken else st.just([])
    )
    headers = st.tuples(types, odd, broken).map(lambda parts: [parts[0], *parts[1], *parts[2]])
    rarely = st.sampled_from([False, False, False, True])
    return st.builds(
        lambda line, given, body, is_cut: _request(line, given, body, names, is_cut=is_cut),
        lines,
        headers,
        st.sampled_from(_BODIES),
        rarely,
    )


def things_there(served: Served) -> Mapping[str, str]:
    """A webhook, its account and a key, made for it."""
    webhook: Any = served.do(lambda api: api.call.made())
    api = served.api
    return {"id": webhook["id"], "account_id": api.account_id, "bearer": f"Bearer {api.admin.key}"}


def answer_to(raw: Raw, served: Served) -> RawAnswer | None:
    """What comes back, until the connection is closed; None for nothing at all."""
    with socket.create_connection(("127.0.0.1", served.api.port), timeout=_WAIT_S) as connection:
        try:
            connection.sendall(raw.sent())
            if raw.is_cut:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is refused before it has come; the answer may be there
        return _parsed(_all_of(connection))


def faults(raw: Raw, answer: RawAnswer | None, document: Mapping[str, object]) -> Sequence[str]:
    """What is wrong with an answer, whatever was asked."""
    if answer is None:
        return [] if raw.is_cut else ["there is no answer"]
    found = [f"the status is {answer.status}"] if answer.status >= 500 else []
    if "x-request-id" not in answer.headers or answer.headers.get("server") != "hookline":
        found.append(f"the headers are {answer.headers}")
    if answer.status < 400 or not answer.body:
        return found
    if answer.headers.get("content-type") != "application/problem+json":
        return [*found, f"the media type is {answer.headers.get('content-type')}"]
    problem = json.loads(answer.body)
    found += complaints(document, {"$ref": "#/components/schemas/ProblemBody"}, problem)
    if problem["request_id"] != answer.headers["x-request-id"] or problem["status"] != answer.status:
        found.append("the body is of another answer than the head")
    return found


def _request(line: str, headers: Sequence[str], body: bytes, names: Mapping[str, str], *, is_cut: bool) -> Raw:
    has_length = any(each.startswith(("Content-Length", "Transfer-Encoding")) for each in headers)
    length = [] if has_length else [f"Content-Length: {len(body)}"]
    bearer = [] if any(each.lower().startswith("authorization") for each in headers) else ["Authorization: {bearer}"]
    head = "\r\n".join([line, "Host: x", "Connection: close", *bearer, *headers, *length, "", ""])
    for name, known in names.items():
        head = head.replace(f"{{{name}}}", known)
    # What says that more is coming than comes would be waited for.
    return Raw(head, body, is_cut=is_cut or has_length)


def _all_of(connection: socket.socket) -> bytes:
    came = b""
    try:
        while more := connection.recv(65_536):
            came += more
    except ConnectionResetError:
        pass
    return came


def _parsed(came: bytes) -> RawAnswer | None:
    head, _, body = came.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100 "):
        return _parsed(body)
    if not head:
        return None
    line, *lines = head.decode("latin-1").split("\r\n")
    pairs = [each.split(": ", 1) for each in lines]
    return RawAnswer(int(line.split()[1]), {name.lower(): value for name, value in pairs}, body)
