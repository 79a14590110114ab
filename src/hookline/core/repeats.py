"""Repeats are known by delivery id, run and attempt, within one partition of one assignment.

At least once means that the same record may come twice: from a fan-out or a dispatcher that was killed between writing
and committing. The second copy is not sent again, but it may only be dropped once the first copy's outcome is on record.

A postponement ends a record but not its attempt: the same attempt comes back, postponed once more. So a postponed record
is remembered with its count of postponements, and only an attempt that was made is remembered for good. It may even come
back before its postponement is acknowledged: then the two are open at once, and the later one is all that is left of the
attempt once the first is postponed.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from hookline.schemas.records import Delivery


class AttemptKey(NamedTuple):
    """What makes two records ask for the same attempt. A resend is a new run, so it is none."""

    delivery_id: str
    run: int
    attempt: int


class StepKey(NamedTuple):
    """One record's worth of an attempt."""

    attempt: AttemptKey
    postponed: int


class Copy(Enum):
    """Which copy of its attempt a record is."""

    FIRST = auto()
    OF_OPEN = auto()  # closed together with the first
    AFTER_OPEN = auto()  # postponed more often than the first: closed with it if the attempt is made, else next in turn
    OF_DONE = auto()


def attempt_key(delivery: Delivery) -> AttemptKey:
    """The key of the attempt that a record asks for."""
    return AttemptKey(delivery.delivery_id, delivery.run, delivery.attempt)


def step_key(delivery: Delivery) -> StepKey:
    """The key of a record among those that ask for the same attempt."""
    return StepKey(attempt_key(delivery), delivery.postponed)


@dataclass(slots=True)
class _Open:
    """One open attempt: how often its first record was postponed, and the further copies by offset."""

    postponed: int
    copies: dict[int, int] = field(default_factory=dict)  # offset -> how often it was postponed


@dataclass(slots=True)
class Repeats:
    """A bounded memory: the oldest finished keys are forgotten first, open ones never."""

    keys_max: int
    _open: dict[AttemptKey, _Open] = field(default_factory=dict)
    _done: dict[AttemptKey | StepKey, None] = field(default_factory=dict)  # in the order they were done

    def arrive(self, delivery: Delivery, offset: int) -> Copy:
        """A record came."""
        key = attempt_key(delivery)
        if key in self._done or StepKey(key, delivery.postponed) in self._done:
            return Copy.OF_DONE
        first = self._open.get(key)
        if first is None:
            self._open[key] = _Open(delivery.postponed)
            return Copy.FIRST
        first.copies[offset] = delivery.postponed
        return Copy.AFTER_OPEN if delivery.postponed > first.postponed else Copy.OF_OPEN

    def finish(self, delivery: Delivery) -> Collection[int]:
        """The attempt was made, or never will be; returns the offsets of the copies that waited for it."""
        key = attempt_key(delivery)
        self._keep(key)
        first = self._open.pop(key, None)
        return () if first is None else first.copies

    def postpone(self, delivery: Delivery) -> tuple[Collection[int], int | None]:
        """The record was postponed; returns the copies that close with it, and the one that is in turn now, if any."""
        self.remember(delivery)
        key = attempt_key(delivery)
        copies = self._open.pop(key, _Open(0)).copies
        later = {offset: postponed for offset, postponed in copies.items() if postponed > delivery.postponed}
        if not later:
            return copies, None
        following = min(later, key=lambda offset: (later[offset], offset))
        self._open[key] = _Open(later.pop(following), later)
        return [offset for offset in copies if offset != following and offset not in later], following

    def remember(self, delivery: Delivery) -> None:
        """This very record was done before, whether made or postponed."""
        self._keep(step_key(delivery))

    def _keep(self, key: AttemptKey | StepKey) -> None:
        self._done[key] = None
        if len(self._done) > self.keys_max:
            del self._done[next(iter(self._done))]
