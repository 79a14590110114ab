"""Deliveries that came in before the configuration that fanned them out: each waits until this process has it, too."""

import asyncio
from collections import deque
from collections.abc import Callable

from hookline.core.window import Hold, Slot, Window
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.errors import NotYet
from hookline.schemas.topics import Topics

_VIEW_WAIT_S = 5.0


class InView:
    """Hands each delivery on once our view is as far as the one that fanned it out; those of a webhook in the order they came.

    Only then may "no subscription" mean that it was deleted. `offer` takes what may be judged now; `start` is called after
    it for what had to wait.
    """

    def __init__(
        self, view: View, topics: Topics, tasks: Tasks, *, offer: Callable[[Slot], None], start: Callable[[], None]
    ) -> None:
        self._view = view
        self._topics = topics
        self._tasks = tasks
        self._offer = offer
        self._start = start
        self._unseen: dict[tuple[Window, str], deque[Slot]] = {}  # by subscription, each in order

    def take(self, slot: Slot) -> None:
        """A delivery came in, or its turn came again."""
        key = (slot.window, slot.delivery.subscription_id)
        if key in self._unseen:
            self._unseen[key].append(slot)  # what comes later may not overtake it
        elif slot.delivery.config_offset > self._view.applied:
            self._unseen[key] = deque([slot])
            self._tasks.spawn(self._offer_when_seen(*key))
        else:
            self._offer(slot)

    async def _offer_when_seen(self, window: Window, subscription_id: str) -> None:
        unseen = self._unseen[window, subscription_id]
        while unseen and window.hold is Hold.OURS:
            try:
                wanted = unseen[0].delivery.config_offset - 1
                await self._view.wait_applied(self._topics.subscriptions, wanted, timeout_s=_VIEW_WAIT_S)
            except NotYet:
                continue
            self._offer(unseen.popleft())
            self._start()
            await asyncio.sleep(0)
        del self._unseen[window, subscription_id]
