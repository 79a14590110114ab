"""The HTTP server under the application: what never reaches a handler is answered with a problem as well."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from aiohttp import web

from hookline.api.edge import dress
from hookline.api.problems import Problem, answer, bad_request, broken
from hookline.runtime import draw
from hookline.schemas.errors import ConfigError

_log = logging.getLogger("hookline.api")
_KEEPALIVE_S = 75.0
_LINGERING_S = 1.0  # how long the rest of a refused body is read, so that the client sees the answer
_STOP_S = 15.0  # requests under way may end: a write waits 10 s at most for Kafka
_SERVER: dict[str, Any] = {
    "access_log": None,  # the edge writes the one line
    "keepalive_timeout": _KEEPALIVE_S,
    "lingering_time": _LINGERING_S,
    "auto_decompress": False,  # compressed bodies are refused, so none can unfold in memory
}


class _Connection(web.RequestHandler):
    """One connection; only what the HTTP parser refused is answered here."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's; it quotes what the client sent
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("request.broke", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        response = _plain(broken() if status >= HTTPStatus.INTERNAL_SERVER_ERROR else bad_request(HTTPStatus(status)))
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **_SERVER)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        handler = made.request_handler

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as error:  # a header that is looked at before any handler: Expect
                return _plain(bad_request(HTTPStatus(error.status)))

        return _Server(handle, request_factory=made.request_factory)


@asynccontextmanager
async def listening(app: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve the application while the block runs; yields the port, which the system chose if 0 was given.

    ConfigError if nothing can listen there.
    """
    runner = _Runner(app, handle_signals=False, shutdown_timeout=_STOP_S)
    await runner.setup()
    try:
        await _open(web.TCPSite(runner, host, port, reuse_address=True), host, port)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _open(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise ConfigError(
            f"nothing can listen on {host}:{port} ({error.strerror}); change HOOKLINE_API_HOST or HOOKLINE_API_PORT"
        ) from error


def _plain(problem: Problem) -> web.Response:
    request_id = draw.request_id()
    response = answer(problem, request_id=request_id)
    dress(response.headers, request_id)
    return response
