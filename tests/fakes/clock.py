"""Clocks that a test moves."""

from hookline.runtime.clock import SystemClock


class SetClock:
    """`s` is its time in seconds; of both kinds, for nothing sets it back."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def now_ms(self) -> int:
        return int(self.s * 1_000)

    def monotonic_s(self) -> float:
        return self.s


class LeapingClock(SystemClock):
    """The machine's own clock, whose wall time can be put forward."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self._ahead_ms

    def leap(self, ms: int) -> None:
        """So much later, from now on."""
        self._ahead_ms += ms
