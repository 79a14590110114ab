"""API roles on one real broker, as processes would run them, each with callers of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from fakes.api import CODEC, Caller
from fakes.kafka import write
from hookline.api.run import run_api
from hookline.runtime.keys import new_api_key
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.settings import Settings
from hookline.schemas.records import Account


async def new_account(settings: Settings, account_id: str = "acct_1", **changes: object) -> str:
    """An account with a key, written as a command would; returns the key's text."""
    text, key = new_api_key(account_id, 0)
    account = Account(account_id=account_id, name="Acme", created_at_ms=0, **changes)  # type: ignore[arg-type]
    pairs = [(account_id.encode(), CODEC.encode(account)), (key.key_id.encode(), CODEC.encode(key))]
    await asyncio.to_thread(write, settings.bootstrap_servers, settings.topics().accounts, pairs)
    return text


@asynccontextmanager
async def replica(settings: Settings, key: str) -> AsyncIterator[Caller]:
    """The role as a process runs it, ready to answer; `settings.api_port` is 0."""
    lifetime, port = Lifetime(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_api(settings, lifetime, says=port.set_result))
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{await asyncio.wait_for(port, 60)}") as session:
            call = Caller(session, key)
            await answered(call)
            yield call
    finally:
        lifetime.stop()
        await asyncio.wait_for(running, 30)


@asynccontextmanager
async def replicas(settings: Settings, key: str, count: int = 2) -> AsyncIterator[list[Caller]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(replica(settings, key)) for _ in range(count)]


async def answered(call: Caller) -> None:
    """Return once it does not answer 503 any more."""
    async with asyncio.timeout(30):
        while (await call("GET", "/webhooks")).status == 503:
            await asyncio.sleep(0.05)
