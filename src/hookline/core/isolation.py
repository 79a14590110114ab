"""Which open deliveries may start now: lanes have their budgets, endpoints their caps, and none can take another's.

Invariants: a lane's requests in flight never exceed its budget; one to an endpoint in doubt never starts while those hold half
of it; an endpoint's never exceed its cap; a rate limited endpoint's requests are spaced; what waits is bounded, and what exceeds
is postponed; nothing but tests starts while a breaker is open. A replay starts only while no live one waits for its endpoint, or after
15 of them, in the order of the log and evenly spaced; it keeps its window and so its turn, unless its endpoint is in doubt or crowded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, islice
from math import inf

from hookline.core.limits import FRESH, LANES, REPLAYS, SECOND, Held, Limits, Tokens, budget_of
from hookline.core.pace import Standing
from hookline.core.replay_pace import ReplayPace
from hookline.core.share import HELD_MIN, Postponed, Share
from hookline.core.window import Hold, Slot, Window
from hookline.schemas.records import Delivery

LimitsOf = Callable[[str], Limits]
IsOver = Callable[[Delivery], bool]
_WORST_FIRST = (Standing.DOUBTFUL, Standing.UNKNOWN, Standing.PROVEN)
_KEPT_MAX = 10_000  # idle endpoints whose pace is remembered
_LOOKED_AT_MAX = 1_000  # in one tick; ten thousand would take longer than the time between two
_CALLED_OFF_MAX = 100  # of one endpoint in one tick: putting them on record is work that live traffic would wait for


def _queues() -> dict[Standing, deque[Share]]:
    return {standing: deque() for standing in _WORST_FIRST}


def _counts() -> dict[Standing, int]:
    return dict.fromkeys(_WORST_FIRST, 0)


@dataclass(slots=True)
class Lane:
    """A lane's budget, and who waits for a part of it."""

    budget: int
    held: dict[Standing, int] = field(default_factory=_counts)  # requests in flight
    turns: dict[Standing, deque[Share]] = field(default_factory=_queues)
    cramped: bool = False  # whether what it holds is near its bound in bytes
    tokens: Tokens = field(default_factory=Tokens)  # of a lane that is paced: others take none

    @property
    def in_flight(self) -> int:
        return sum(self.held.values())

    def doubtful(self) -> int:
        """Requests in flight to endpoints in doubt."""
        return self.held[Standing.DOUBTFUL]

    def due_ms(self) -> float:
        """When the next of those in turn may start; infinity if there is none, or no room."""
        for standing, turn in self.turns.items():
            if turn and self.has_room(standing):
                return self.tokens.next_ms
        return inf

    def has_room(self, standing: Standing) -> bool:
        """Whether one more request may start to an endpoint of this standing."""
        held, counts = 0, False
        for each in _WORST_FIRST:
            held += self.held[each]
            counts = counts or each is standing
            if counts and held >= budget_of(each, self.budget):
                return False
        return True


