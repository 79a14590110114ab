"""Replays take what live traffic leaves: tables of offers and answers, with a clock that the tests move."""

from collections import Counter
from dataclasses import replace
from math import inf

import pytest

from fakes.deliveries import DELIVERY
from fakes.isolation_scene import Scene
from hookline.core.breaker import Breaker
from hookline.core.limits import FRESH, LANES, LIVE, REPLAYS, SECOND, Held, Limits
from hookline.core.window import Arrival, Slot

SPACING_MS, ALONE_MS = 5.0, 1.0  # between two starts, beside live traffic and without any


def started(scene: Scene, *, for_ms: float = 1_000.0) -> list[str]:
    """The lanes of what starts in this time, nothing of which ends; replays come one by one."""
    until_ms, found = scene.now_ms + for_ms, list[str]()
    while scene.now_ms <= until_ms:
        found += [slot.window.lane for slot in scene.start()]
        scene.now_ms += SPACING_MS
    return found


@pytest.mark.parametrize(("most", "replays"), [(16, 4), (40, 10), (3, 1), (1, 1)])
def test_replays_have_a_quarter_of_their_endpoints_cap(most: int, replays: int) -> None:
    scene = Scene(most=most)
    scene.prove("a")
    scene.offer("a", 40, lane=REPLAYS)
    assert started(scene) == [REPLAYS] * replays


@pytest.mark.parametrize("lane", LIVE)
def test_no_replay_starts_while_a_live_one_waits_for_its_endpoint(lane: str) -> None:
    scene = Scene(most=8)
    scene.prove("a")
    scene.offer("a", 20, lane=lane)
    scene.offer("a", 20, lane=REPLAYS)
    scene.offer("b", 1, lane=REPLAYS)
    assert Counter(started(scene)) == {lane: 8, REPLAYS: 1}  # the one is of the other endpoint


def saturated(scene: Scene, *, lane: str, starts: int) -> list[str]:
    """The lanes of the next starts at an endpoint for which live ones wait all the time; each ends before its next one may start."""
    order, flying = list[str](), list[Slot]()
    while len(order) < starts:
        scene.offer("a", max(0, 20 - len(scene.rules._shares["a"].sides[lane].waiting)), lane=lane)
        scene.end(flying[:1])
        scene.now_ms = max(scene.now_ms + SPACING_MS, scene.rules.wake_ms() if scene.rules.wake_ms() != inf else 0.0)
        begun = scene.start()
        flying = [*flying[1:], *begun]
        order += [slot.window.lane for slot in begun]
    return order


@pytest.mark.parametrize("lane", LIVE)
@pytest.mark.parametrize("limits", [Limits(), Limits(20)])
def test_one_start_of_sixteen_is_a_replays_however_many_live_ones_wait(lane: str, limits: Limits) -> None:
    scene = Scene(limits={"a": limits})
    scene.prove("a")
    scene.offer("a", 100, lane=REPLAYS)
    counts = Counter(saturated(scene, lane=lane, starts=320))
    assert 18 <= counts[REPLAYS] <= 20


def test_a_crowded_endpoint_leaves_the_lanes_memory_to_others() -> None:
    scene = Scene(limits={"a": Limits(1)})
    scene.prove("a", "b")
    scene.offer("a", 50)
    scene.offer("a", 20, lane=REPLAYS)
    scene.offer("b", 20, lane=REPLAYS)
    scene.tick()
    scene.rules.lanes[REPLAYS].cramped = True
    assert scene.tick(4_900) == []
    moved = [each for each in scene.tick(100) if each.slot.window.lane == REPLAYS]
    assert [(each.slot.delivery.subscription_id, each.held) for each in moved] == [("a", Held.RATE)] * 12
    waits_ms = [each.wait_ms for each in moved]
    assert waits_ms == sorted(waits_ms)
    assert waits_ms[0] == 16_000.0 * (8 + 1)  # after those that are held, each of which waits for sixteen turns
    assert len(scene.offer("a", 1, lane=REPLAYS)) == 1
    assert scene.offer("b", 1, lane=REPLAYS) == []


def test_a_crowded_endpoint_makes_room_in_its_window() -> None:
    scene = Scene(limits={"a": Limits(1)})
    scene.prove("a")
    scene.offer("a", 20, lane=REPLAYS)
    scene.offer("a", 50)
    scene.tick()
    scene.tick(5_000)
    moved = list(scene.rules.make_room(scene.windows[REPLAYS], scene.now_ms))
    assert moved
    assert {each.slot.window.lane for each in moved} == {REPLAYS}


