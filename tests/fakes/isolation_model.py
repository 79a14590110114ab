"""What `isolation_machine` knows of each slot, and what must hold whenever one starts: the sentences of the design."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from hookline.core.breaker import Breaker
from hookline.core.isolation import Isolation
from hookline.core.limits import LANES, LIVE, REPLAYS, budget_of, in_flight_max, share_of
from hookline.core.pace import Standing
from hookline.core.share import Share
from hookline.core.window import Hold, Slot, Window

_LATE_MS = 10.0
_LIVE_IN_A_ROW_MAX = 15
_CROWDED_MS = 5_000.0
_STARTS_MAX = 200  # of which the times are compared


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


@dataclass(slots=True)
class Model:
    """Where each slot is, and when requests started. `most`: the cap of one endpoint."""

    rules: Isolation
    most: int
    now_ms: float = 1_000.0
    live_ms: float = -inf
    windows: dict[tuple[str, int], Window] = field(default_factory=dict)
    where: dict[int, Where] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)  # jobs
    replays: list[tuple[float, float]] = field(
        default_factory=list
    )  # when each started, and how far away the next one is
    spacings: dict[tuple[str, str], Spacing] = field(default_factory=dict)
    live_in_a_row: Counter[str] = field(default_factory=Counter)  # by endpoint

    def check(self, slot: Slot, before: Mapping[str, Mapping[str, set[int]]]) -> None:
        share = self.share(slot)
        assert slot.window.hold is Hold.OURS
        assert self.where[id(slot)] is Where.WAITING
        assert share.limits.breaker is not Breaker.OPEN or share.limits.is_over or slot.delivery.is_test
        self._check_budget_of_standing(slot, share)
        self._check_caps(slot, share, before[share.name])
        self._check_oldest_first(slot)
        self._check_spacing(slot, share)
        if slot.window.lane == REPLAYS:
            self._check_a_replay_steps_back(slot)
            self._check_replays_are_paced()
        self.live_in_a_row[share.name] = 0 if slot.window.lane == REPLAYS else self.live_in_a_row[share.name] + 1

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
        lane, both_here = slot.window.lane, self._both_here(share)
        most = in_flight_max(share.limits, share.standing, most=self.most)
        in_flight = {each: share.sides[each].in_flight for each in LANES}
        shares = [share_of(lane, parked=parked, both_here=both_here) for parked in (False, True)]
        part = max(1, int(most * max(shares)))
        if lane == REPLAYS or not both_here:
            assert in_flight[lane] <= part
        if not both_here:
            return
        assert sum(in_flight.values()) <= most
        others = [waited[each] for each in LIVE if each != lane]
        if any(other and all(self.where[each] is Where.WAITING for each in other) for other in others):
            assert in_flight[lane] <= part  # the other lane wants its part

    def _check_a_replay_steps_back(self, slot: Slot) -> None:
        """It starts only while no live one waits for its endpoint, or after fifteen of them."""
        name = slot.delivery.subscription_id
        waits = self.waits(name)
        assert self.live_in_a_row[name] >= _LIVE_IN_A_ROW_MAX or not any(waits[lane] for lane in LIVE)

    def _check_replays_are_paced(self) -> None:
        """Any k + 1 take k times the spacing that held when each of them started, less what a late timer may make up."""
        least_ms = 0.0
        for at_ms, spacing_ms in reversed(self.replays[-_STARTS_MAX:]):
            least_ms += spacing_ms
            assert self.now_ms - at_ms >= least_ms - _LATE_MS - 1e-6
        assert self.rules.pace.live_at_ms == self.live_ms
        self.replays.append((self.now_ms, 1_000 / self.rules.pace.per_s(self.now_ms)))

    def _check_oldest_first(self, slot: Slot) -> None:
        turns = [
            _turn(each)
            for each in self.within(slot.window.lane, Where.WAITING)
            if each.window.hold is Hold.OURS and each.delivery.subscription_id == slot.delivery.subscription_id
        ]
        assert _turn(slot) <= min(turns)

    def _check_spacing(self, slot: Slot, share: Share) -> None:
        """Of a rate limited endpoint's requests any k + 1 take k times the spacing, less what a late timer may make up."""
        rate = share.limits.rate
        if rate is None:
            self._forget_spacing(share.name)
            return
        key = (share.name, "" if self._both_here(share) else slot.window.lane)
        known = self.spacings.get(key)
        if known is None or known.rate != rate:
            known = self.spacings[key] = Spacing(rate)
        known.at_ms.append(self.now_ms)
        for number, at_ms in enumerate(reversed(known.at_ms[-_STARTS_MAX:])):
            assert self.now_ms - at_ms >= number * 1_000 / rate - _LATE_MS - 1e-6

    def check_a_replay_keeps_its_turn(self, slot: Slot) -> None:
        """It is not postponed, for it would lose its turn, unless its endpoint is in doubt or crowded, or its job is cancelled."""
        if slot.window.lane != REPLAYS:
            return
        share = self.share(slot)
        is_crowded = share.live_since_ms is not None and self.now_ms - share.live_since_ms >= _CROWDED_MS
        assert share.doubt_since_ms is not None or is_crowded or slot.delivery.job_id in self.cancelled

    def forget_spacings(self, partition: int) -> None:
        """With one live lane here, that has its own part of the rate."""
        for name in {name for name, share in self.rules._shares.items() if share.partition == partition}:
            self._forget_spacing(name)

    def _forget_spacing(self, name: str) -> None:
        for lane in ("", *LANES):
            self.spacings.pop((name, lane), None)

    def note(self, slot: Slot) -> None:
        if slot.window.lane in LIVE:
            self.live_ms = self.now_ms

    def within(self, lane: str, *wheres: Where) -> list[Slot]:
        return [slot for slot in self.slots.values() if slot.window.lane == lane and self.where[id(slot)] in wheres]

    def waits(self, name: str) -> Mapping[str, set[int]]:
        return {
            lane: {
                id(slot)
                for slot in self.within(lane, Where.WAITING)
                if slot.delivery.subscription_id == name and slot.window.hold is Hold.OURS
            }
            for lane in LANES
        }

    def share(self, slot: Slot) -> Share:
        return self.rules._shares[slot.delivery.subscription_id]

    def _both_here(self, share: Share) -> bool:
        return all((lane, share.partition) in self.windows for lane in LIVE)


def _turn(slot: Slot) -> tuple[int, int]:
    if slot.window.lane == REPLAYS:
        return (0 if slot.delivery.is_test else 1, slot.offset)
    return (0 if slot.delivery.is_test else slot.delivery.created_at_ms, slot.offset)
