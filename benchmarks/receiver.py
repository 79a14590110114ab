"""The endpoint of all measurements: answers 200 and keeps when each webhook was sent and came. Prints its port."""

import asyncio
import json
import re
import sys
import time

import uvloop
from aiohttp import web

_SENT = re.compile(rb'"username":"(\d{19})"')  # the benchmark's events carry their time of publishing in nanoseconds


class Counting:
    """What came since the last reset."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.count, self.first_ns, self.last_ns = 0, 0, 0
        self.latencies_ms: list[float] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        now_ns = time.time_ns()
        self.count += 1
        self.first_ns, self.last_ns = self.first_ns or now_ns, now_ns
        if (sent := _SENT.search(body)) is not None:
            self.latencies_ms.append((now_ns - int(sent[1])) / 1e6)
        return web.Response()

    async def show(self, request: web.Request) -> web.Response:
        seconds = (self.last_ns - self.first_ns) / 1e9
        answer = {
            "count": self.count,
            "seconds": seconds,
            "latencies_ms": self.latencies_ms if "all" in request.query else [],
        }
        if "reset" in request.query:
            self.reset()
        return web.Response(text=json.dumps(answer), content_type="application/json")


async def main() -> None:
    counting = Counting()
    app = web.Application()
    app.router.add_get("/stats", counting.show)
    app.router.add_post("/{path:.*}", counting.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


uvloop.run(main())
