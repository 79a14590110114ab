"""What every request goes through: an id, the translation of errors into problems, headers, one log line, metrics."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import MutableMultiMapping

from hookline.api.ports import Parts
from hookline.api.problems import Refused, answer, broken, of_http

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# What the one log line of a request tells: its id, and whose it turned out to be.
FACTS = web.RequestKey("facts", dict[str, str])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = logging.getLogger("hookline.api")


def build_edge(parts: Parts) -> Middleware:
    """The one middleware."""

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = parts.draw.request_id()
        request[FACTS] = {"request_id": request_id}
        started_s = parts.clock.monotonic_s()
        response = await _answered(request, handler)
        dress(response.headers, request_id)
        _record(parts, request, response, parts.clock.monotonic_s() - started_s)
        return response

    return edge


def dress(headers: MutableMultiMapping[str], request_id: str) -> None:
    """The headers of every answer: nothing is to be cached or guessed, and the server's make stays untold."""
    headers["X-Request-Id"] = request_id
    headers["Server"] = "hookline"
    headers["Cache-Control"] = "no-store"
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    headers["Referrer-Policy"] = "no-referrer"


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    request_id = request[FACTS]["request_id"]
    try:
        return await handler(request)
    except Refused as refused:
        return answer(refused.problem, request_id=request_id)
    except web.HTTPException as error:
        return answer(of_http(error), request_id=request_id)
    except Exception:  # noqa: BLE001 - the edge: a bug is logged whole, and told as a 500 without details
        _log.exception("request.broke", extra={"request_id": request_id, "route": _route(request)})
        return answer(broken(), request_id=request_id)


def _record(parts: Parts, request: web.Request, response: web.StreamResponse, took_s: float) -> None:
    method = request.method if request.method in _METHODS else "other"  # a client makes up methods, not time series
    parts.metrics.api_requests.labels(method, _route(request), str(response.status)).inc()
    parts.metrics.api_seconds.observe(took_s)
    facts = request[FACTS]
    line = {
        **facts,
        "method": method,
        "route": _route(request),
        "status": response.status,
        "duration_ms": round(took_s * 1_000, 1),
    }
    _log.info("request.answered", extra=line)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
