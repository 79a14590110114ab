"""The history store's upkeep: room for what comes, and what is too old leaves it."""

import asyncio
import logging
from typing import Protocol

from hookline.runtime.clock import Clock
from hookline.schemas.errors import NotYet

_log = logging.getLogger("hookline.history")
_EVERY_S = 600.0
_AGAIN_S = 5.0
_REST_MIN_S = 0.01


class Store(Protocol):
    """The store, as far as it is kept (`hookline.runtime.history.HistoryStore`)."""

    async def prepare(self, *, now_ms: int) -> None:
        """Make room for what comes; NotYet."""
        ...

    async def forget(self, *, now_ms: int, days: int) -> int:
        """Remove a part of what is older than so many days; how much. NotYet."""
        ...


async def keep(store: Store, *, days: int, clock: Clock) -> None:
    """Keep the store, until cancelled. Several processes may."""
    while True:
        try:
            await store.prepare(now_ms=clock.now_ms())
            await _forget(store, days=days, clock=clock)
        except NotYet as error:
            _log.warning("history.store_awaited", extra={"error": str(error)})
            await asyncio.sleep(_AGAIN_S)
        else:
            await asyncio.sleep(_EVERY_S)


async def _forget(store: Store, *, days: int, clock: Clock) -> None:
    """All that is too old. Between two parts it rests as long as it worked: half of the time is for what comes in."""
    total = 0
    while True:
        began_s = clock.monotonic_s()
        removed = await store.forget(now_ms=clock.now_ms(), days=days)
        if not removed:
            break
        total += removed
        await asyncio.sleep(max(_REST_MIN_S, clock.monotonic_s() - began_s))
    if total:
        _log.info("history.forgotten", extra={"removed": total})