def test_replays_in_flight_count_against_their_endpoints_cap() -> None:
    scene = Scene()
    scene.prove("a")
    scene.offer("a", 20, lane=REPLAYS)
    assert started(scene, for_ms=50) == [REPLAYS] * 4
    scene.offer("a", 40)
    assert Counter(started(scene, for_ms=50)) == {FRESH: 12}


@pytest.mark.parametrize(("gone", "replays"), [(FRESH, 2), (SECOND, 2), (REPLAYS, 0)])
def test_replays_whose_live_traffic_is_elsewhere_have_an_eighth(gone: str, replays: int) -> None:
    scene = Scene()
    scene.prove("a")
    scene.offer("a", 20, lane=REPLAYS)
    scene.rules.forget(scene.windows[gone])
    assert started(scene) == [REPLAYS] * replays


@pytest.mark.parametrize("lane", LIVE)
def test_a_live_lane_whose_replays_are_elsewhere_has_all_it_had(lane: str) -> None:
    scene = Scene(lanes=LIVE)
    scene.prove("a")
    scene.offer("a", 40, lane=lane)
    assert started(scene, for_ms=50) == [lane] * 16


def test_replays_have_a_budget_of_their_own_and_the_live_lanes_keep_theirs() -> None:
    scene = Scene(fresh=6, replays=3)
    names = [f"wh_{number}" for number in range(8)]
    scene.prove(*names)
    for name in names:
        scene.offer(name, 2, lane=REPLAYS)
    assert started(scene) == [REPLAYS] * 3
    for name in names:
        scene.offer(name)
    assert started(scene, for_ms=0) == [FRESH] * 6


@pytest.mark.parametrize(
    ("live_before_ms", "at_once", "spacing_ms"), [(0.0, 3, SPACING_MS), (999.0, 3, SPACING_MS), (1_000.0, 11, ALONE_MS)]
)
def test_replays_start_one_by_one_and_more_slowly_beside_live_traffic(
    live_before_ms: float, at_once: int, spacing_ms: float
) -> None:
    scene = Scene()
    names = [f"wh_{number}" for number in range(20)]
    scene.prove(*names)
    scene.now_ms += live_before_ms
    for name in names:
        scene.offer(name, lane=REPLAYS)
    assert len(scene.start()) == at_once  # as many as make up for a timer that was late
    scene.now_ms += spacing_ms
    assert len(scene.start()) == 1


def test_a_burst_of_replays_is_spread_over_many_turns() -> None:
    scene = Scene(replays=50)
    names = [f"wh_{number}" for number in range(50)]
    scene.prove(*names)
    for name in names:
        scene.offer(name, lane=REPLAYS)
    counts = []
    for _ in range(60):
        counts.append(len(scene.start()))
        scene.now_ms += SPACING_MS
    assert (sum(counts), max(counts)) == (50, 3)


def test_it_is_known_when_the_next_replay_may_start() -> None:
    scene = Scene(replays=4)
    scene.prove("a", "b")
    assert scene.rules.wake_ms() == inf
    for name in ("a", "b"):
        scene.offer(name, 20, lane=REPLAYS)
    flying = scene.start()
    assert scene.rules.wake_ms() == scene.now_ms + SPACING_MS
    scene.now_ms = scene.rules.wake_ms()
    flying += scene.start()
    assert (len(flying), scene.rules.wake_ms()) == (
        4,
        inf,
    )  # the budget is in use: what ends makes room, and no timer does


def test_replays_start_in_the_order_of_the_log() -> None:
    scene = Scene(most=4)
    scene.prove("a")
    scene.offer("a", 30, lane=REPLAYS)
    order = []
    for _ in range(30):
        slots = scene.start()
        order += [slot.offset for slot in slots]
        scene.end(slots)
        scene.now_ms += SPACING_MS
    assert (len(order), order) == (30, sorted(order))


