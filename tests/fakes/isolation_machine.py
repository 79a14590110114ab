"""A dispatcher's isolation under every interleaving: endpoints that answer, fail or hang, limits that change, lanes that go.

The model knows of each slot only where it is; what may start is judged by the sentences of the design.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import ClassVar

from fakes.deliveries import DELIVERY
from fakes.isolation_model import Model, Where
from fakes.machines import Picks
from hookline.core.breaker import Breaker
from hookline.core.isolation import Isolation
from hookline.core.limits import FRESH, LANES, REPLAYS, SECOND, Limits
from hookline.core.pace import Standing
from hookline.core.share import Postponed
from hookline.core.window import Arrival, Hold, Slot, Window

ENDPOINTS = tuple(f"wh_{number}" for number in range(6))
_PARTITIONS = 2
_JOBS = ("job_1", "job_2", "job_3")
_SETTLE_TICKS, _TICK_MS = 2_000, 100.0
_SLOWEST_TICKS = 80  # one replay a second, of which an eighth where the live lanes are elsewhere: one in 8 s


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
        "cancel_a_job": 1,
        "be_late": 2,
        "cramp": 1,
        "make_room": 1,
        "revoke": 1,
        "lose": 1,
        "assign": 4,
    }

    def __init__(self, picks: Picks) -> None:
        self.budgets = {
            FRESH: picks.one_of((6, 1, 2, 3, 12, 30)),
            SECOND: picks.one_of((2, 1, 4, 10)),
            REPLAYS: picks.one_of((1, 2, 6)),
        }
        most, held_max = picks.one_of((16, 1, 2, 5)), picks.one_of((12, 1, 100))
        self.limits = dict.fromkeys(ENDPOINTS, Limits())
        self.rules = Isolation(
            budgets=self.budgets,
            endpoint_in_flight_max=most,
            held_max=held_max,
            doubt_held_ms=picks.one_of((300.0, 1_000.0, 30_000.0)),
            limits_of=self.limits.__getitem__,
            is_over=lambda delivery: delivery.job_id in self.model.cancelled,
        )
        self.model = Model(self.rules, most)
        self.offsets: dict[tuple[str, int], int] = {}
        for lane in LANES:
            for partition in range(_PARTITIONS):
                self._assign(lane, partition)

    # -- work ---------------------------------------------------------------------------------------------------------

    def offer(self, picks: Picks) -> bool:
        name, lane = picks.one_of(ENDPOINTS), picks.one_of(LANES)
        window = self.model.windows.get((lane, _partition(name)))
        if window is None or window.hold is not Hold.OURS:
            return False
        offset = self.offsets[lane, window.partition]
        self.offsets[lane, window.partition] += 1
        delivery = replace(
            DELIVERY,
            delivery_id=f"delivery_{lane}_{window.partition}_{offset}",
            subscription_id=name,
            created_at_ms=1 + picks.below(50),
            postponed=0 if lane == FRESH else picks.below(3),
            is_test=picks.below(10) == 9,
            job_id=picks.one_of(_JOBS) if lane == REPLAYS else None,
        )
        assert window.arrive(delivery, offset, 1) is Arrival.START
        self._offer(Slot(window, offset, 1, delivery))
        return True

    def offer_many(self, picks: Picks) -> bool:
        for _ in range(12):
            self.offer(Picks(picks.below(1 << 12) * len(ENDPOINTS)))  # all for one endpoint
        return True

    def start(self, picks: Picks) -> bool:
        before = {name: self.model.waits(name) for name in ENDPOINTS}
        started = 0
        for slot in self.rules.start(self.model.now_ms):
            self.model.check(slot, before)
            self.model.where[id(slot)] = Where.IN_FLIGHT
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
        self.model.now_ms += picks.one_of((1.0, 10.0, 100.0, 300.0, 1_500.0))
        return True

    def tick(self, picks: Picks) -> bool:
        self._postpone(self.rules.tick(self.model.now_ms))
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

    def cancel_a_job(self, picks: Picks) -> bool:
        self.model.cancelled.add(picks.one_of(_JOBS))
        return True

    def be_late(self, picks: Picks) -> bool:
        self.rules.pace.felt(picks.one_of((0.0, 3.0, 50.0)))
        return True

    def cramp(self, picks: Picks) -> bool:
        lane = self.rules.lanes[picks.one_of(LANES)]
        lane.cramped = not lane.cramped
        return True

    def make_room(self, picks: Picks) -> bool:
        windows = [window for window in self.model.windows.values() if window.hold is Hold.OURS]
        if not windows:
            return False
        window = picks.one_of(windows)
        moved = list(self.rules.make_room(window, self.model.now_ms))
        assert all(each.slot.window is window for each in moved)
        self._postpone(moved)
        return bool(moved)

    # -- partitions ---------------------------------------------------------------------------------------------------

    def revoke(self, picks: Picks) -> bool:
        """It drains: from now on nothing of it starts; `lose` comes after it."""
        windows = [window for window in self.model.windows.values() if window.hold is Hold.OURS]
        if not windows:
            return False
        picks.one_of(windows).hold = Hold.DRAINING
        return True

    def lose(self, picks: Picks) -> bool:
        if not self.model.windows:
            return False
        self._lose(picks.one_of(sorted(self.model.windows)))
        return True

    def assign(self, picks: Picks) -> bool:
        lane, partition = picks.one_of(LANES), picks.below(_PARTITIONS)
        if (lane, partition) in self.model.windows:
            return False
        self._assign(lane, partition)
        return True

    # -- what must hold after each step -------------------------------------------------------------------------------

    def check(self) -> None:
        for lane in LANES:
            started = self.model.within(lane, Where.IN_FLIGHT, Where.ANSWERED)
            self.check_a_lane_keeps_to_its_budget(lane, started)
            self.check_requests_are_counted_by_the_standing_of_their_endpoint(lane, started)
            self.check_what_waits_is_what_was_offered_and_nothing_else_became_of(lane)

    def check_a_lane_keeps_to_its_budget(self, lane: str, started: list[Slot]) -> None:
        assert self.rules.lanes[lane].in_flight == len(started) <= self.budgets[lane]

    def check_requests_are_counted_by_the_standing_of_their_endpoint(self, lane: str, started: list[Slot]) -> None:
        for standing in Standing:
            of = [slot for slot in started if self.model.share(slot).standing is standing]
            assert self.rules.lanes[lane].held[standing] == len(of)
        for name, share in self.rules._shares.items():
            assert share.sides[lane].in_flight == sum(slot.delivery.subscription_id == name for slot in started)

    def check_what_waits_is_what_was_offered_and_nothing_else_became_of(self, lane: str) -> None:
        waiting = self.model.within(lane, Where.WAITING)
        held = {id(entry.slot) for share in self.rules._shares.values() for entry in share.sides[lane].waiting}
        ours = {id(slot) for slot in waiting if slot.window.hold is Hold.OURS}
        assert ours <= held <= {id(slot) for slot in waiting}
        assert self.rules.waiting(lane) == len(held)
        for share in self.rules._shares.values():
            entries = share.sides[lane].waiting
            assert share.sides[lane].parked == sum(each.slot.delivery.postponed > 0 for each in entries)

    # -- the end ------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """All partitions are ours, no breaker is open, everything succeeds, and time passes."""
        for key in sorted(self.model.windows):
            if self.model.windows[key].hold is not Hold.OURS:
                self._lose(key)
        self.limits.update({name: Limits(each.rate) for name, each in self.limits.items()})
        waiting = sum(where is Where.WAITING for where in self.model.where.values())
        for _ in range(_SETTLE_TICKS + _SLOWEST_TICKS * waiting):
            if all(where is Where.CLOSED for where in self.model.where.values()):
                break
            self._go_on()
        self.check_all_that_waits_is_started_in_the_end()

    def check_all_that_waits_is_started_in_the_end(self) -> None:
        assert all(where is Where.CLOSED for where in self.model.where.values())
        for lane in self.rules.lanes.values():
            assert lane.in_flight == 0
        assert [self.rules.waiting(lane) for lane in LANES] == [0] * len(LANES)

    def _go_on(self) -> None:
        first = Picks(0)
        while self.succeed(first) or self.finish(first):
            pass
        self.model.now_ms += _TICK_MS
        self.tick(first)
        self.start(first)
        self.check()

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _assign(self, lane: str, partition: int) -> None:
        start = self.offsets.setdefault((lane, partition), 0)
        window = Window(
            lane=lane, topic=lane, partition=partition, position=start, committed=start, records_max=10_000, keys_max=10
        )
        self.model.windows[lane, partition] = window
        self.rules.assigned(window)
        self.model.forget_spacings(partition)

    def _lose(self, key: tuple[str, int]) -> None:
        window = self.model.windows.pop(key)
        window.hold = Hold.GONE
        self.rules.forget(window)
        for slot in self.model.slots.values():
            if slot.window is window and self.model.where[id(slot)] is Where.WAITING:
                self.model.where[id(slot)] = Where.CLOSED
        self.model.forget_spacings(window.partition)

    def _offer(self, slot: Slot) -> None:
        self.model.slots[id(slot)] = slot
        self.model.where[id(slot)] = Where.WAITING
        self.model.note(slot)
        postponed = self.rules.offer(slot, self.model.now_ms)
        if postponed is not None:
            self._postpone([postponed])

    def _answer(self, picks: Picks, *, succeeded: bool) -> bool:
        slot = self._pick(picks, Where.IN_FLIGHT)
        if slot is None:
            return False
        self.rules.answered(slot, succeeded=succeeded, now_ms=self.model.now_ms)
        self.model.where[id(slot)] = Where.ANSWERED
        return True

    def _finish(self, slot: Slot) -> None:
        self.model.where[id(slot)] = Where.CLOSED
        self.model.note(slot)
        self.rules.finish(slot, self.model.now_ms)
        if slot.window.hold is not Hold.GONE:
            slot.window.finish(slot)

    def _postpone(self, postponed: Iterable[Postponed]) -> None:
        for each in postponed:
            assert self.model.where[id(each.slot)] is Where.WAITING
            assert 0.0 <= each.wait_ms < inf
            self.model.check_a_replay_keeps_its_turn(each.slot)
            self.model.where[id(each.slot)] = Where.CLOSED
            if each.slot.window.hold is Hold.OURS:
                each.slot.window.postpone(each.slot)

    def _pick(self, picks: Picks, *wheres: Where) -> Slot | None:
        found = [slot for slot in self.model.slots.values() if self.model.where[id(slot)] in wheres]
        return picks.one_of(found) if found else None


def _partition(name: str) -> int:
    return ENDPOINTS.index(name) % _PARTITIONS
