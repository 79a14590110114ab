"""When events come fast and one by one they are fetched some at a time: each fetch costs the broker and us as much as an event."""

import math

_MEMORY_S = 0.1
_FEW = 3  # a fetch that would bring fewer is not worth the wait: up to 375 events a second none waits
_MANY = 64  # a backlog: what is fetched next is there already


class Pace:
    """How long to wait before the next fetch, so that it brings several records."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._recent = 0.0  # records, those of `_MEMORY_S` ago counted by 1/e
        self._last = 0
        self._came_s = 0.0

    def came(self, records: int, *, now_s: float) -> None:
        """So many records were just fetched."""
        self._recent = self._recent * math.exp((self._came_s - now_s) / _MEMORY_S) + records
        self._last, self._came_s = records, now_s

    def wait_s(self, *, now_s: float) -> float:
        """0 when events are few, or so many that they wait for us."""
        if self._last >= _MANY or self._recent * self._every_s < _FEW * _MEMORY_S:
            return 0.0
        return max(0.0, self._came_s + self._every_s - now_s)
