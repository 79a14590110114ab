"""How an endpoint is doing now: whether it is in doubt, and how many requests a second it can take.

Times are milliseconds of a clock that only runs forward; they never leave the process.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

# A healthy endpoint may be silent for this long before it is in doubt: far above usual answers, and short enough that 40
# endpoints that begin to hang in one second, at 10 requests a second each, hold a quarter of 400 slots by then.
PATIENCE_MS = 250.0
_PATIENCE_FACTOR = 4.0
# Only a longer silence says how slow an endpoint is: many take a second or two for an answer.
_SILENCE_MS = 5_000.0
_FAILURES_MAX = 3
_LEAST_MS = 1.0  # a request takes at least that, or as long as it seemed
# What is usual is so of two seconds, however many answers come in them: in a moment in which our own loop is busy all of them
# are late, and what is known of five answers would have a whole backlog postponed for a minute (measured).
_SMOOTHED_MS = 2_000.0
_FIRST = 50
_WEIGHT_MAX = 0.5


class Standing(Enum):
    """What an endpoint's latest requests say of it."""

    PROVEN = auto()  # it succeeds
    UNKNOWN = auto()  # nothing yet
    DOUBTFUL = auto()  # it does not succeed any more, or never did


@dataclass(slots=True)
class Pace:
    """One endpoint, as seen by one process."""

    usual_ms: float | None = None  # of successful requests, smoothed
    _succeeded_ms: float | None = None
    _successes: int = 0
    _failures: int = 0  # since then
    _failed_ms: float = 0.0  # how long the last of these took
    _started: dict[int, float] = field(default_factory=dict)  # what is in flight, the oldest first

    def started(self, key: int, now_ms: float) -> None:
        """A request began."""
        self._started[key] = now_ms

    def answered(self, key: int, now_ms: float, *, succeeded: bool, own_ms: float = 0.0) -> None:
        """It ended, with 2xx or otherwise. `own_ms`: how much longer it seems, since our own loop was late."""
        seemed_ms = now_ms - self._started.pop(key)
        took_ms = max(seemed_ms - own_ms, min(seemed_ms, _LEAST_MS))
        if not succeeded:
            self._failures += 1
            self._failed_ms = took_ms
            return
        self._successes += 1
        usual_ms = took_ms if self.usual_ms is None else self.usual_ms
        self.usual_ms = usual_ms + self._weight(now_ms) * (took_ms - usual_ms)
        self._succeeded_ms = now_ms
        self._failures, self._failed_ms = 0, 0.0

    def ended(self, key: int) -> None:
        """It is not in flight any more, whether a request was made or not."""
        self._started.pop(key, None)

    def standing(self, now_ms: float) -> Standing:
        """What is known now: failures since the last success count, and so does an answer that is long overdue."""
        if self._failures >= (1 if self._succeeded_ms is None else _FAILURES_MAX):
            return Standing.DOUBTFUL
        patience_ms = max(PATIENCE_MS, _PATIENCE_FACTOR * (self.usual_ms or 0.0))
        if self._waiting_ms(now_ms) > patience_ms and self._silent_ms(now_ms) > patience_ms:
            return Standing.DOUBTFUL
        return Standing.UNKNOWN if self._succeeded_ms is None else Standing.PROVEN

    def each_ms(self, now_ms: float) -> float:
        """How long a request takes, as far as can be seen now; 0 when nothing is known against it."""
        silent_ms = min(self._waiting_ms(now_ms), self._silent_ms(now_ms))
        return max(self.usual_ms or 0.0, self._failed_ms, silent_ms if silent_ms > _SILENCE_MS else 0.0)

    def _weight(self, now_ms: float) -> float:
        """Of this answer in the usual time: the first ones count alike; then each by the time since the one before."""
        alike = 1 / self._successes if self._successes <= _FIRST else 0.0
        return min(_WEIGHT_MAX, max(alike, self._silent_ms(now_ms) / _SMOOTHED_MS))

    def _silent_ms(self, now_ms: float) -> float:
        return inf if self._succeeded_ms is None else now_ms - self._succeeded_ms

    def _waiting_ms(self, now_ms: float) -> float:
        return now_ms - next(iter(self._started.values())) if self._started else 0.0
