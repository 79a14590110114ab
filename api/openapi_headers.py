"""The headers of requests and answers, as the OpenAPI document describes them."""

from collections.abc import Mapping, Sequence
from typing import Any

_Schema = dict[str, Any]
_TEXT: Mapping[str, Any] = {"type": "string"}

# By name: what it is for, and its schema.
REQUEST_HEADERS: Mapping[str, tuple[str, _Schema]] = {
    "If-Match": (
        "The `ETag` that was read: if it has changed meanwhile the answer is 412, and nothing is changed.",
        {"type": "string", "pattern": r'^(\*|(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*)$'},
    ),
    "Idempotency-Key": (
        "Any text of your own: the same request with it makes one webhook, however often it is sent.",
        {"type": "string", "pattern": "^[!-~]{1,255}$"},
    ),
}
_ANSWER_HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Accept-Post": ("The media type that is wanted.", _TEXT),
    "ETag": ("Names the edition: another one with each change.", {"type": "string", "pattern": '^".+"$'}),
    "Location": ("The path of what was made.", {"type": "string", "format": "uri-reference"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("What kind of key is wanted.", _TEXT),
    "X-Request-Id": ("Names the request; the server's log has it.", _TEXT),
}
_PROBLEM_HEADERS: Mapping[int, str] = {
    401: "WWW-Authenticate",
    403: "WWW-Authenticate",
    412: "ETag",
    415: "Accept-Post",
    429: "Retry-After",
    503: "Retry-After",
}
_ALWAYS = "X-Request-Id"


def answer_headers(names: Sequence[str]) -> _Schema:
    """These headers of an answer, and the one that every answer has."""
    return {name: _described(name) for name in (*names, _ALWAYS)}


def problem_headers(status: int) -> _Schema:
    """The headers of a refusal with this status."""
    name = _PROBLEM_HEADERS.get(status)
    return answer_headers(() if name is None else (name,))


def _described(name: str) -> _Schema:
    text, schema = _ANSWER_HEADERS[name]
    return {"description": text, "required": True, "schema": dict(schema)}
