"""How fast one process starts replays: what live traffic leaves of it.

Budgets share out requests in flight, but a process has one event loop, and a machine its cores: each replay that starts makes
live deliveries wait for both. That shows in how late the loop's timers are, whatever the reason. So replays keep to a pace that
goes down while they are late, and up again while they are not; and to a lower one while there is live traffic at all.
"""

from dataclasses import dataclass
from math import inf

ALONE_PER_S = 1_000  # as many as a job may ask for
BESIDE_LIVE_PER_S = 200  # a fifth of what a process does on a slow core
_LIVE_LATELY_MS = 1_000.0
_LATE_MS = 5.0  # a loop that is half busy is 1 to 2 ms late
_TURNS = 2  # of the loop, until an answer is read and has come to who awaits it
_WEIGHT = 0.2  # of the latest lateness in the usual one: a single long turn of the loop says little
_SLOWER, _FASTER, _LEAST = 0.8, 1.05, 0.1  # at each look, ten times a second: down within a second, up within five


@dataclass(slots=True)
class ReplayPace:
    """The pace of one process."""

    live_at_ms: float = -inf  # when this process last had to do with live traffic
    _late_ms: float = 0.0
    _part: float = 1.0

    def felt(self, late_ms: float) -> None:
        """The loop's timer came so late."""
        self._late_ms += _WEIGHT * (late_ms - self._late_ms)
        if self._late_ms > _LATE_MS:
            self._part = max(_LEAST, self._part * _SLOWER)
        else:
            self._part = min(1.0, self._part * _FASTER)

    def own_ms(self) -> float:
        """How much longer a request seems to take, about, since the loop is late."""
        return _TURNS * self._late_ms

    def per_s(self, now_ms: float) -> float:
        """How many replays may start in a second."""
        is_alone = now_ms - self.live_at_ms >= _LIVE_LATELY_MS
        return (ALONE_PER_S if is_alone else BESIDE_LIVE_PER_S) * self._part
