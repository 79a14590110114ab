"""Which deliveries may start: tables of offers and answers, with a clock that the tests move."""

from collections import Counter
from functools import partial
from itertools import pairwise

import pytest

from fakes.isolation_scene import Scene
from hookline.core.breaker import Breaker
from hookline.core.limits import FRESH, LANES, REPLAYS, SECOND, Held, Limits
from hookline.core.window import Hold


@pytest.mark.parametrize(("most", "started"), [(16, 2), (2, 2), (1, 1)])
def test_an_endpoint_that_never_succeeded_has_two_requests_in_flight(most: int, started: int) -> None:
    scene = Scene(most=most)
    scene.offer("a", 8)
    assert len(scene.start()) == started


@pytest.mark.parametrize(("most", "started"), [(16, 16), (5, 5), (1, 1)])
def test_a_proven_endpoint_has_as_many_as_its_cap(most: int, started: int) -> None:
    scene = Scene(most=most)
    scene.prove("a")
    scene.offer("a", 40)
    assert len(scene.start()) == started


@pytest.mark.parametrize(("breaker", "started"), [(Breaker.PROBE, 1), (Breaker.OPEN, 0)])
def test_an_endpoint_whose_breaker_is_not_closed_gets_a_probe_at_most(breaker: Breaker, started: int) -> None:
    scene = Scene()
    scene.prove("a")
    scene.limits["a"] = Limits(breaker=breaker)
    assert scene.offer("a", 8) == []
    assert len(scene.start()) == started


def test_a_test_goes_to_an_endpoint_whose_breaker_is_open_before_what_waits() -> None:
    scene = Scene()
    scene.prove("a")
    scene.limits["a"] = Limits(breaker=Breaker.OPEN)
    scene.offer("a", 8)
    scene.offer("a", is_test=True)
    assert [slot.delivery.is_test for slot in scene.start()] == [True]


@pytest.mark.parametrize("lane", [FRESH, SECOND])
def test_what_is_over_is_looked_at_whoever_hangs(lane: str) -> None:
    scene = Scene()
    scene.prove("a")
    scene.offer("a", 16)
    assert len(scene.start()) == 16
    scene.offer("a", 8, lane=lane)
    scene.tick(60_000)
    scene.limits["a"] = Limits(is_over=True)
    scene.tick()
    assert len(scene.start()) == 8


@pytest.mark.parametrize(
    ("parked", "fresh", "second"),
    [(0, 12, 4), (1, 8, 8)],  # while something of it is parked, half of its cap is theirs
)
def test_the_lanes_of_one_endpoint_share_its_cap(parked: int, fresh: int, second: int) -> None:
    scene = Scene()
    scene.prove("a")
    scene.offer("a", 40)
    scene.offer("a", 40, lane=SECOND, postponed=parked)
    assert Counter(slot.window.lane for slot in scene.start()) == {FRESH: fresh, SECOND: second}


@pytest.mark.parametrize(("lane", "started"), [(FRESH, 12), (SECOND, 4)])
def test_a_lane_whose_other_is_elsewhere_keeps_to_its_part(lane: str, started: int) -> None:
    scene = Scene(lanes=(FRESH, SECOND))
    scene.prove("a")
    scene.rules.forget(scene.windows[SECOND if lane == FRESH else FRESH])
    scene.offer("a", 40, lane=lane)
    assert len(scene.start()) == started


def test_a_lane_keeps_to_its_budget_and_endpoints_take_turns() -> None:
    scene = Scene(fresh=6)
    scene.prove("a", "b", "c")
    for name in ("a", "b", "c"):
        scene.offer(name, 20)
    assert scene.started() == {"a": 2, "b": 2, "c": 2}


def test_endpoints_in_doubt_hold_half_of_a_lane_at_most() -> None:
    scene = Scene(fresh=12)
    bad = [f"bad_{number}" for number in range(20)]
    for name in bad:
        scene.offer(name)
        scene.end(scene.start(), succeeded=False)
    scene.prove("good")
    for name in bad:
        scene.offer(name, 4)
    scene.offer("good", 20)
    started = scene.started()
    assert started["good"] == 6
    assert sum(count for name, count in started.items() if name != "good") == 6


def test_one_that_turns_doubtful_in_flight_keeps_its_requests_and_starts_no_more() -> None:
    scene = Scene(fresh=16)
    scene.prove("a", "b")
    scene.offer("a", 30)
    assert scene.started() == {"a": 16}
    scene.now_ms += 2_000
    scene.rules.tick(scene.now_ms)
    assert scene.rules.lanes[FRESH].doubtful() == 16  # over half: it was well when they started
    assert scene.started() == {}


@pytest.mark.parametrize("rate", [1, 5, 100])
def test_requests_of_a_rate_limited_endpoint_are_spaced(rate: int) -> None:
    scene = Scene(limits={"a": Limits(rate)})
    scene.prove("a")
    scene.offer("a", 6)
    scene.now_ms += 10_000
    at_ms: list[float] = []
    while len(at_ms) < 6:
        slots = scene.start()
        at_ms += [scene.now_ms] * len(slots)
        scene.end(slots)
        scene.now_ms = max(scene.now_ms, scene.rules.wake_ms())
    assert [later - earlier for earlier, later in pairwise(at_ms[1:])] == [1_000 / rate] * 4
    assert at_ms[1] - at_ms[0] >= 1_000 / rate - 10


