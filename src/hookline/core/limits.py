"""What holds for one endpoint: its caps on requests in flight, the lanes' shares of them, its rate limit, its postponements."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hookline.core.breaker import Breaker
from hookline.core.pace import Standing

FRESH, SECOND, REPLAYS = "fresh", "second", "replays"
LIVE = (FRESH, SECOND)
LANES = (*LIVE, REPLAYS)  # whoever comes first here starts first
# Parts of a dispatcher: live lanes share all of it, and replays have an eighth beside, so that they take nothing from anyone.
EIGHTHS = {FRESH: 6, SECOND: 2, REPLAYS: 1}
# Of an endpoint's requests three quarters are for first attempts; half, while parked ones wait for their turn. Replays have
# a quarter where it is known that nothing else waits; where the live lanes are elsewhere, an eighth that nobody knows of there.
_SHARES = {FRESH: 0.75, SECOND: 0.25, REPLAYS: 0.25}
_PARKED_SHARE = 0.5
_UNSEEN_SHARE = 0.125
REPLAY_TURN_EVERY = 16  # of an endpoint's starts one is a replay's, however many live ones wait
UNPROVEN_MAX = 2
# Endpoints in doubt share half of a lane. A quarter more is for those nobody knows yet, or they could never prove themselves
# while the half is full; the last quarter is for proven ones alone.
_BUDGET = {Standing.PROVEN: 1.0, Standing.UNKNOWN: 0.75, Standing.DOUBTFUL: 0.5}
# A token that comes late may be made up for by this much: timers are late by a millisecond or two.
_LATE_MS = 10.0


class Held(StrEnum):
    """Why a delivery is postponed; the word goes into the attempt's `error`."""

    PAUSED = "paused"
    BREAKER = "breaker_open"
    RATE = "rate_limited"
    BACKLOG = "backlog"
    DOUBTFUL = "doubtful"
    UNKNOWN = "unknown_configuration"


@dataclass(frozen=True, slots=True)
class Limits:
    """`rate` is in requests a second; None: not limited. `is_over`: it is paused, disabled or gone, and nothing is requested."""

    rate: int | None = None
    breaker: Breaker = Breaker.CLOSED
    is_over: bool = False


FREE = Limits()


def share_of(lane: str, *, parked: bool, both_here: bool) -> float:
    """A lane's part of what its endpoint may take. `both_here`: this process has both live lanes of its partition."""
    if lane == REPLAYS:
        return _SHARES[REPLAYS] if both_here else _UNSEEN_SHARE
    return _PARKED_SHARE if parked else _SHARES[lane]


def in_flight_max(limits: Limits, standing: Standing, *, most: int) -> int:
    """Requests in flight to one endpoint, all lanes together."""
    if limits.is_over:
        return 2 * most  # what waits is only put on record, beside the requests that may still be open
    if limits.breaker is not Breaker.CLOSED:
        return 1
    return most if standing is Standing.PROVEN else min(UNPROVEN_MAX, most)


def budget_of(standing: Standing, budget: int) -> int:
    """How much of a lane's budget all endpoints of this standing and worse ones may hold."""
    return max(1, int(budget * _BUDGET[standing]))


@dataclass(slots=True)
class Tokens:
    """A rate limit: requests evenly spaced, so that no second ever holds more than the rate."""

    next_ms: float = float("-inf")

    def take(self, rate: float, now_ms: float) -> None:
        """One request starts now."""
        self.next_ms = max(self.next_ms, now_ms - _LATE_MS) + 1_000 / rate


_GROWN_MAX_MS = 600_000  # what waits for an endpoint to be well again asks every 10 minutes at the rarest


def postponement_ms(held: Held, wait_ms: float, *, postponed: int, tiers_ms: Sequence[int]) -> int:
    """The tier on which a delivery waits that may not start for `wait_ms`; `postponed` is how often it was before.

    Who waits for a turn comes back rather early than late, for memory holds it then, and late would leave its endpoint
    idle. When an endpoint will be well again nobody knows: the wait grows each time.
    """
    if held in {Held.RATE, Held.BACKLOG}:
        return max((tier for tier in tiers_ms if tier <= wait_ms), default=min(tiers_ms))
    grown = [tier for tier in tiers_ms if tier <= _GROWN_MAX_MS] or [min(tiers_ms)]
    at_least_ms = max(wait_ms, grown[min(postponed, len(grown) - 1)])
    return next((tier for tier in sorted(grown) if tier >= at_least_ms), max(grown))
