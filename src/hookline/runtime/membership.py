"""Whether a process may still believe that its partitions are its own."""

from dataclasses import dataclass


@dataclass(slots=True)
class Membership:
    """Believes as long as polls come often enough; after a gap (a paused process) only some time after they came back.

    Times are monotonic seconds. `session_timeout_s` is the group's: after it, others own our partitions.
    """

    session_timeout_s: float
    _polled_s: float = float("-inf")
    _believes_from_s: float = float("-inf")

    def polled(self, now_s: float) -> None:
        """The owner thread polled."""
        if self._polled_s != float("-inf") and now_s - self._polled_s > self.session_timeout_s / 2:
            # The client notices a lost session at its next heartbeat, every third of the session timeout.
            self._believes_from_s = now_s + self.session_timeout_s / 3
        self._polled_s = now_s

    def waits(self, now_s: float) -> None:
        """The owner thread is alive inside a rebalance: good only while there was no gap."""
        if now_s - self._polled_s <= self.session_timeout_s / 2:
            self._polled_s = now_s

    def believes(self, now_s: float) -> bool:
        """Whether a request may start."""
        return now_s - self._polled_s <= self.session_timeout_s / 2 and now_s >= self._believes_from_s
