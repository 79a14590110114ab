"""A dispatcher's isolation under every interleaving: endpoints that answer, fail or hang, limits that change, lanes that go.

The model knows of each slot only where it is; what may start is judged by the sentences of the design.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from math import inf
from typing import ClassVar

from fakes.deliveries import DELIVERY
from fakes.machines import Picks
from hookline.core.breaker import Breaker
from hookline.core.isolation import Isolation
from hookline.core.limits import FRESH, OTHER, SECOND, Limits, budget_of, in_flight_max, share_of
from hookline.core.pace import Standing
from hookline.core.share import Postponed, Share
from hookline.core.window import Arrival, Hold, Slot, Window

ENDPOINTS = tuple(f"wh_{number}" for number in range(6))
_PARTITIONS = 2
_HELD_FRESH_MIN = 8
_LATE_MS = 10.0
_SETTLE_TICKS = 2_000


class Where(Enum):
    """What became of a slot that was offered."""

    WAITING = auto()
    IN_FLIGHT = auto()
    ANSWERED = auto()  # its request ended; what follows is being written
    CLOSED = auto()  # finished, postponed, or gone with its window


@dataclass(slots=True)
class Spacing:
    """The starts of a rate limited endpoint, since its limit or its lanes changed."""

    rate: int
    at_ms: list[float] = field(default_factory=list)


class Isolated:
    """See `STEPS` for what can happen."""

    STEPS: ClassVar[Mapping[str, int]] = {
        "offer": 20,
        "offer_many": 2,
        "start": 16,
        "succeed": 12,
        "fail": 3,
        "finish": 12,
        "pass_time": 10,
        "tick": 6,
        "limit": 3,
        "break_or_mend": 3,
        "cramp": 1,
        "make_room": 1,
        "revoke": 1,
        "lose": 1,
        "assign": 4,
    }

    def __init__(self, picks: Picks) -> None:
        self.budgets = {FRESH: picks.one_of((6, 1, 2, 3, 12, 30)), SECOND: picks.one_of((2, 1, 4, 10))}
        self.most = picks.one_of((16, 1, 2, 5))
        self.held_max = picks.one_of((12, 1, 100))
        self.limits = dict.fromkeys(ENDPOINTS, Limits())
        self.rules = Isolation(
            budgets=self.budgets,
            endpoint_in_flight_max=self.most,
            held_max=self.held_max,
            doubt_held_ms=picks.one_of((300.0, 1_000.0, 30_000.0)),
            limits_of=self.limits.__getitem__,
        )
        self.now_ms = 1_000.0
        self.windows: dict[tuple[str, int], Window] = {}
        self.offsets: dict[tuple[str, int], int] = {}
        self.where: dict[int, Where] = {}
        self.slots: dict[int, Slot] = {}
        self.spacings: dict[str, Spacing] = {}
        for lane in (FRESH, SECOND):
            for partition in range(_PARTITIONS):
                self._assign(lane, partition)

    # -- work ---------------------------------------------------------------------------------------------------------

    def offer(self, picks: Picks) -> bool:
        name, lane = picks.one_of(ENDPOINTS), picks.one_of((FRESH, SECOND))
        window = self.windows.get((lane, _partition(name)))
        if window is None or window.hold is not Hold.OURS:
            return False
        offset = self.offsets[lane, window.partition]
        self.offsets[lane, window.partition] += 1
        delivery = replace(
            DELIVERY,
            delivery_id=f"delivery_{lane}_{window.partition}_{offset}",
            subscription_id=name,
            created_at_ms=1 + picks.below(50),
            postponed=picks.below(3) if lane == SECOND else 0,
            is_test=picks.below(10) == 9,
        )
        assert window.arrive(delivery, offset, 1) is Arrival.START
        self._offer(Slot(window, offset, 1, delivery))
        return True

    def offer_many(self, picks: Picks) -> bool:
        for _ in range(12):
            self.offer(Picks(picks.below(1 << 12) * len(ENDPOINTS)))  # all for one endpoint
        return True

    def start(self, picks: Picks) -> bool:
        before = {name: self._waits(name) for name in ENDPOINTS}
        started = 0
        for slot in self.rules.start(self.now_ms):
            self._check_start(slot, before)
            self.where[id(slot)] = Where.IN_FLIGHT
            started += 1
        return started > 0

    def succeed(self, picks: Picks) -> bool:
        return self._answer(picks, succeeded=True)

    def fail(self, picks: Picks) -> bool:
        return self._answer(picks, succeeded=False)

    def finish(self, picks: Picks) -> bool:
        """Also of one whose request was never made, or ended without an answer."""
        slot = self._pick(picks, Where.ANSWERED, Where.IN_FLIGHT)
        if slot is None:
            return False
        self._finish(slot)
        return True

    # -- time and limits ----------------------------------------------------------------------------------------------

    def pass_time(self, picks: Picks) -> bool:
        self.now_ms += picks.one_of((1.0, 10.0, 100.0, 300.0, 1_500.0))
        return True

    def tick(self, picks: Picks) -> bool:
        self._postpone(self.rules.tick(self.now_ms))
        return True

    def limit(self, picks: Picks) -> bool:
        name = picks.one_of(ENDPOINTS)
        rate, is_over = picks.one_of((None, 1, 7, 100)), picks.below(8) == 7
        self.limits[name] = replace(self.limits[name], rate=rate, is_over=is_over)
        return True

    def break_or_mend(self, picks: Picks) -> bool:
        name = picks.one_of(ENDPOINTS)
        self.limits[name] = replace(self.limits[name], breaker=picks.one_of(tuple(Breaker)))
        return True

    def cramp(self, picks: Picks) -> bool:
        lane = self.rules.lanes[picks.one_of((FRESH, SECOND))]
        lane.cramped = not lane.cramped
        return True

    def make_room(self, picks: Picks) -> bool:
        windows = [window for window in self.windows.values() if window.hold is Hold.OURS]
        if not windows:
            return False
        window = picks.one_of(windows)
        moved = list(self.rules.make_room(window, self.now_ms))
        assert all(each.slot.window is window for each in moved)
        self._postpone(moved)
        return bool(moved)

    # -- partitions ---------------------------------------------------------------------------------------------------

    def revoke(self, picks: Picks) -> bool:
        """It drains: from now on nothing of it starts; `lose` comes after it."""
        windows = [window for window in self.windows.values() if window.hold is Hold.OURS]
        if not windows:
            return False
        picks.one_of(windows).hold = Hold.DRAINING
        return True

    def lose(self, picks: Picks) -> bool:
        if not self.windows:
            return False
        self._lose(picks.one_of(sorted(self.windows)))
        return True

    def assign(self, picks: Picks) -> bool:
        lane, partition = picks.one_of((FRESH, SECOND)), picks.below(_PARTITIONS)
        if (lane, partition) in self.windows:
            return False
        self._assign(lane, partition)
        return True

    # -- what must hold after each step -------------------------------------------------------------------------------

    def check(self) -> None:
        for lane in (FRESH, SECOND):
            started = self._in(lane, Where.IN_FLIGHT, Where.ANSWERED)
            self.check_a_lane_keeps_to_its_budget(lane, started)
            self.check_requests_are_counted_by_the_standing_of_their_endpoint(lane, started)
            self.check_what_waits_is_what_was_offered_and_nothing_else_became_of(lane)

    def check_a_lane_keeps_to_its_budget(self, lane: str, started: list[Slot]) -> None:
        assert self.rules.lanes[lane].in_flight == len(started) <= self.budgets[lane]

    def check_requests_are_counted_by_the_standing_of_their_endpoint(self, lane: str, started: list[Slot]) -> None:
        for standing in Standing:
            of = [slot for slot in started if self._share(slot).standing is standing]
            assert self.rules.lanes[lane].held[standing] == len(of)
        for name, share in self.rules._shares.items():
            assert share.sides[lane].in_flight == sum(slot.delivery.subscription_id == name for slot in started)

    def check_what_waits_is_what_was_offered_and_nothing_else_became_of(self, lane: str) -> None:
        waiting = self._in(lane, Where.WAITING)
        held = {id(entry.slot) for share in self.rules._shares.values() for entry in share.sides[lane].waiting}
        ours = {id(slot) for slot in waiting if slot.window.hold is Hold.OURS}
        assert ours <= held <= {id(slot) for slot in waiting}
        assert self.rules.waiting(lane) == len(held)
        for share in self.rules._shares.values():
            entries = share.sides[lane].waiting
            assert share.sides[lane].parked == sum(each.slot.delivery.postponed > 0 for each in entries)

    # -- what must hold when one starts -------------------------------------------------------------------------------

    def _check_start(self, slot: Slot, before: Mapping[str, Mapping[str, set[int]]]) -> None:
        share = self._share(slot)
        assert slot.window.hold is Hold.OURS
        assert self.where[id(slot)] is Where.WAITING
        assert share.limits.breaker is not Breaker.OPEN or share.limits.is_over or slot.delivery.is_test
        self._check_budget_of_standing(slot, share)
        self._check_caps(slot, share, before[share.name])
        self._check_oldest_first(slot)
        self._check_spacing(slot, share)

    def _check_budget_of_standing(self, slot: Slot, share: Share) -> None:
        """One to an endpoint of this standing starts only while these and worse ones hold less than their part.

        They may hold more by turning worse while in flight: that takes nothing from anyone, and no more starts then.
        """
        held, lane = 0, self.rules.lanes[slot.window.lane]
        for standing in (Standing.DOUBTFUL, Standing.UNKNOWN, Standing.PROVEN):
            held += lane.held[standing]
            if standing is share.standing:
                assert held <= budget_of(standing, lane.budget)

    def _check_caps(self, slot: Slot, share: Share, waited: Mapping[str, set[int]]) -> None:
        """16 to one endpoint, 2 until one succeeded and while it is in doubt, 1 while its breaker is not closed."""
        lane = slot.window.lane
        most = in_flight_max(share.limits, share.standing, most=self.most)
        in_flight = {each: share.sides[each].in_flight for each in (FRESH, SECOND)}
        part = max(1, int(most * max(share_of(lane, parked=parked) for parked in (False, True))))
        if not self._both_here(share):
            assert in_flight[lane] <= part
            return
        assert sum(in_flight.values()) <= most
        if waited[OTHER[lane]] and all(self.where[each] is Where.WAITING for each in waited[OTHER[lane]]):
            assert in_flight[lane] <= part  # the other lane wants its part

    def _check_oldest_first(self, slot: Slot) -> None:
        turns = [
            _turn(each)
            for each in self._in(slot.window.lane, Where.WAITING)
            if each.window.hold is Hold.OURS and each.delivery.subscription_id == slot.delivery.subscription_id
        ]
        assert _turn(slot) <= min(turns)

    def _check_spacing(self, slot: Slot, share: Share) -> None:
        """Of a rate limited endpoint's requests any k + 1 take k times the spacing, less what a late timer may make up."""
        rate = share.limits.rate
        if rate is None:
            self.spacings.pop(share.name, None)
            return
        known = self.spacings.get(share.name)
        if known is None or known.rate != rate:
            known = self.spacings[share.name] = Spacing(rate)
        known.at_ms.append(self.now_ms)
        for number, at_ms in enumerate(reversed(known.at_ms[-200:])):
            assert self.now_ms - at_ms >= number * 1_000 / rate - _LATE_MS - 1e-6

    # -- the end ------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """All partitions are ours, no breaker is open, everything succeeds, and time passes."""
        for key in sorted(self.windows):
            if self.windows[key].hold is not Hold.OURS:
                self._lose(key)
        self.limits.update({name: Limits(each.rate) for name, each in self.limits.items()})
        for _ in range(_SETTLE_TICKS):
            if all(where is Where.CLOSED for where in self.where.values()):
                break
            self._go_on()
        self.check_all_that_waits_is_started_in_the_end()

    def check_all_that_waits_is_started_in_the_end(self) -> None:
        assert all(where is Where.CLOSED for where in self.where.values())
        for lane in self.rules.lanes.values():
            assert lane.in_flight == 0
        assert self.rules.waiting(FRESH) == self.rules.waiting(SECOND) == 0

    def _go_on(self) -> None:
        first = Picks(0)
        while self.succeed(first) or self.finish(first):
            pass
        self.now_ms += 100.0
        self.tick(first)
        self.start(first)
        self.check()

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _assign(self, lane: str, partition: int) -> None:
        start = self.offsets.setdefault((lane, partition), 0)
        window = Window(
            lane=lane, topic=lane, partition=partition, position=start, committed=start, records_max=10_000, keys_max=10
        )
        self.windows[lane, partition] = window
        self.rules.assigned(window)
        self._forget_spacings(partition)

    def _lose(self, key: tuple[str, int]) -> None:
        window = self.windows.pop(key)
        window.hold = Hold.GONE
        self.rules.forget(window)
        for slot in self.slots.values():
            if slot.window is window and self.where[id(slot)] is Where.WAITING:
                self.where[id(slot)] = Where.CLOSED
        self._forget_spacings(window.partition)

    def _forget_spacings(self, partition: int) -> None:
        """With one lane here, that has its own part of the rate."""
        for name in ENDPOINTS:
            if _partition(name) == partition:
                self.spacings.pop(name, None)

    def _offer(self, slot: Slot) -> None:
        self.slots[id(slot)] = slot
        self.where[id(slot)] = Where.WAITING
        postponed = self.rules.offer(slot, self.now_ms)
        if postponed is not None:
            self._postpone([postponed])

    def _answer(self, picks: Picks, *, succeeded: bool) -> bool:
        slot = self._pick(picks, Where.IN_FLIGHT)
        if slot is None:
            return False
        self.rules.answered(slot, succeeded=succeeded, now_ms=self.now_ms)
        self.where[id(slot)] = Where.ANSWERED
        return True

    def _finish(self, slot: Slot) -> None:
        self.where[id(slot)] = Where.CLOSED
        self.rules.finish(slot, self.now_ms)
        if slot.window.hold is not Hold.GONE:
            slot.window.finish(slot)

    def _postpone(self, postponed: Iterable[Postponed]) -> None:
        for each in postponed:
            assert self.where[id(each.slot)] is Where.WAITING
            assert 0.0 <= each.wait_ms < inf
            self.where[id(each.slot)] = Where.CLOSED
            if each.slot.window.hold is Hold.OURS:
                each.slot.window.postpone(each.slot)

    def _pick(self, picks: Picks, *wheres: Where) -> Slot | None:
        found = [slot for slot in self.slots.values() if self.where[id(slot)] in wheres]
        return picks.one_of(found) if found else None

    def _in(self, lane: str, *wheres: Where) -> list[Slot]:
        return [slot for slot in self.slots.values() if slot.window.lane == lane and self.where[id(slot)] in wheres]

    def _waits(self, name: str) -> Mapping[str, set[int]]:
        return {
            lane: {
                id(slot)
                for slot in self._in(lane, Where.WAITING)
                if slot.delivery.subscription_id == name and slot.window.hold is Hold.OURS
            }
            for lane in (FRESH, SECOND)
        }

    def _share(self, slot: Slot) -> Share:
        return self.rules._shares[slot.delivery.subscription_id]

    def _both_here(self, share: Share) -> bool:
        return all((lane, share.partition) in self.windows for lane in (FRESH, SECOND))


def _turn(slot: Slot) -> int:
    return 0 if slot.delivery.is_test else slot.delivery.created_at_ms


def _partition(name: str) -> int:
    return ENDPOINTS.index(name) % _PARTITIONS
