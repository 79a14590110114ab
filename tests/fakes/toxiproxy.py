"""Shopify's toxiproxy: a TCP proxy that makes a link slow, narrow or unreliable. Built by Go, once, into the cache folder.

    async with toxiproxy(binary, listen=port, upstream=door) as link:
        async with link.toxic("latency", latency=200, jitter=50):
            ...

Where Go is missing or the module can't be had, the test is skipped.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from hookline.runtime.broker_node import HOST, free_port

_VERSION = "v2.5.0"
_MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@{_VERSION}"
_BUILD_S = 300  # 30 s with an empty cache
_START_S = 10.0
_PROXY = "link"


def built(cache_dir: Path) -> Path:
    """The program, built if it is not there yet."""
    folder = cache_dir.expanduser().absolute() / f"toxiproxy-{_VERSION}"
    if not (folder / "server").exists():
        _build(folder)
    return folder / "server"


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("this test needs toxiproxy, which is built with Go, and there is no `go` on PATH")
    environment = os.environ | {"GOBIN": str(folder)}
    run = subprocess.run(
        [go, "install", _MODULE], env=environment, capture_output=True, text=True, timeout=_BUILD_S, check=False
    )
    if run.returncode != 0:
        pytest.skip(f"this test needs toxiproxy, and Go could not build it: {run.stderr.strip()[-300:]}")


@dataclass(frozen=True, slots=True)
class Link:
    """The proxied link. Each toxic works on every connection by itself, also on those that are open already."""

    admin: aiohttp.ClientSession

    @asynccontextmanager
    async def toxic(self, kind: str, *streams: str, **attributes: int) -> AsyncIterator[None]:
        """Spoil the link for the block; `streams` are `upstream`, to the broker, and `downstream`."""
        for stream in streams:
            body = {"name": stream, "type": kind, "stream": stream, "attributes": attributes}
            async with self.admin.post(f"/proxies/{_PROXY}/toxics", json=body) as answer:
                assert answer.status == 200, await answer.text()
        try:
            yield
        finally:
            for stream in streams:
                async with self.admin.delete(f"/proxies/{_PROXY}/toxics/{stream}") as answer:
                    assert answer.status == 204, await answer.text()


@asynccontextmanager
async def toxiproxy(program: Path, *, listen: int, upstream: int) -> AsyncIterator[Link]:
    """A link from `listen` to `upstream`, both ports of this machine; nothing spoils it yet."""
    port = free_port("toxiproxy", taken=listen)
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        str(program), "-host", HOST, "-port", str(port), stdin=quiet, stdout=quiet, stderr=quiet
    )
    try:
        async with aiohttp.ClientSession(f"http://{HOST}:{port}") as admin:
            await _answering(admin)
            body = {"name": _PROXY, "listen": f"{HOST}:{listen}", "upstream": f"{HOST}:{upstream}"}
            async with admin.post("/proxies", json=body) as answer:
                assert answer.status == 201, await answer.text()
            yield Link(admin)
    finally:
        process.kill()
        await process.wait()


async def _answering(admin: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(_START_S):
        while True:
            try:
                async with admin.get("/version"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
