"""How many requests one API key may make: counted in each API process by itself, over a window of a minute that slides."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from hookline.api.problems import too_many_requests


class Rates:
    """Counts by key; links by the key that made them and their account. Only what was found right is counted: that bounds it."""

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, counted_as: str) -> None:
        """One request more; Refused with 429 if that is one too many."""
        if self._limit is None or await self._limiter.hit(self._limit, counted_as):
            return
        stats = await self._limiter.get_window_stats(self._limit, counted_as)
        raise too_many_requests(retry_after_s=max(1, math.ceil(stats.reset_time - time.time())))
