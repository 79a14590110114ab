"""The HTTP session that all requests to endpoints go through."""

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractCookieJar
from aiohttp.connector import Connection
from prometheus_client import CollectorRegistry

from hookline import __version__
from hookline.core.address import Reach
from hookline.runtime.clock import SystemClock
from hookline.runtime.metrics import Metrics
from hookline.runtime.outbound_connection import HEAD_BYTES_MAX, BoundedConnection
from hookline.runtime.outbound_guard import Guard
from hookline.runtime.outbound_resolver import Resolver
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError, NotYet

USER_AGENT = f"Hookline/{__version__}"
# Common servers close idle connections after 5 s (Node) or more: a request on a connection that is just being closed
# would count as the endpoint's failure.
_KEEP_ALIVE_S = 4.0
_READ_BUFFER_BYTES = 16 * 1024
CONNECTING = "connecting"
# Asked once more when a request of this task has its connection, which may take seconds: whether it may still be sent. A
# process that was paused meanwhile would send what another has sent since.
may_go: ContextVar[Callable[[], bool]] = ContextVar("may_go", default=lambda: True)


def time_limits(timeout_s: float) -> aiohttp.ClientTimeout:
    """For one attempt, from the name's lookup to the answer's end. aiohttp would round more than 5 s up to its clock's next second."""
    return aiohttp.ClientTimeout(total=timeout_s, ceil_threshold=math.inf)


class MayNotGoError(NotYet):
    """Nothing was sent: when the request had its connection, or got none, it was not ours to send any more, or nobody could say so."""

    def __init__(self) -> None:
        super().__init__("the process was paused, or lost the partition, while the request had no connection")


class _Connector(aiohttp.TCPConnector):
    """Marks a request that is cut off before it has its connection, which its `TimeoutError` does not tell.

    Raises MayNotGoError for one that may not go any more by then, whatever it met: a pause looks like a failure.
    """

    async def connect(self, *arguments: Any, **named: Any) -> Connection:
        try:
            connection = await super().connect(*arguments, **named)
        except asyncio.CancelledError as error:
            error.args = (CONNECTING,)
            raise
        except Exception as error:
            if not may_go.get()():
                raise MayNotGoError from error
            raise
        if not may_go.get()():
            connection.release()
            raise MayNotGoError
        return connection


def session_of(settings: Settings, metrics: Metrics) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    """The session that these settings ask for."""
    return open_session(
        reach=settings.reach(),
        timeout_s=settings.request_timeout_s,
        dns_servers=settings.dns_servers,
        lookup_timeout_s=settings.lookup_timeout_s,
        metrics=metrics,
        tls=trusting(settings.endpoint_ca_file),
    )


@asynccontextmanager
async def open_session(
    *,
    reach: Reach,
    timeout_s: float,
    dns_servers: str = "",
    lookup_timeout_s: float = 5,
    metrics: Metrics | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session without limits, cookies, decompression or proxies: a request starts only with a slot in hand.

    With a connector's limits, waiting for a connection would count as the endpoint's time. aiohttp's default cookie jar
    would hand one tenant's cookies to the next on the same host. Without `tls`, the system's authorities are trusted;
    `trusting` makes one that trusts more.
    """
    guard = Guard(reach)
    resolver = Resolver(
        servers=dns_servers,
        timeout_s=lookup_timeout_s,
        guard=guard,
        clock=SystemClock(),
        metrics=metrics or Metrics(CollectorRegistry()),
    )
    connector = _Connector(
        limit=0,
        limit_per_host=0,
        keepalive_timeout=_KEEP_ALIVE_S,
        ssl=tls or True,
        use_dns_cache=False,  # the resolver has one, with bounds
        resolver=resolver,
        socket_factory=guard.socket,
    )
    # There is no public door to the connection's class.
    connector._factory = partial(BoundedConnection, loop=asyncio.get_running_loop())  # type: ignore[assignment]  # noqa: SLF001
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=_no_cookies(),
            auto_decompress=False,
            trust_env=False,
            timeout=time_limits(timeout_s),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
            read_bufsize=_READ_BUFFER_BYTES,
        ) as session:
            yield session
    finally:
        await resolver.close()


def trusting(ca_file: Path | None) -> ssl.SSLContext | None:
    """Who may vouch for endpoints: the system's authorities, and those of this PEM file; ConfigError if it can't be read."""
    if ca_file is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"HOOKLINE_ENDPOINT_CA_FILE is {ca_file}; it must be a PEM file of certificates: {error}"
        ) from error
    return context


def _no_cookies() -> AbstractCookieJar:
    return aiohttp.DummyCookieJar()
