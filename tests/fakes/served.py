"""The API in a thread of its own, for clients that know nothing of asyncio."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from fakes.api import Api, running_api

_Result = TypeVar("_Result")
_WAIT_S = 30


@dataclass(frozen=True, slots=True)
class Served:
    """A running API, and the event loop in which it runs."""

    api: Api
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.port}"

    def do(self, work: Callable[[Api], Coroutine[Any, Any, _Result]]) -> _Result:
        """The result of work that is done in the API's loop."""
        return asyncio.run_coroutine_threadsafe(work(self.api), self.loop).result(_WAIT_S)


@contextmanager
def served_api(**changes: Any) -> Iterator[Served]:
    """The API on a free port; `changes` are settings."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = running_api(**changes)
    try:
        api = asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(_WAIT_S)
        yield Served(api, loop)
        asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(_WAIT_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_WAIT_S)
        loop.close()