class Isolation:
    """Takes turns among endpoints; never awaits, and has no clock: `now_ms` only runs forward."""

    def __init__(
        self,
        *,
        budgets: Mapping[str, int],
        endpoint_in_flight_max: int,
        held_max: int,
        doubt_held_ms: float,
        limits_of: LimitsOf,
        is_over: IsOver,
    ) -> None:
        """`is_over`: whether a retry, or a delivery of a job, is not to be sent any more."""
        self.lanes = {name: Lane(budget) for name, budget in budgets.items()}
        self._most = endpoint_in_flight_max
        self._held_max = held_max
        self._doubt_held_ms = doubt_held_ms
        self._limits_of = limits_of
        self._is_over = is_over
        self.pace = ReplayPace()
        self._shares: dict[str, Share] = {}
        self._busy: dict[str, Share] = {}  # of these, the ones with something waiting or in flight, or that had lately
        self._here: set[tuple[str, int]] = set()
        self._timed: list[tuple[float, int, Share]] = []
        self._order = count()

    # -- what is ours -------------------------------------------------------------------------------------------------

    def assigned(self, window: Window) -> None:
        """This partition of this lane is read here."""
        self._here.add((window.lane, window.partition))

    def forget(self, window: Window) -> None:
        """It went to another process: what waits of it is dropped, what is in flight is still finished."""
        self._here.discard((window.lane, window.partition))
        for share in self._busy.values():
            for _ in share.take(window.lane, lambda slot: slot.window is window, len(share.sides[window.lane].waiting)):
                pass

    # -- waiting and starting -----------------------------------------------------------------------------------------

    def offer(self, slot: Slot, now_ms: float) -> Postponed | None:
        """It waits for its turn; or, if too many do, or none may start for long, it is to be postponed."""
        share, lane = self._share(slot), slot.window.lane
        self._note(lane, now_ms)
        share.look(self._limits_of(share.name), now_ms)
        waiting = len(share.sides[lane].waiting)
        may_be_many = waiting >= HELD_MIN or self.lanes[lane].cramped
        if may_be_many and self._is_limited(share, lane, now_ms) and waiting >= self._bound(share, lane, now_ms):
            return share.park(slot, now_ms)
        share.put(slot, lane, next(self._order), now_ms)
        self._busy[share.name] = share
        self._queue(share, lane)
        return None

    def start(self, now_ms: float) -> Iterator[Slot]:
        """The slots that may start now, each counted as in flight until `finish`."""
        yield from self._start_timed(now_ms)
        for name, lane in self.lanes.items():
            while (share := self._next(name, lane, now_ms)) is not None:
                if self._is_due(share, name, now_ms) and (slot := share.pop(name)) is not None:
                    self._started(share, slot, now_ms)
                    yield slot
                self._queue(share, name)

    def answered(self, slot: Slot, *, succeeded: bool, now_ms: float) -> None:
        """Its request has ended; what is left until `finish` is ours to do, and no fault of the endpoint."""
        share = self._shares[slot.delivery.subscription_id]
        share.pace.answered(id(slot), now_ms, succeeded=succeeded, own_ms=self.pace.own_ms())
        self._judge(share, now_ms)

    def finish(self, slot: Slot, now_ms: float) -> None:
        """A started slot is not in flight any more."""
        share, name = self._shares[slot.delivery.subscription_id], slot.window.lane
        self._note(name, now_ms)
        self.lanes[name].held[share.standing] -= 1
        share.sides[name].in_flight -= 1
        share.pace.ended(id(slot))
        self._judge(share, now_ms)
        share.look(self._limits_of(share.name), now_ms)
        for lane in LANES:
            self._queue(share, lane)

    def tick(self, now_ms: float) -> Iterable[Postponed]:
        """Look at all anew, several times a second: who is in doubt by now, and who holds more than has its turn soon.

        Of very many a part at a time, in turn.
        """
        excess: list[Postponed] = []
        for share in list(islice(self._busy.values(), _LOOKED_AT_MAX)):
            del self._busy[share.name]
            if share.is_idle():
                continue
            self._busy[share.name] = share
            self._judge(share, now_ms)
            share.look(self._limits_of(share.name), now_ms)
            for lane in LANES:
                excess.extend(self._excess(share, lane, now_ms))
                self._queue(share, lane)
        self._tidy()
        return excess

    def make_room(self, window: Window, now_ms: float) -> Iterable[Postponed]:
        """The window is nearly full: the older half of it makes room, but for what its endpoints will start in a moment."""
        before = window.position + window.open_count() // 2
        moved: list[Postponed] = []
        for share in self._busy.values():
            if share.partition == window.partition and self._is_limited(share, window.lane, now_ms):
                slots = list(share.beyond_soon(window, before, now_ms))
                slots.reverse()  # the older of them has its turn before
                moved.extend(share.park(slot, now_ms) for slot in slots)
        return moved

    def wake_ms(self) -> float:
        """When the next rate limited one or the next replay may start; infinity if none waits."""
        return min(self._timed[0][0] if self._timed else inf, self.lanes[REPLAYS].due_ms())

    def waiting(self, lane: str) -> int:
        """How many wait in a lane."""
        return sum(len(share.sides[lane].waiting) for share in self._busy.values())

    # -- taking turns -------------------------------------------------------------------------------------------------

    def _next(self, name: str, lane: Lane, now_ms: float) -> Share | None:
        """Whose turn it is, the worst first as far as their part of the budget goes; None if there is nobody or no room."""
        for standing, turn in lane.turns.items():
            while turn and lane.tokens.next_ms <= now_ms and lane.has_room(standing):
                share = turn.popleft()
                if not share.leave(name, standing):
                    continue
                self._judge(share, now_ms)
                if share.standing is standing:
                    return share
                self._queue(share, name)
        return None

    def _start_timed(self, now_ms: float) -> Iterator[Slot]:
        while self._timed and self._timed[0][0] <= now_ms:
            due_ms, _, share = heappop(self._timed)
            if due_ms != share.timed_ms:
                continue  # it stood for another lane, which is due before that
            share.timed_ms = inf
            self._judge(share, now_ms)
            due = [name for name in share.sides if self._is_due(share, name, now_ms)]
            able = [name for name in due if self._has_room(name, share, now_ms)]
            name = min(able, key=lambda name: share.sides[name].took, default=None)
            if name is not None and (slot := share.pop(name)) is not None:
                self._started(share, slot, now_ms)
                yield slot
            for each in due if name is None else ():  # they lack a part of the lane's budget: their turn comes for that
                self._stand(share, each)
            for each in LANES:
                self._queue(share, each)

    def _has_room(self, name: str, share: Share, now_ms: float) -> bool:
        lane = self.lanes[name]
        return lane.tokens.next_ms <= now_ms and lane.has_room(share.standing)

    def _is_due(self, share: Share, name: str, now_ms: float) -> bool:
        """Whether its caps and its rate limit let one of this lane start now."""
        both_here = self._both_here(share)
        return share.is_due(name, now_ms, both_here=both_here) and share.has_slot(name, both_here=both_here)

    def _started(self, share: Share, slot: Slot, now_ms: float) -> None:
        lane = self.lanes[slot.window.lane]
        share.spend(slot.window.lane, now_ms, both_here=self._both_here(share))
        if slot.window.lane == REPLAYS:
            lane.tokens.take(self.pace.per_s(now_ms), now_ms)
        lane.held[share.standing] += 1
        share.sides[slot.window.lane].in_flight += 1
        share.pace.started(id(slot), now_ms)

    def _queue(self, share: Share, name: str) -> None:
        """Let it stand in turn, if something of it could start."""
        side = share.sides[name]
        if not side.waiting or side.queued is not None:
            return
        both_here = self._both_here(share)
        if not share.has_slot(name, both_here=both_here):
            return
        if share.limits.rate is not None:
            due_ms = share.token_ms(name, both_here=both_here)
            if due_ms < share.timed_ms:
                share.timed_ms = due_ms
                heappush(self._timed, (due_ms, next(self._order), share))
            return
        self._stand(share, name)

    def _stand(self, share: Share, name: str) -> None:
        side = share.sides[name]
        if side.queued is None:
            side.queued = share.standing
            self.lanes[name].turns[share.standing].append(share)

    def _judge(self, share: Share, now_ms: float) -> None:
        """Look at its standing anew; what it holds of the lanes' budgets is counted by that."""
        before, share.standing = share.standing, share.pace.standing(now_ms)
        if share.limits.is_over:
            share.standing = Standing.PROVEN  # nothing is requested, so nobody's slots are at risk
        if share.standing is before:
            return
        for name, side in share.sides.items():
            self.lanes[name].held[before] -= side.in_flight
            self.lanes[name].held[share.standing] += side.in_flight
            if side.queued is not None:  # what it leaves behind in the other queue is passed over
                side.queued = None
                self._queue(share, name)

    # -- bounds -------------------------------------------------------------------------------------------------------

    def _excess(self, share: Share, lane: str, now_ms: float) -> Iterable[Postponed]:
        if lane != FRESH:  # a first attempt is of no job, and no retry
            over = share.called_off(lane, self._is_over, _CALLED_OFF_MAX)
            yield from (
                Postponed(slot, Held.BACKLOG, 0.0) for slot in over
            )  # whoever postpones ends what is called off
        yield from (share.park(slot, now_ms) for slot in share.held_in_vain(lane, now_ms, self._doubt_held_ms))
        if lane == FRESH and share.doubt_since_ms is not None and not self.lanes[lane].cramped:
            return  # what it held while it was well may wait as long as what comes now
        excess = len(share.sides[lane].waiting) - self._bound(share, lane, now_ms)
        if excess <= 0 or not self._is_limited(share, lane, now_ms):
            return
        slots = list(share.take(lane, _is_ours, int(excess)))
        slots.reverse()  # the older of them has its turn before
        yield from (share.park(slot, now_ms) for slot in slots)

    def _bound(self, share: Share, lane: str, now_ms: float) -> float:
        if self.lanes[lane].cramped:
            # Bodies may be large: of 40 endpoints that hang, eight each would fill the lane's memory.
            return HELD_MIN if share.doubt_since_ms is None else 1
        return share.held_max(lane, now_ms) if lane == FRESH else self._held_max

    def _is_limited(self, share: Share, lane: str, now_ms: float) -> bool:
        """Whether it waits for its own sake; else for its lane's budget, and postponing would only add work.

        Replays wait for all others, and would lose their order: they stay where they are, and what comes after them in the log,
        unless live ones leave them hardly a turn: others would wait behind them for as long.
        """
        if lane == REPLAYS and share.doubt_since_ms is None and not share.is_crowded(now_ms):
            return False
        return share.sides[lane].queued is None or share.standing is Standing.DOUBTFUL

    # -- book-keeping -------------------------------------------------------------------------------------------------

    def _share(self, slot: Slot) -> Share:
        name = slot.delivery.subscription_id
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = Share(name, slot.window.partition, self._most)
        share.partition = slot.window.partition  # another one, once partitions were added
        return share

    def _both_here(self, share: Share) -> bool:
        return (FRESH, share.partition) in self._here and (SECOND, share.partition) in self._here

    def _note(self, lane: str, now_ms: float) -> None:
        """We have to do with this lane, of which the pace of replays wants to know."""
        if lane != REPLAYS:
            self.pace.live_at_ms = now_ms

    def _tidy(self) -> None:
        """Forget the idle ones that came first, once there are many."""
        if len(self._shares) <= _KEPT_MAX:
            return
        idle = [name for name in self._shares if name not in self._busy]
        for name in idle[: len(self._shares) - _KEPT_MAX]:
            del self._shares[name]


def _is_ours(slot: Slot) -> bool:
    return slot.window.hold is Hold.OURS
