"""Sending at a rate, evenly: a few at a time, each few after the time that those before them are worth."""

from dataclasses import dataclass

_A_SECOND = 20  # batches: small enough to look even, large enough to cost little
_BATCH_MAX = 500
_BEHIND_S = 0.25  # what was late may be caught up with; more would be a burst


def batch_size(rate: int) -> int:
    """How many go together at this rate a second."""
    return max(1, min(rate // _A_SECOND, _BATCH_MAX))


@dataclass(slots=True)
class Meter:
    """Says when the next may go. Times are monotonic seconds."""

    _free_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """How long to wait before the next batch; 0 if it may go."""
        return 0.0 if self._free_s is None else max(0.0, self._free_s - now_s)

    def took(self, count: int, *, rate: int, now_s: float) -> None:
        """So many went just now, at this rate a second."""
        free_s = now_s if self._free_s is None else max(self._free_s, now_s - _BEHIND_S)
        self._free_s = free_s + count / rate
