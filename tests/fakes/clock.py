"""A clock that stands still until the test moves it."""


class SetClock:
    """`s` is its time in seconds; of both kinds, for nothing sets it back."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def now_ms(self) -> int:
        return int(self.s * 1_000)

    def monotonic_s(self) -> float:
        return self.s
