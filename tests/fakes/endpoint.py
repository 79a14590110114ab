"""A real endpoint on this machine that answers by a script.

    async with endpoint(503, 503, 200) as (url, seen):
        ...
        requests = await seen.wait_for(3)

Each step is a status, or one of the functions below; the last is repeated for every request after it.
"""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDictProxy

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Step = int | Answer

_BODY_BYTES_MAX = 16 * 1024 * 1024  # far more than any webhook: the fake refuses nothing
_SHUTDOWN_S = 0.05  # what still hangs when a test is over is cut off


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in; `path` with its query, `at_s` on the monotonic clock, `at_ms` on the wall clock."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes
    at_s: float
    at_ms: int


class Seen:
    """The requests so far, in order of arrival."""

    def __init__(self) -> None:
        self._requests: list[Request] = []
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(tuple(self._requests))

    def __getitem__(self, index: int) -> Request:
        return self._requests[index]

    async def wait_for(self, count: int, timeout_s: float = 30) -> list[Request]:
        """All requests, once there are at least `count`; AssertionError after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: len(self._requests) >= count)
        except TimeoutError:
            raise AssertionError(f"{len(self)} requests came in {timeout_s} s; {count} were wanted") from None
        return list(self._requests)

    async def add(self, request: Request) -> int:
        """Note a request; says how many came before it."""
        self._requests.append(request)
        number = len(self._requests) - 1
        async with self._changed:
            self._changed.notify_all()
        return number


@asynccontextmanager
async def endpoint(*script: Step) -> AsyncIterator[tuple[str, Seen]]:
    """An HTTP server on a free port of 127.0.0.1, for any path and method; yields its URL without a path."""
    seen = Seen()
    steps = script or (200,)

    async def serve(request: web.Request) -> web.StreamResponse:
        at_s, at_ms = time.monotonic(), time.time_ns() // 1_000_000
        body = await request.read()
        number = await seen.add(Request(request.method, request.path_qs, request.headers, body, at_s, at_ms))
        step = steps[min(number, len(steps) - 1)]
        return web.Response(status=step) if isinstance(step, int) else await step(request)

    app = web.Application(client_max_size=_BODY_BYTES_MAX)
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


def answer(status: int = 200, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    """Answer with these headers and this body."""

    async def step(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers, body=body)

    return step


def after(delay_s: float, then: Step = 200) -> Answer:
    """Answer late."""

    async def step(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(delay_s)
        return web.Response(status=then) if isinstance(then, int) else await then(request)

    return step


def when(opened: asyncio.Event, then: Step = 200) -> Answer:
    """Answer once the test sets the event: for what has to stay in flight exactly so long."""

    async def step(request: web.Request) -> web.StreamResponse:
        await opened.wait()
        return web.Response(status=then) if isinstance(then, int) else await then(request)

    return step


async def hang(request: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def reset(request: web.Request) -> web.StreamResponse:
    """Reset the connection instead of answering."""
    transport = request.transport
    assert transport is not None
    linger_off = struct.pack("ii", 1, 0)  # close() sends RST at once
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
    transport.abort()
    return web.Response()


def huge(body_bytes: int, status: int = 200) -> Answer:
    """Answer with a body of this size, sent in pieces for as long as the other side reads."""

    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        piece = b"x" * 65_536
        for start in range(0, body_bytes, len(piece)):
            await response.write(piece[: body_bytes - start])
        await response.write_eof()
        return response

    return step


def stall(status: int = 200) -> Answer:
    """Send the headers and the first bytes of a body, then nothing more."""

    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"begun")
        await asyncio.Event().wait()
        return response

    return step