def test_a_rate_limit_that_is_new_holds_for_what_waited_before() -> None:
    scene = Scene(fresh=1)
    scene.prove("a")
    scene.offer("a", 5)
    scene.limits["a"] = Limits(1)
    scene.rules.tick(scene.now_ms)
    started = scene.start()
    scene.end(started)
    assert (len(started), scene.start()) == (1, [])


def test_a_rate_limited_endpoint_has_its_turn_in_a_lane_that_is_never_empty() -> None:
    scene = Scene(fresh=4, limits={"limited": Limits(100)})
    scene.prove("busy", "limited")
    scene.offer("busy", 500)
    flying, limited = scene.start(), 0
    scene.offer("limited", 10)
    for _ in range(40):
        scene.now_ms += 50
        scene.rules.tick(scene.now_ms)
        flying += scene.start()  # the lane is full whenever a tick comes by
        scene.end([flying.pop(0)])
        flying += scene.start()
        limited = sum(slot.delivery.subscription_id == "limited" for slot in flying) + limited
    assert limited > 0


@pytest.mark.parametrize(
    ("lane", "cramped", "kept"),
    [
        (FRESH, False, 1_000),
        (FRESH, True, 1),
        *((lane, cramped, 1 if cramped else 20) for lane in (SECOND, REPLAYS) for cramped in (False, True)),
    ],
)
def test_what_waits_for_one_endpoint_is_bounded_and_the_rest_postponed(lane: str, cramped: bool, kept: int) -> None:
    scene = Scene(held_max=20)
    scene.hang("a")
    scene.tick(5_000)
    scene.rules.lanes[lane].cramped = cramped
    postponed = scene.offer("a", 1_050, lane=lane)
    assert scene.rules.waiting(lane) == kept
    assert [(each.held, each.wait_ms) for each in postponed] == [(Held.DOUBTFUL, 5_000.0)] * (1_050 - kept)


@pytest.mark.parametrize("lane", LANES)
def test_what_waited_for_one_in_doubt_in_vain_is_postponed_the_oldest_first(lane: str) -> None:
    scene = Scene()
    scene.hang("a")
    scene.offer("a", 4, lane=lane)
    assert scene.tick(29_000) == []
    scene.offer("a", 4, lane=lane)
    scene.offer("a", is_test=True)
    early, late = scene.tick(1_000), scene.tick(29_000)
    assert [len(early), len(late)] == [4, 4]
    for moved in (early, late):
        assert [each.slot.offset for each in moved] == sorted(each.slot.offset for each in moved)
    assert {(each.held, each.wait_ms) for each in early} == {(Held.DOUBTFUL, 30_000.0)}


def test_what_waited_long_for_one_that_is_in_doubt_for_a_moment_waits_on() -> None:
    scene = Scene(limits={"a": Limits(1)})
    scene.prove("a")
    scene.offer("a", 10, lane=SECOND, postponed=1)
    scene.tick(60_000)
    scene.limits["a"] = Limits(1, breaker=Breaker.OPEN)
    assert scene.tick() == []
    scene.limits["a"] = Limits(1)
    assert (scene.tick(29_000), scene.tick(60_000)) == ([], [])


def test_what_a_proven_endpoint_held_is_not_parked_for_a_moment_of_silence() -> None:
    scene = Scene()
    scene.prove("a")
    assert scene.offer("a", 3_000) == []
    assert len(scene.start()) == 16
    assert scene.tick(2_000) == []
    assert scene.rules.lanes[FRESH].doubtful() == 16


def test_older_ones_that_come_later_do_not_hide_what_waits_in_vain() -> None:
    scene = Scene()
    scene.hang("a")
    scene.offer("a", 10, lane=SECOND)
    moved, scene.offered = [], -1_000
    for _ in range(20):
        scene.offered += 1
        scene.rules.offer(scene.late_slot("a", scene.offered), scene.now_ms)
        moved += scene.tick(2_000)
    assert len(moved) >= 10


def test_what_is_over_is_looked_at_while_the_doubtful_half_is_full() -> None:
    scene = Scene(fresh=8)
    for name in ("a", "b"):
        scene.hang(name)
    assert scene.rules.lanes[FRESH].doubtful() == 4
    scene.offer("a", 4)
    assert scene.start() == []
    scene.limits["a"] = Limits(is_over=True)
    scene.tick()
    scene.tick(100)
    assert len(scene.start()) == 4


def _limits_noted(looked: list[str], name: str) -> Limits:
    looked.append(name)
    return Limits()


def test_of_very_many_endpoints_a_part_is_looked_at_in_each_tick_and_all_in_turn() -> None:
    scene = Scene(fresh=10_000)
    names = [f"wh_{number}" for number in range(2_500)]
    looked: list[str] = []
    for name in names:
        scene.offer(name)
    scene.rules._limits_of = partial(_limits_noted, looked)
    counts = []
    for _ in range(3):
        scene.tick(100)
        counts.append(len(looked))
    assert counts == [1_000, 2_000, 3_000]
    assert set(looked) == set(names)


