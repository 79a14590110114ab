"""The same API once more, beside a running one, with other parts: a history store in a real database, say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from fakes.api import Api, Caller
from hookline.api.app import build_app
from hookline.api.server import listening


@dataclass(frozen=True, slots=True)
class Beside:
    """Who calls it: with the keys of the other one's callers."""

    call: Caller
    stranger: Caller
    admin: Caller


@asynccontextmanager
async def beside(api: Api, **parts: Any) -> AsyncIterator[Beside]:
    """The API with these parts changed; its configuration and keys are the running one's."""
    app = build_app(replace(api.parts, **parts))
    async with (
        listening(app, host="127.0.0.1", port=0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield Beside(*(Caller(session, each.key) for each in (api.call, api.stranger, api.admin)))
