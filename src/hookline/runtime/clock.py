"""The time, passed in. Rules get `now_ms` as an argument and never ask."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; may step when the wall clock is set."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some start; never steps back. For durations."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()
