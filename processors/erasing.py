"""Erased accounts leave the history store: the store is told of all of them before it takes anything in, and of each that comes."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Protocol

from hookline.runtime.clock import Clock
from hookline.schemas.errors import NotYet

_log = logging.getLogger("hookline.history")
_LOOK_EVERY_S = 600.0  # a store that was restored from a copy does not know what it knew
_AGAIN_S = 1.0
_REST_MIN_S = 0.01


class Store(Protocol):
    """The store, as far as it erases (`hookline.runtime.history.HistoryStore`)."""

    async def mark_erased(self, accounts: Mapping[str, int]) -> Collection[str]:
        """Take in nothing of these accounts any more; those of which something may still be there. NotYet."""
        ...

    async def erase_some(self, account_id: str) -> int:
        """Remove a part of what is there of a marked account; how much. 0: nothing is left. NotYet."""
        ...


class Known(Protocol):
    """Which accounts are erased (`hookline.processors.erased.Erased`)."""

    def accounts(self) -> Mapping[str, int]: ...

    async def wait_ready(self) -> None: ...

    async def wait_for_another(self, timeout_s: float) -> None: ...


async def mark_all(store: Store, known: Known) -> Collection[str]:
    """Tell the store of every account that is erased, however long it or Kafka is away; of which something may be there."""
    await known.wait_ready()
    while True:
        try:
            return await store.mark_erased(known.accounts())
        except NotYet as error:
            _log.warning("history.store_awaited", extra={"error": str(error)})
            await asyncio.sleep(_AGAIN_S)


async def erase(store: Store, known: Known, *, clock: Clock) -> None:
    """Remove what is there of erased accounts, until cancelled: at the start of all of them, then of each that comes.

    Several processes may.
    """
    await mark_all(store, known)
    left: Collection[str] = known.accounts().keys()
    while True:
        for account_id in sorted(left):
            await _erase(store, account_id, clock=clock)
        await known.wait_for_another(_LOOK_EVERY_S)
        left = await mark_all(store, known)


async def _erase(store: Store, account_id: str, *, clock: Clock) -> None:
    """Between two parts it rests as long as it worked: half of the time is for what comes in."""
    total = 0
    while True:
        began_s = clock.monotonic_s()
        try:
            removed = await store.erase_some(account_id)
        except NotYet as error:
            _log.warning("history.store_awaited", extra={"error": str(error)})
            await asyncio.sleep(_AGAIN_S)
            continue
        if not removed:
            break
        total += removed
        await asyncio.sleep(max(_REST_MIN_S, clock.monotonic_s() - began_s))
    if total:
        _log.info("history.erased", extra={"account_id": account_id, "removed": total})