def test_a_replay_that_bears_an_earlier_time_does_not_overtake_those_before_it_in_the_log() -> None:
    """Who wrote it may have taken over a job from a process whose clock was ahead."""
    scene = Scene(most=4)
    scene.prove("a")
    window = scene.windows[REPLAYS]
    for offset in range(10):
        made = replace(DELIVERY, delivery_id=f"made_{offset}", subscription_id="a", created_at_ms=1_000 - offset)
        assert window.arrive(made, offset, 1) is Arrival.START
        assert scene.rules.offer(Slot(window, offset, 1, made), scene.now_ms) is None
    order = []
    for _ in range(10):
        slots = scene.start()
        order += [slot.offset for slot in slots]
        scene.end(slots)
        scene.now_ms += SPACING_MS
    assert order == list(range(10))


def test_a_replay_is_not_postponed_for_its_turn_but_keeps_its_place() -> None:
    scene = Scene(held_max=5, limits={"a": Limits(1)})
    scene.prove("a")
    assert scene.offer("a", 500, lane=REPLAYS) == []
    assert scene.tick(60_000) == []
    assert list(scene.rules.make_room(scene.windows[REPLAYS], scene.now_ms)) == []
    assert scene.rules.waiting(REPLAYS) == 500


def test_replays_for_an_endpoint_in_doubt_are_postponed_as_others() -> None:
    scene = Scene()
    scene.hang("a")
    scene.offer("a", 4, lane=REPLAYS)
    assert scene.tick(29_000) == []
    assert [each.held for each in scene.tick(1_000)] == [Held.DOUBTFUL] * 4


def test_what_is_parked_of_replays_delays_no_live_one() -> None:
    scene = Scene(limits={"a": Limits(10)})
    scene.prove("a")
    scene.offer("a", 100, lane=REPLAYS)
    share = scene.rules._shares["a"]
    fresh = scene.windows[FRESH]
    parked = share.park(scene.slot("a", fresh), scene.now_ms)
    assert (parked.held, parked.wait_ms) == (Held.RATE, 100.0)


def test_endpoints_in_doubt_hold_half_of_the_replays_lane() -> None:
    scene = Scene(replays=4)
    for number in range(10):
        scene.offer(f"bad_{number}")
        scene.end(scene.start(), succeeded=False)
    for number in range(10):
        scene.offer(f"bad_{number}", lane=REPLAYS)
    assert started(scene) == [REPLAYS] * 2


def test_a_rate_limit_is_for_live_traffic_first_and_replays_take_what_is_left() -> None:
    scene = Scene(limits={"a": Limits(20)})
    scene.prove("a")
    scene.offer("a", 100, lane=REPLAYS)
    order = list[str]()
    for step in range(20):  # a live one every 100 ms, which is every second token
        if step % 2 == 0:
            scene.offer("a")
        scene.now_ms = max(scene.now_ms + 50.0, scene.rules.wake_ms())
        slots = scene.start()
        order += [slot.window.lane for slot in slots]
        scene.end(slots)
    assert order[:10] == [FRESH, REPLAYS] * 5


def test_a_live_one_does_not_wait_for_the_token_of_replays_where_lanes_are_apart() -> None:
    scene = Scene(lanes=(FRESH, REPLAYS), limits={"a": Limits(1)})
    scene.prove("a")
    scene.now_ms += 20_000
    scene.offer("a", 5, lane=REPLAYS)
    scene.end(scene.start())
    assert scene.rules.wake_ms() - scene.now_ms > 7_000  # an eighth of one a second
    scene.offer("a")
    assert [slot.window.lane for slot in scene.start()] == [FRESH]


@pytest.mark.parametrize("breaker", [Breaker.OPEN, Breaker.CLOSED])
def test_what_waits_of_a_cancelled_job_ends_without_a_turn_a_part_at_a_time(breaker: Breaker) -> None:
    scene = Scene()
    scene.prove("a")
    scene.limits["a"] = Limits(breaker=breaker)
    scene.offer("a", 250, lane=REPLAYS, job="job_1")
    scene.offer("a", 250, lane=REPLAYS, job="job_2")
    scene.over.add("job_1")
    counts = [len(scene.tick(100)) for _ in range(5)]
    assert counts == [100, 100, 50, 0, 0]
    assert scene.rules.waiting(REPLAYS) == 250


@pytest.mark.parametrize("lane", LANES)
def test_only_retries_and_replays_are_called_off_while_they_wait(lane: str) -> None:
    scene = Scene()
    scene.offer("a", 5, lane=lane, job="job_1")
    scene.over.add("job_1")
    assert len(scene.tick()) == (0 if lane == FRESH else 5)
