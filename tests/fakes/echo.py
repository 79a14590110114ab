"""Answers that send back the request, as debugging endpoints do: each in its own way of writing."""

import gzip
import html
import json
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

from aiohttp import web

from fakes.endpoint import Answer


def plain(request: web.Request) -> str:
    """The head as it came (`nc -l`), and the parameters as the server understood them."""
    lines = [f"{request.method} {request.path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in _headers(request))]
    return "\n".join([*lines, "", *(f"{name} = {value}" for name, value in request.query.items())])


def as_json(request: web.Request) -> str:
    """What httpbin answers."""
    return json.dumps({"args": dict(request.query), "headers": dict(_headers(request)), "url": str(request.url)})


def as_json_of_php(request: web.Request) -> str:
    """The same with slashes escaped, and in it the whole once more as a text."""
    shown = as_json(request)
    return json.dumps({"request": json.loads(shown), "raw": shown}, ensure_ascii=False).replace("/", "\\/")


def as_html(request: web.Request) -> str:
    """A page for people."""
    shown = {"query": request.query_string, **request.query, **dict(_headers(request))}
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(each)}</td></tr>" for name, each in shown.items())
    return (
        f"<title>{html.escape(request.path_qs)}</title><table>{rows}</table><pre>{html.escape(as_json(request))}</pre>"
    )


def as_html_in_numbers(request: web.Request) -> str:
    """A page whose template escapes whatever is no letter, as OWASP advises."""
    return "".join(each if each.isalnum() and each.isascii() else f"&#x{ord(each):x};" for each in plain(request))


def as_a_form(request: web.Request) -> str:
    """What a gateway passes on."""
    return "&".join(
        f"{quote_plus(name)}={quote_plus(each)}" for name, each in {**request.query, **_by_name(request)}.items()
    )


def as_a_link(request: web.Request) -> str:
    """The request within a URL, whose hexadecimal digits are small."""
    return "https://log.example/?at=" + quote(plain(request), safe="").replace("%2F", "%2f").replace("%3D", "%3d")


WAYS: Mapping[str, Callable[[web.Request], str]] = {
    each.__name__: each for each in (plain, as_json, as_json_of_php, as_html, as_html_in_numbers, as_a_form, as_a_link)
}


def echo(way: Callable[[web.Request], str], *, before: str = "", status: int = 200, beside: str = "") -> Answer:
    """A step that sends the request back, behind `before`; `beside` is shown with it."""

    async def step(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=f"{before}{way(request)} {beside}")

    return step


def echo_in_headers(*, whole: bool) -> Answer:
    """A step that sends the request's headers and its path back as headers of its own, or as one."""

    async def step(request: web.Request) -> web.StreamResponse:
        given = [("Path", request.path_qs), *_headers(request)]
        if whole:
            text = "; ".join(f"{name}={value}" for name, value in given)
            return web.Response(headers={"X-Echo": text, "X-Echo-Encoded": quote(text)})
        response = web.Response()
        for name, value in given:
            response.headers.add(f"X-Echo-{name}", value)
        return response

    return step


def compressed_echo(*codings: str) -> Answer:
    """A step that sends it back compressed, and says so in these headers."""

    async def step(request: web.Request) -> web.StreamResponse:
        response = web.Response(body=gzip.compress(plain(request).encode()))
        for coding in codings:
            response.headers.add("Content-Encoding", coding)
        return response

    return step


def _headers(request: web.Request) -> list[tuple[str, str]]:
    return list(request.headers.items())


def _by_name(request: web.Request) -> Mapping[str, str]:
    return dict(_headers(request))
