"""Repeats are known by delivery id, run and attempt, within one partition of one assignment.

At least once means that the same record may come twice: from a fan-out or a dispatcher that was killed between writing
and committing. The second copy is not sent again, but it may only be dropped once the first copy's outcome is on record.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from hookline.schemas.records import Delivery


class AttemptKey(NamedTuple):
    """What makes two records ask for the same attempt. A resend is a new run, so it is none."""

    delivery_id: str
    run: int
    attempt: int


def attempt_key(delivery: Delivery) -> AttemptKey:
    """The key of the attempt that a record asks for."""
    return AttemptKey(delivery.delivery_id, delivery.run, delivery.attempt)


@dataclass(slots=True)
class Repeats:
    """A bounded memory: the oldest finished keys are forgotten first, open ones never."""

    keys_max: int
    _open: dict[AttemptKey, list[int]] = field(default_factory=dict)  # key -> offsets of further copies
    _done: dict[AttemptKey, None] = field(default_factory=dict)  # in the order they were done

    def arrive(self, key: AttemptKey, offset: int) -> bool | None:
        """A record came: True, it is the first; False, it was done already; None, it waits for its first copy."""
        if key in self._done:
            return False
        if key in self._open:
            self._open[key].append(offset)
            return None
        self._open[key] = []
        return True

    def finish(self, key: AttemptKey) -> list[int]:
        """The first copy's outcome is on record; returns the offsets of the copies that waited for it."""
        self.remember(key)
        return self._open.pop(key, [])

    def remember(self, key: AttemptKey) -> None:
        """Count this key as done: also for what was committed before this assignment."""
        self._done[key] = None
        if len(self._done) > self.keys_max:
            del self._done[next(iter(self._done))]