def test_what_waits_for_a_lane_and_for_no_endpoint_is_not_postponed() -> None:
    scene = Scene(fresh=1)
    scene.prove("a", "b")
    assert scene.offer("a", 100) == []
    assert scene.offer("b", 100) == []
    scene.start()
    assert list(scene.rules.tick(scene.now_ms)) == []


def test_an_open_breaker_is_why_what_waits_is_postponed() -> None:
    scene = Scene()
    scene.prove("a")
    scene.limits["a"] = Limits(breaker=Breaker.OPEN)
    scene.offer("a", 6)
    assert (scene.tick(), scene.start()) == ([], [])
    assert [(each.held, each.wait_ms) for each in scene.tick(30_000)] == [(Held.BREAKER, 30_000.0)] * 6


def test_the_older_half_makes_room_with_the_oldest_first_in_turn() -> None:
    scene = Scene(limits={"a": Limits(1)})
    scene.offer("a", 8)
    scene.start()
    moved = list(scene.rules.make_room(scene.windows[FRESH], scene.now_ms))
    assert [each.slot.offset for each in moved] == [2, 3]
    assert moved[0].wait_ms < moved[1].wait_ms


def test_what_an_endpoint_will_start_in_a_moment_makes_no_room() -> None:
    scene = Scene()
    scene.prove("a")  # 16 at a time, 10 ms each: 3,200 in two seconds
    scene.offer("a", 4_000)
    scene.start()
    assert list(scene.rules.make_room(scene.windows[FRESH], scene.now_ms)) == []


def test_what_a_slow_endpoint_will_not_start_in_a_moment_makes_room_the_youngest_of_the_older_half() -> None:
    scene = Scene(limits={"a": Limits(2)})
    scene.prove("a")
    scene.offer("a", 16)
    moved = list(scene.rules.make_room(scene.windows[FRESH], scene.now_ms))
    assert [each.slot.offset for each in moved] == [5, 6, 7, 8, 9]  # 1 to 4 start within two seconds


@pytest.mark.parametrize(("later_ms", "moved"), [(29_900, 4), (30_100, 0)])
def test_who_was_in_doubt_while_a_request_may_take_as_long_makes_room_all_the_same(later_ms: int, moved: int) -> None:
    scene = Scene()
    scene.prove("a")
    scene.offer("a", 2)
    hanging = scene.start()
    scene.tick(1_000)  # it is in doubt
    scene.end(hanging)
    scene.now_ms += later_ms
    scene.offer("a", 40)
    scene.start()
    assert len(list(scene.rules.make_room(scene.windows[FRESH], scene.now_ms))) == moved


def test_what_has_its_turn_after_many_that_lie_behind_it_makes_room() -> None:
    scene = Scene(limits={"a": Limits(4)})
    scene.prove("a")
    scene.offer_made("a", [900], lane=SECOND)
    scene.offer_made("b", [500] * 20, lane=SECOND)
    scene.offer_made(
        "a", range(100, 116), lane=SECOND
    )  # of two within two seconds these are the first, and 900 the last
    moved = list(scene.rules.make_room(scene.windows[SECOND], scene.now_ms))
    assert [each.slot.delivery.created_at_ms for each in moved if each.slot.delivery.subscription_id == "a"] == [900]


def test_a_process_that_is_busy_does_not_take_its_endpoints_for_slow() -> None:
    scene = Scene()
    for _ in range(50):
        scene.rules.pace.felt(40.0)
    scene.offer("a", 16)
    slots = scene.start()
    scene.now_ms += 90.0  # 80 of which are ours: two turns of the loop
    scene.end(slots)
    scene.offer("a", 16)
    scene.start()
    assert scene.offer("a", 4_000) == []  # 16 at a time, 10 ms each: 32,000 in twenty seconds, and not 3,500
    assert scene.tick() == []


def test_what_waits_of_a_lost_partition_is_dropped_and_what_flies_is_still_counted() -> None:
    scene = Scene()
    scene.prove("a")
    scene.offer("a", 40)
    flying = scene.start()
    scene.windows[FRESH].hold = Hold.GONE
    scene.rules.forget(scene.windows[FRESH])
    assert (scene.rules.waiting(FRESH), scene.rules.lanes[FRESH].in_flight) == (0, 16)
    scene.end(flying)
    assert (scene.rules.lanes[FRESH].in_flight, scene.start()) == (0, [])


def test_nothing_starts_of_a_partition_that_drains() -> None:
    scene = Scene()
    scene.offer("a", 2)
    scene.windows[FRESH].hold = Hold.DRAINING
    assert scene.start() == []


def test_the_oldest_delivery_of_an_endpoint_starts_first() -> None:
    scene = Scene(most=1)
    scene.prove("a")
    scene.offer("a", 3)
    order = []
    for _ in range(3):
        slots = scene.start()
        order += [slot.offset for slot in slots]
        scene.end(slots)
    assert order == sorted(order)
