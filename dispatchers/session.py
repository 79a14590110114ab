"""The HTTP session that all requests to endpoints go through."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractCookieJar
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError

from hookline import __version__
from hookline.core.address import may_be_called
from hookline.runtime.settings import Endpoints

USER_AGENT = f"Hookline/{__version__}"
# Common servers close idle connections after 5 s (Node) or more: a request on a connection that is just being closed
# would count as the endpoint's failure.
_KEEP_ALIVE_S = 4.0
_HEADER_BYTES_MAX = 8_190
_READ_BUFFER_BYTES = 16 * 1024


# 100 Continue and 103 Early Hints are legal before an answer. aiohttp keeps them all and works through them before anything
# else has its turn: an endless row of them held up a whole dispatcher.
_INTERIM_ANSWERS_MAX = 16


class _FewAnswers(ResponseHandler):
    """A connection that is closed when a request gets more interim answers than any server needs."""

    _answers = 0

    def set_response_params(self, **params: Any) -> None:
        self._answers = 0
        super().set_response_params(**params)

    def feed_data(self, data: tuple[RawResponseMessage, aiohttp.StreamReader], size: int = 0) -> None:
        self._answers += 1
        if self._answers <= _INTERIM_ANSWERS_MAX:
            super().feed_data(data, size)
        elif self._answers == _INTERIM_ANSWERS_MAX + 1:
            self.set_exception(HttpProcessingError(code=400, message="too many interim answers"))
            if self.transport is not None:
                self.transport.abort()


class AddressRefusedError(OSError):
    """The address may not be called. The message names none: what a name resolves to is not the customer's business."""


@asynccontextmanager
async def open_session(*, endpoints: Endpoints, timeout_s: float) -> AsyncIterator[aiohttp.ClientSession]:
    """A session without limits, cookies, decompression or proxies: a request starts only with a slot in hand.

    With a connector's limits, waiting for a connection would count as the endpoint's time. aiohttp's default cookie jar
    would hand one tenant's cookies to the next on the same host.
    """

    def guarded_socket(address: AddrInfoType) -> socket.socket:
        # Sees every address of every connect, also IP literals, which never reach a resolver.
        family, kind, protocol, _, place = address
        if not may_be_called(str(place[0]), loopback=endpoints is Endpoints.LOOPBACK):
            raise AddressRefusedError("this address may not be called")
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=0, keepalive_timeout=_KEEP_ALIVE_S, socket_factory=guarded_socket
    )
    # There is no public door to the connection's class.
    connector._factory = partial(_FewAnswers, loop=asyncio.get_running_loop())  # type: ignore[assignment]  # noqa: SLF001
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=_no_cookies(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        headers={"User-Agent": USER_AGENT, "Content-Type": "application/json", "Accept-Encoding": "identity"},
        max_line_size=_HEADER_BYTES_MAX,
        max_field_size=_HEADER_BYTES_MAX,
        read_bufsize=_READ_BUFFER_BYTES,
    ) as session:
        yield session


def _no_cookies() -> AbstractCookieJar:
    return aiohttp.DummyCookieJar()
