"""Publishes believable histories at a steady rate, for `hookline demo-source` and `hookline up`."""

import math
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

from hookline.producers.histories import Fact, facts
from hookline.producers.publisher import Published, new_event
from hookline.runtime.clock import Clock
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.records import Event

RATE_MAX = 10_000.0  # events a second; more than one process can publish
_OPEN_MAX = 1_000  # events waiting for the broker's answer
_BEHIND_MAX_S = 1.0  # what was missed for longer, while the broker was away, is not made up for in one burst
_AGAIN_S = 0.25
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Say = Callable[[str], None]


class Publishes(Protocol):
    """What is needed of a `Publisher`. Its timeout should be short: the demo waits by publishing again."""

    def publish(self, event: Event) -> Published: ...

    def submit(self, event: Event) -> Future[Published]: ...

    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What to publish: for whom, how many events a second, and the seed of the histories."""

    account_id: str
    rate: float
    seed: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and 0 < self.rate <= RATE_MAX):
            raise ConfigError(f"rate is {self.rate:g}; it must be more than 0 and at most {RATE_MAX:g} events a second")


def run_demo(demo: Demo, publisher: Publishes, *, clock: Clock, stop: threading.Event, say: Say) -> int:
    """Publish until `stop` is set; says how many events the broker acknowledged.

    The same seed tells the same histories in the same order; times come from the clock, and event ids are drawn, so that
    a second run is no repeat of the first. While the broker is away it waits, says so once, and then goes on.
    """
    source = _Source(publisher, stop, say)
    pace = Pace(demo.rate, clock.monotonic_s())
    at_ms = 0
    for fact in facts(Random(demo.seed)):  # noqa: S311 - a story, not a secret
        if stop.wait(pace.wait_s(clock.monotonic_s())):
            break
        at_ms = max(at_ms, clock.now_ms())  # a clock that is set back must not turn histories around
        source.take(_event(demo.account_id, fact, at_ms))
    return source.finish()


class Pace:
    """A schedule: the n-th event is due n/rate after the start, so waits that are a little long do not add up."""

    def __init__(self, rate: float, start_s: float) -> None:
        self._rate = rate
        self._start_s = start_s
        self._count = 0

    def wait_s(self, now_s: float) -> float:
        """How long to wait for the next event, which counts as done after it."""
        due_s = self._start_s + self._count / self._rate
        if now_s - due_s > _BEHIND_MAX_S:
            self._start_s, self._count, due_s = now_s, 0, now_s
        self._count += 1
        return max(0.0, due_s - now_s)


def _event(account_id: str, fact: Fact, at_ms: int) -> Event:
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return new_event(fact.type, account_id=account_id, occurred_at=at, data=fact.data_at(at))


class _Source:
    """Publishes events in order, as often as it takes."""

    def __init__(self, publisher: Publishes, stop: threading.Event, say: Say) -> None:
        self._publisher = publisher
        self._stop = stop
        self._say = say
        self._open: deque[tuple[int, Event, Future[Published]]] = deque()
        self._number = 0  # of the last event
        self._recovered_at = 0  # the last event that was there when the broker came back
        self._published = 0

    def take(self, event: Event) -> None:
        self._settle(open_max=_OPEN_MAX - 1)
        self._number += 1
        try:
            self._open.append((self._number, event, self._publisher.submit(event)))
        except NotYet as error:
            self._settle(open_max=0)
            self._insist(self._number, event, error)

    def finish(self) -> int:
        self._settle(open_max=0)
        with suppress(NotYet):  # every failure was published again, or the demo was stopped meanwhile
            self._publisher.flush()
        return self._published

    def _settle(self, *, open_max: int) -> None:
        """Take the answers that are there, and wait for those that keep more than `open_max` events open."""
        while self._open and (len(self._open) > open_max or self._open[0][2].done()):
            number, event, future = self._open.popleft()
            error = future.exception()  # a publisher answers within its own timeout
            if isinstance(error, NotYet):
                self._insist(number, event, error)
            elif error is not None:
                raise error
            else:
                self._published += 1

    def _insist(self, number: int, event: Event, error: NotYet) -> None:
        """Publish this event until the broker says yes, or the demo is stopped."""
        if self._stop.is_set():
            return
        if number <= self._recovered_at and self._is_accepted(event):
            return  # it failed while the broker was away: that was said already
        self._say(f"waiting for the broker: {error}")
        while not self._stop.wait(_AGAIN_S):
            if self._is_accepted(event):
                self._recovered_at = self._number
                self._say("the broker is back")
                return

    def _is_accepted(self, event: Event) -> bool:
        try:
            self._publisher.publish(event)
        except NotYet:
            return False
        self._published += 1
        return True
