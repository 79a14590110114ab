"""Promise 8: an event is matched with everything that was configured when it was read."""

import asyncio
import logging
from typing import Protocol

from hookline.schemas.errors import NotYet

_log = logging.getLogger("hookline.fanout")
_ASK_AGAIN_S = 0.2
_APPLY_S = 5.0


class Ends(Protocol):
    """Says where a topic ends now (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def of(self, topic: str) -> int:
        """The offset that the next record will have; NotYet if the broker does not say."""
        ...


class Followed(Protocol):
    """Says how far the configuration has been applied (`hookline.runtime.view.View`)."""

    async def wait_applied(self, topic: str, offset: int, *, timeout_s: float) -> None:
        """Return once the record at `offset` has been applied; NotYet after `timeout_s` seconds."""
        ...


class Barrier:
    """Asks where the configuration ends after an event came, and waits until the view is there."""

    def __init__(self, *, ends: Ends, view: Followed, topic: str) -> None:
        self._ends = ends
        self._view = view
        self._topic = topic
        self.is_waiting_for: str | None = None

    async def passed(self) -> None:
        """Return when the view has all that was in the topic at the time of this call, however long that takes."""
        while True:
            try:
                await self._pass()
            except NotYet as error:
                if self.is_waiting_for is None:
                    _log.warning("fanout.configuration_awaited", extra={"error": str(error)})
                self.is_waiting_for = str(error)
                await asyncio.sleep(_ASK_AGAIN_S)
            else:
                self.is_waiting_for = None
                return

    async def _pass(self) -> None:
        end = await self._ends.of(self._topic)
        await self._view.wait_applied(self._topic, end - 1, timeout_s=_APPLY_S)
