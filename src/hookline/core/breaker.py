"""An endpoint's health: when its circuit breaker opens, when a probe may go, when it is warned and disabled.

A failure without an answer holds a request's slot for up to its whole timeout, one with an answer for a moment: so the
first counts more. Times are the wall clock's, for they are shared between processes.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

# 20 answered failures in a row, or 5 without an answer: a delivery's own seven attempts never open it alone.
_OPENS_AT = 20
_ANSWERED, _UNANSWERED = 1, 4
_COOL_DOWN_FIRST_MS = 5_000
_COOL_DOWN_MAX_MS = 60_000  # an endpoint that is well again is noticed within a minute
_ASKED_EVERY_MS, _ASKED_FOR_MS = 60_000, 2_000  # by jobs: at their usual rate two hundred deliveries
_SUSTAINED_MS = 60_000  # failing for less is nobody else's business
_WARNED_AT = (0.5, 0.8)  # shares of the time until it is disabled


class Breaker(Enum):
    """Whether requests may go to an endpoint."""

    CLOSED = auto()
    OPEN = auto()  # none
    PROBE = auto()  # half open: one at a time


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of an endpoint. `opened`: how often in a row its breaker opened; 0: it is closed."""

    opened: int = 0
    probe_at_ms: int | None = None
    failing_since_ms: int | None = None
    warnings: int = 0
    weight: int = 0  # of the failures in a row, since the last success or opening


WELL = Health()


def breaker(health: Health, now_ms: int) -> Breaker:
    """Whether requests may go now."""
    if health.opened == 0 or health.probe_at_ms is None:
        return Breaker.CLOSED
    wait_ms = health.probe_at_ms - now_ms
    # Further away than any breaker is ever open: the clock was set back since, here or where it was judged.
    return Breaker.OPEN if 0 < wait_ms <= _COOL_DOWN_MAX_MS else Breaker.PROBE


def is_away(health: Health, now_ms: int) -> bool:
    """Whether a job should send it nothing now, for all of it would be postponed.

    Two seconds in each minute from its first probe on are left to it: where there is no live traffic, who else would probe?
    """
    if health.opened == 0 or health.probe_at_ms is None:
        return False
    return breaker(health, now_ms) is Breaker.OPEN or (now_ms - health.probe_at_ms) % _ASKED_EVERY_MS >= _ASKED_FOR_MS


def after_failure(health: Health, *, answered: bool, now_ms: int, disable_after_ms: int) -> Health:
    """The health after a failed attempt. `disable_after_ms` 0: it is never disabled, and so not warned."""
    since_ms = now_ms if health.failing_since_ms is None else health.failing_since_ms
    failing = replace(
        health, failing_since_ms=since_ms, weight=health.weight + (_ANSWERED if answered else _UNANSWERED)
    )
    warned = replace(failing, warnings=max(health.warnings, _warnings(now_ms - since_ms, disable_after_ms)))
    was = breaker(health, now_ms)
    if was is Breaker.PROBE or (was is Breaker.CLOSED and warned.weight >= _OPENS_AT):
        return _opened(warned, now_ms)
    return warned  # while it is open, results of earlier requests say nothing new


def is_hopeless(health: Health, *, now_ms: int, disable_after_ms: int) -> bool:
    """Whether every attempt has failed for so long that it is to be disabled."""
    if not disable_after_ms or health.failing_since_ms is None:
        return False
    return now_ms - health.failing_since_ms >= disable_after_ms


def is_news(recorded: Health, found: Health, *, now_ms: int) -> bool:
    """Whether what is on record has to be written anew: the breaker, a warning, or a sustained failure or its end.

    A failure or two, and the success after them, are not worth a record each.
    """
    if (recorded.opened, recorded.probe_at_ms, recorded.warnings) != (found.opened, found.probe_at_ms, found.warnings):
        return True
    if found.failing_since_ms is None:
        return recorded.failing_since_ms is not None
    return recorded.failing_since_ms is None and now_ms - found.failing_since_ms >= _SUSTAINED_MS


def _opened(health: Health, now_ms: int) -> Health:
    cool_down_ms = min(_COOL_DOWN_MAX_MS, _COOL_DOWN_FIRST_MS << min(health.opened, 10))
    return replace(health, opened=health.opened + 1, probe_at_ms=now_ms + cool_down_ms, weight=0)


def _warnings(failing_ms: int, disable_after_ms: int) -> int:
    return sum(failing_ms >= share * disable_after_ms for share in _WARNED_AT) if disable_after_ms else 0
