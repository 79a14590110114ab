"""One endpoint's part of the work: what waits for it in each lane, what is in flight, and what may start now."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import inf
from typing import NamedTuple

from hookline.core.breaker import Breaker
from hookline.core.limits import (
    FREE,
    FRESH,
    LANES,
    LIVE,
    REPLAY_TURN_EVERY,
    REPLAYS,
    SECOND,
    Held,
    Limits,
    Tokens,
    in_flight_max,
    share_of,
)
from hookline.core.pace import Pace, Standing
from hookline.core.window import Hold, Slot, Window
from hookline.schemas.records import Delivery

# What waits in memory for a turn that is further away than this is postponed: the window's span is for what is in flight.
# A window of 16,000 spans a partition's 125 records a second for two minutes: enough for this and for attempts of 30 s.
_FRESH_HELD_S = 20.0
HELD_MIN = 8  # held for one endpoint, however slow it is and however short memory
# Held for one in doubt, for as long as `doubt_held_ms`: eight such endpoints leave half of a partition's window.
DOUBT_HELD_MAX = 1_000
CROWDED_MS = (
    5_000.0  # live ones that wait for so long without a break leave replays little but their one turn in so many
)
# What an endpoint will start within this time makes no room in a window: that would be three writes for each, which cost the
# process more than its requests do, and would free nothing earlier.
_SOON_S = 2.0
# Who was in doubt so lately, for as long as a request may take, is not believed to: of one that hangs now and then only what
# succeeds says how long it takes, and it would fill the window again whenever it succeeds.
_DOUBTED_MS = 30_000.0
_LOOK_MS = 1_000.0  # how often what waits is looked through for what waits in vain


class Waiting(NamedTuple):
    """One that waits, in the order of its turn."""

    turn: int  # when its delivery was made, in the live lanes; a test is looked at before all others
    order: int
    slot: Slot
    since_ms: float


class Postponed(NamedTuple):
    """One that is not held in memory any longer: why, and how long until its turn."""

    slot: Slot
    held: Held
    wait_ms: float


@dataclass(slots=True)
class Side:
    """One lane of one endpoint. `waiting` is a heap, the oldest delivery first."""

    waiting: list[Waiting] = field(default_factory=list)
    in_flight: int = 0
    queued: Standing | None = None  # where it stands in its lane's turns
    parked: int = 0  # of the waiting, those that were postponed before
    turn_ms: float = 0.0  # when the last of what was parked will have its turn; the live lanes have one in common
    took: float = 0.0  # of the rate limit, in proportion to its share
    looked_ms: float = 0.0  # when it was last looked for what waits in vain

    def pop(self) -> Slot:
        """The oldest, which waits no more."""
        slot = heappop(self.waiting).slot
        self.parked -= slot.delivery.postponed > 0
        return slot


@dataclass(slots=True)
class Share:
    """Everything about one endpoint. `both_here` says whether this process has both live lanes of its partition."""

    name: str
    partition: int
    most: int
    limits: Limits = FREE
    pace: Pace = field(default_factory=Pace)
    sides: dict[str, Side] = field(default_factory=lambda: {lane: Side() for lane in LANES})
    tokens: dict[str, Tokens] = field(default_factory=lambda: {lane: Tokens() for lane in LANES})
    standing: Standing = Standing.UNKNOWN
    timed_ms: float = inf  # where it stands in the queue of the rate limited; infinity: not at all
    doubt_since_ms: float | None = None
    doubted_ms: float = -inf  # when it was last seen in doubt
    live_since_ms: float | None = None  # since when live ones have waited, whenever it was looked at
    live_in_a_row: int = 0  # live ones started since the last replay

    def in_flight(self) -> int:
        return self.sides[FRESH].in_flight + self.sides[SECOND].in_flight + self.sides[REPLAYS].in_flight

    def is_idle(self) -> bool:
        if self.timed_ms != inf:
            return False
        return not any(side.waiting or side.in_flight or side.queued is not None for side in self.sides.values())

    def leave(self, lane: str, queue: Standing) -> bool:
        """It is at the head of this queue; False if it went to another one since."""
        side = self.sides[lane]
        if side.queued is not queue:
            return False
        side.queued = None
        return True

    def look(self, limits: Limits, now_ms: float) -> None:
        """What holds for it now; since when it is in doubt, and since when live ones wait."""
        self.limits = limits
        if not self._live_waits(REPLAYS):
            self.live_since_ms = None
        elif self.live_since_ms is None:
            self.live_since_ms = now_ms
        if limits.breaker is Breaker.CLOSED and self.standing is not Standing.DOUBTFUL:
            self.doubt_since_ms = None
            return
        self.doubted_ms = now_ms
        if self.doubt_since_ms is None:
            self.doubt_since_ms = now_ms

    def is_crowded(self, now_ms: float) -> bool:
        """Whether live ones have waited without a break: replays hardly have a turn then."""
        return self.live_since_ms is not None and now_ms - self.live_since_ms >= CROWDED_MS

    def put(self, slot: Slot, lane: str, order: int, now_ms: float) -> None:
        """It waits for its turn."""
        side = self.sides[lane]
        for other in () if side.waiting else self.sides.values():
            if other.waiting and other.took > side.took:
                side.took = other.took  # no credit for idle time
        side.parked += slot.delivery.postponed > 0
        # Replays go as they lie in the log: when each was made, clocks of several processes may have said.
        turn = 0 if slot.delivery.is_test else 1 if lane == REPLAYS else slot.delivery.created_at_ms
        heappush(side.waiting, Waiting(turn, order, slot, now_ms))

    def pop(self, lane: str) -> Slot | None:
        """The oldest that is still ours; None if there is none."""
        side = self.sides[lane]
        while side.waiting:
            slot = side.pop()
            if slot.window.hold is Hold.OURS:
                return slot
        return None

    def called_off(self, lane: str, is_over: Callable[[Delivery], bool], most: int) -> Iterator[Slot]:
        """Remove those whose turn it is and which are not to be sent any more, at most so many."""
        side = self.sides[lane]
        while most and side.waiting:
            head = side.waiting[0].slot
            if head.window.hold is not Hold.OURS or not is_over(head.delivery):
                return
            most -= 1
            yield side.pop()

    def held_in_vain(self, lane: str, now_ms: float, held_ms: float) -> Iterator[Slot]:
        """Remove those that waited for so long while it was in doubt, the oldest first. Tests wait on."""
        side = self.sides[lane]
        if self.doubt_since_ms is None or now_ms - max(self.doubt_since_ms, side.looked_ms) < min(held_ms, _LOOK_MS):
            return
        side.looked_ms = now_ms
        if now_ms - self.doubt_since_ms < held_ms:
            return
        kept, vain = list[Waiting](), list[Waiting]()
        for each in side.waiting:
            (vain if each.turn and now_ms - each.since_ms >= held_ms else kept).append(each)
        if vain:
            heapify(kept)
            side.waiting = kept
            side.parked -= sum(each.slot.delivery.postponed > 0 for each in vain)
            yield from (each.slot for each in sorted(vain) if each.slot.window.hold is Hold.OURS)

    def take(self, lane: str, wanted: Callable[[Slot], bool], most: int) -> Iterator[Slot]:
        """Remove waiting ones that are wanted, the youngest first, at most so many."""
        side, kept, taken = self.sides[lane], [], 0
        for entry in sorted(side.waiting, reverse=True):
            if taken < most and wanted(entry.slot):
                taken += 1
                side.parked -= entry.slot.delivery.postponed > 0
                yield entry.slot
            else:
                kept.append(entry)
        heapify(kept)
        side.waiting = kept

    def beyond_soon(self, window: Window, before: int, now_ms: float) -> Iterator[Slot]:
        """Remove what waits of a window and lies before an offset, the youngest first, but for what is started soon."""

        def is_older(slot: Slot) -> bool:
            return slot.window is window and slot.offset < before

        # Its turn is by age: what lies behind them in the window may go before them, retries of yesterday before those of today.
        waiting = sorted(self.sides[window.lane].waiting)
        soon = int(min(len(waiting), self._soon(window.lane, now_ms)))
        if later := sum(is_older(each.slot) for each in waiting[soon:]):
            yield from self.take(window.lane, is_older, later)

    def has_slot(self, lane: str, *, both_here: bool) -> bool:
        """Whether the caps let one more request of this lane start."""
        total = in_flight_max(self.limits, self.standing, most=self.most)
        side, others_wait = self.sides[lane], self._live_waits(lane)
        if self.limits.breaker is Breaker.OPEN and not self.limits.is_over and side.waiting and side.waiting[0].turn:
            return False  # only tests go
        if lane == REPLAYS and others_wait and not self._is_replays_turn():
            return False
        if both_here and self.in_flight() >= total - self._kept_free(lane, total):
            return False
        if both_here and lane != REPLAYS and not others_wait:
            return True
        return side.in_flight < max(1, int(total * self._share(lane, both_here=both_here)))

    def is_due(self, lane: str, now_ms: float, *, both_here: bool) -> bool:
        """Whether something of this lane waits, and the rate limit lets it start."""
        if not self.sides[lane].waiting:
            return False
        return self.limits.rate is None or self.token_ms(lane, both_here=both_here) <= now_ms

    def token_ms(self, lane: str, *, both_here: bool) -> float:
        """When the rate limit lets the next request of this lane start."""
        return self.tokens[FRESH if both_here else lane].next_ms

    def spend(self, lane: str, now_ms: float, *, both_here: bool) -> None:
        """One request of this lane starts."""
        self.live_in_a_row = 0 if lane == REPLAYS else self.live_in_a_row + 1
        if self.limits.rate is None:
            return
        if both_here:
            self.tokens[FRESH].take(self.limits.rate, now_ms)
        else:
            self.tokens[lane].take(self.limits.rate * self._share(lane, both_here=False), now_ms)
        self.sides[lane].took += 1 / self._share(lane, both_here=both_here)

    def per_s(self, now_ms: float) -> float:
        """How many requests a second it can take, as far as is known now."""
        total = in_flight_max(self.limits, self.standing, most=self.most)
        each_ms = self.pace.each_ms(now_ms)
        capacity = total * 1_000 / each_ms if each_ms else inf
        return capacity if self.limits.rate is None else min(capacity, float(self.limits.rate))

    def held_max(self, lane: str, now_ms: float) -> float:
        """How many fresh ones may wait in memory for this endpoint."""
        if self.doubt_since_ms is not None:
            return DOUBT_HELD_MAX
        return max(HELD_MIN, _FRESH_HELD_S * self.per_s(now_ms) * self._share(lane, both_here=True))

    def park(self, slot: Slot, now_ms: float) -> Postponed:
        """One that is not held any longer: why, and how long until its turn.

        First time: after all that were parked before it. Again: after those that are held now, for it was counted before.
        Of an endpoint in doubt, or one that nobody knows, no turn can be foretold: as long as it lasted, it may last on.
        """
        in_doubt_ms = 0.0 if self.doubt_since_ms is None else now_ms - self.doubt_since_ms
        if self.limits.breaker is not Breaker.CLOSED:
            return Postponed(slot, Held.BREAKER, in_doubt_ms)
        is_replay = slot.window.lane == REPLAYS
        in_doubt = self.doubt_since_ms is not None
        if (is_replay and in_doubt) or (self.limits.rate is None and self.standing is not Standing.PROVEN):
            return Postponed(slot, Held.DOUBTFUL, in_doubt_ms)
        held = Held.BACKLOG if self.limits.rate is None else Held.RATE
        each_ms = self._turn_each_ms() * (REPLAY_TURN_EVERY if is_replay else 1)
        held_ms = each_ms * sum(len(self.sides[lane].waiting) for lane in ((REPLAYS,) if is_replay else LIVE))
        if slot.delivery.postponed:
            return Postponed(slot, held, held_ms)
        side = self.sides[REPLAYS if is_replay else FRESH]
        side.turn_ms = max(side.turn_ms, now_ms) + each_ms
        return Postponed(slot, held, side.turn_ms - now_ms + held_ms)

    def _soon(self, lane: str, now_ms: float) -> float:
        """How many of a lane it will start in a moment, as far as that can be foretold: replays wait for all others."""
        if lane == REPLAYS or now_ms - self.doubted_ms < _DOUBTED_MS or self.standing is not Standing.PROVEN:
            return 0
        return _SOON_S * self.per_s(now_ms) * self._share(lane, both_here=True)

    def _turn_each_ms(self) -> float:
        """How long one takes at the endpoint's best, so that what is parked comes back too early rather than too late."""
        spaced_ms = 0.0 if self.limits.rate is None else 1_000 / self.limits.rate
        return max(spaced_ms, (self.pace.usual_ms or 0.0) / self.most)

    def _is_replays_turn(self) -> bool:
        return self.live_in_a_row >= REPLAY_TURN_EVERY - 1

    def _kept_free(self, lane: str, total: int) -> int:
        """Live ones leave a slot to a replay whose turn it is, or there would be none whenever they want all."""
        replays = self.sides[REPLAYS]
        is_wanted = bool(replays.waiting) and not replays.in_flight and self._is_replays_turn()
        return int(lane != REPLAYS and is_wanted and total > 1 and self.standing is Standing.PROVEN)

    def _live_waits(self, lane: str) -> bool:
        """Whether live traffic waits in another lane."""
        sides = self.sides
        return bool((lane != FRESH and sides[FRESH].waiting) or (lane != SECOND and sides[SECOND].waiting))

    def _share(self, lane: str, *, both_here: bool) -> float:
        return share_of(lane, parked=self.sides[SECOND].parked > 0, both_here=both_here)
