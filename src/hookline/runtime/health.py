"""`/metrics`, `/healthz` and `/readyz` of every role, on an address of their own that is never the public API's."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from hookline.runtime.metrics import Metrics

# A check answers None when all is well, else a sentence that says what is not.
Check = Callable[[], str | None]
Refresh = Callable[[], Awaitable[None]]


def build_health_app(metrics: Metrics, *, alive: Sequence[Check], ready: Sequence[Check]) -> web.Application:
    """The three pages. A failing check answers 503 with its sentences, a line each."""

    async def show_metrics(_request: web.Request) -> web.Response:
        metrics.ready.set(all(check() is None for check in ready))
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def page(checks: Sequence[Check]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def show(_request: web.Request) -> web.Response:
            complaints = [said for check in checks if (said := check()) is not None]
            return web.Response(status=503 if complaints else 200, text="\n".join(complaints or ["ok"]) + "\n")

        return show

    app = web.Application(client_max_size=1_024)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", page(alive))
    app.router.add_get("/readyz", page(ready))
    return app


@asynccontextmanager
async def serving(app: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve an application while the block runs; yields the port, which the system chose if 0 was given."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
