"""For how long nothing has moved although there is something to do."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Standstill:
    """Looks at signs: by the name of what is to be done, a value that changes whenever some of it gets done.

    Invariant: a name's time grows only between two looks that both saw it, with the same value, and with nothing
    forgotten between them. `gap_max_s`: two looks further apart say nothing, for the process itself was not there.
    """

    gap_max_s: float
    _seen_s: float | None = None
    _signs: Mapping[str, Hashable] = field(default_factory=dict)
    _still_s: dict[str, float] = field(default_factory=dict)

    def look(self, signs: Mapping[str, Hashable], *, now_s: float) -> None:
        """Add a look."""
        passed_s = 0.0 if self._seen_s is None else now_s - self._seen_s
        if passed_s > self.gap_max_s:
            passed_s = 0.0
        same = [name for name, sign in signs.items() if name in self._signs and self._signs[name] == sign]
        self._still_s = {name: self._still_s.get(name, 0.0) + passed_s for name in same}
        self._seen_s, self._signs = now_s, dict(signs)

    def forget(self) -> None:
        """Begin anew: what was not done while the broker was away is nobody's fault."""
        self._seen_s, self._signs, self._still_s = None, {}, {}

    def longest(self) -> tuple[str, float]:
        """What has not moved for longest, and for how many seconds; an empty name when all moves."""
        return max(self._still_s.items(), key=lambda each: each[1], default=("", 0.0))
