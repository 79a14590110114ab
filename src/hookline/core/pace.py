"""How an endpoint is doing now: whether it is in doubt, and how many requests a second it can take.

Times are milliseconds of a clock that only runs forward; they never leave the process.
"""

from dataclasses import dataclass, field

# A healthy endpoint may be silent for this long before it is in doubt: far above usual answers, and short enough that 40
# endpoints that begin to hang in one second, at 10 requests a second each, hold a quarter of 400 slots by then.
PATIENCE_MS = 250.0
_PATIENCE_FACTOR = 4.0
_FAILURES_MAX = 3
_WEIGHT = 0.2  # of the latest answer in the usual time


@dataclass(slots=True)
class Pace:
    """One endpoint, as seen by one process."""

    usual_ms: float | None = None  # of successful requests, smoothed
    _succeeded_ms: float | None = None
    _failures: int = 0  # since then
    _started: dict[int, float] = field(default_factory=dict)  # what is in flight, the oldest first

    def started(self, key: int, now_ms: float) -> None:
        """A request began."""
        self._started[key] = now_ms

    def answered(self, key: int, now_ms: float, *, succeeded: bool) -> None:
        """It ended, with 2xx or otherwise."""
        took_ms = now_ms - self._started.pop(key)
        if not succeeded:
            self._failures += 1
            return
        self.usual_ms = took_ms if self.usual_ms is None else self.usual_ms + _WEIGHT * (took_ms - self.usual_ms)
        self._succeeded_ms = now_ms
        self._failures = 0

    def ended(self, key: int) -> None:
        """It is not in flight any more, whether a request was made or not."""
        self._started.pop(key, None)

    def is_doubtful(self, now_ms: float) -> bool:
        """Whether there is no recent success: none yet, failures since, or an answer that is long overdue."""
        if self._succeeded_ms is None or self._failures >= _FAILURES_MAX:
            return True
        patience_ms = max(PATIENCE_MS, _PATIENCE_FACTOR * (self.usual_ms or 0.0))
        return self._waiting_ms(now_ms) > patience_ms and now_ms - self._succeeded_ms > patience_ms

    def each_ms(self, now_ms: float) -> float:
        """How long a request takes, as far as can be seen now; 0 when nothing is known against it."""
        waiting_ms = self._waiting_ms(now_ms)
        if self.usual_ms is None:
            return waiting_ms if waiting_ms > PATIENCE_MS else 0.0
        return max(self.usual_ms, waiting_ms if self.is_doubtful(now_ms) else 0.0)

    def _waiting_ms(self, now_ms: float) -> float:
        return now_ms - next(iter(self._started.values())) if self._started else 0.0
