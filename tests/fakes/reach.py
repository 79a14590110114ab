"""What is known of how far history has come, where a test says it."""

from collections.abc import Awaitable, Callable

from hookline.schemas.errors import NotYet


class ReachOfHistory:
    """A `Reach` of a history store that has all that is on record, until a test says otherwise."""

    def __init__(self) -> None:
        self.is_behind = False
        self.is_emptied = False  # after it was found to have all
        self.asked = 0

    async def caught_up(self) -> Callable[[], Awaitable[None]]:
        self.asked += 1
        if self.is_behind:
            raise NotYet("the history store is behind")
        return self._check

    async def _check(self) -> None:
        if self.is_emptied:
            raise NotYet("the history store was emptied")
