"""How much the lanes hold in memory."""

from collections.abc import Mapping


class HeldBytes:
    """At its bound a lane reads no more; from half of it on it holds little."""

    def __init__(self, most: Mapping[str, int]) -> None:
        self.open = dict.fromkeys(most, 0)
        self._most = most

    def take(self, lane: str, size_bytes: int) -> None:
        """The lane holds so many more."""
        self.open[lane] += size_bytes

    def give_back(self, lane: str, size_bytes: int) -> None:
        """It holds so many less."""
        self.open[lane] -= size_bytes

    def are_full(self, lane: str) -> bool:
        return self.open[lane] >= self._most[lane]

    def are_cramped(self, lane: str) -> bool:
        return self.open[lane] > self._most[lane] // 2
