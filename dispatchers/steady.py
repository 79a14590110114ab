"""A clock for what is judged of endpoints: it stands still while this process does, for its own stalls are no endpoint's fault."""

from hookline.runtime.clock import Clock

_LATE_MS = 300.0  # later than a busy loop is


class SteadyClock:
    """Only runs forward. Somebody has to look at it every `looked_at_every_s`: a longer gap is a stall, and is left out."""

    def __init__(self, clock: Clock, *, looked_at_every_s: float) -> None:
        self._clock = clock
        self._gap_max_ms = looked_at_every_s * 1_000 + _LATE_MS
        self._seen_ms = clock.monotonic_s() * 1_000
        self._stalled_ms = 0.0

    def now_ms(self) -> float:
        """The time in ms, without stalls; whoever looks first after one leaves it out for all."""
        now_ms = self._clock.monotonic_s() * 1_000
        self._stalled_ms += max(0.0, now_ms - self._seen_ms - self._gap_max_ms)
        self._seen_ms = now_ms
        return now_ms - self._stalled_ms
