"""The endpoints of all measurements: answer 200, and keep when each webhook was sent and came. Prints its port.

It listens on as many addresses as asked for, 127.0.1.1 and the next, and 127.0.0.1. The path is the endpoint's number; what an
endpoint does can be set: to hang, or to answer late.
"""

import asyncio
import contextlib
import json
import re
import socket
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

import uvloop
from aiohttp import web

_SENT = re.compile(rb'"username":"(\d{19})"')  # the benchmark's events carry their time of publishing in nanoseconds


@dataclass(slots=True)
class Endpoint:
    """One path. `answers_in_s` None: at once; `hangs` is set while it answers nothing before `hang_s` are over."""

    answers_in_s: float | None = None
    hangs: asyncio.Event | None = None
    in_flight: int = 0
    in_flight_max: int = 0
    busy_s: float = 0.0  # requests in flight, integrated over time
    changed_s: float = field(default_factory=time.monotonic)

    def moves(self, by: int) -> None:
        now_s = time.monotonic()
        self.busy_s += self.in_flight * (now_s - self.changed_s)
        self.changed_s = now_s
        self.in_flight += by
        self.in_flight_max = max(self.in_flight_max, self.in_flight)


class Counting:
    """What came since the last reset."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = defaultdict(Endpoint)
        self.hang_s = 30.0
        self.reset()

    def reset(self) -> None:
        self.count, self.first_ns, self.last_ns = 0, 0, 0
        self.rows: list[tuple[str, str, int, int]] = []  # endpoint, webhook id, published ns or 0, came ns
        self.since_s = time.monotonic()
        for endpoint in self.endpoints.values():
            endpoint.moves(0)
            endpoint.busy_s, endpoint.in_flight_max = 0.0, endpoint.in_flight

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        now_ns = time.time_ns()
        path = request.path[1:]
        endpoint = self.endpoints[path]
        endpoint.moves(1)
        try:
            status = await self._behave(endpoint)
        finally:
            endpoint.moves(-1)
        if status == 200:
            self._note(path, request.headers.get("webhook-id", ""), body, now_ns)
        return web.Response(status=status)

    async def _behave(self, endpoint: Endpoint) -> int:
        if endpoint.hangs is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(endpoint.hangs.wait(), self.hang_s)
            return 503
        if endpoint.answers_in_s is not None:
            await asyncio.sleep(endpoint.answers_in_s)
        return 200

    def _note(self, path: str, webhook_id: str, body: bytes, now_ns: int) -> None:
        self.count += 1
        self.first_ns, self.last_ns = self.first_ns or now_ns, now_ns
        sent = _SENT.search(body)
        self.rows.append((path, webhook_id, 0 if sent is None else int(sent[1]), now_ns))

    async def show(self, request: web.Request) -> web.Response:
        answer: dict[str, object] = {"count": self.count, "seconds": (self.last_ns - self.first_ns) / 1e9}
        if "all" in request.query:
            answer["latencies_ms"] = [(came_ns - sent_ns) / 1e6 for _, _, sent_ns, came_ns in self.rows if sent_ns]
        if "rows" in request.query:
            answer["rows"] = self.rows
        if "in_flight" in request.query:
            answer["in_flight"] = self._in_flight()
        if "reset" in request.query:
            self.reset()
        return web.Response(text=json.dumps(answer), content_type="application/json")

    def _in_flight(self) -> dict[str, list[float]]:
        """The mean and the most requests in flight of each endpoint, since the last reset."""
        lasted_s = max(1e-9, time.monotonic() - self.since_s)
        for endpoint in self.endpoints.values():
            endpoint.moves(0)
        return {path: [each.busy_s / lasted_s, each.in_flight_max] for path, each in self.endpoints.items()}

    async def behave(self, request: web.Request) -> web.Response:
        """From now on `hang` hang, all others answer at once, or after their time in `late_s`; who hung answers 503."""
        wish = await request.json()
        hang, late_s = set(wish.get("hang", ())), wish.get("late_s", {})
        for path in hang | set(late_s) | set(self.endpoints):
            endpoint = self.endpoints[path]
            endpoint.answers_in_s = late_s.get(path)
            if path in hang:
                endpoint.hangs = endpoint.hangs or asyncio.Event()
            elif endpoint.hangs is not None:
                endpoint.hangs.set()
                endpoint.hangs = None
        return web.Response()


def listening(addresses: int) -> list[socket.socket]:
    """The same free port on all addresses."""
    first = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    port = first.getsockname()[1]
    return [first] + [
        socket.create_server((f"127.0.1.{number}", port), backlog=1_024) for number in range(1, addresses + 1)
    ]


async def main(addresses: int) -> None:
    counting = Counting()
    app = web.Application()
    app.router.add_get("/stats", counting.show)
    app.router.add_put("/behaviour", counting.behave)
    app.router.add_post("/{path:.*}", counting.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sockets = listening(addresses)
    for each in sockets:
        await web.SockSite(runner, each).start()
    sys.stdout.write(f"{sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
