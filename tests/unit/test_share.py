from dataclasses import replace

import pytest

from fakes.deliveries import DELIVERY, window
from hookline.core.breaker import Breaker
from hookline.core.limits import FRESH, SECOND, Held, Limits
from hookline.core.pace import Standing
from hookline.core.share import Postponed, Share
from hookline.core.window import Hold, Slot, Window

PLACE = window(records_max=1_000)


def slot(age: int, *, postponed: int = 0, of: Window = PLACE) -> Slot:
    return Slot(of, age, 1, replace(DELIVERY, delivery_id=f"delivery_{age}", created_at_ms=age, postponed=postponed))


def share(*, standing: Standing = Standing.PROVEN, rate: int | None = None, fresh: int = 0, second: int = 0) -> Share:
    made = Share("wh_1", 0, 16, limits=Limits(rate), standing=standing)
    made.sides[FRESH].in_flight, made.sides[SECOND].in_flight = fresh, second
    return made


def test_the_oldest_that_is_still_ours_comes_first() -> None:
    gone = window()
    gone.hold = Hold.GONE
    one = share()
    for order, each in enumerate((slot(3), slot(1, of=gone), slot(2))):
        one.put(each, FRESH, order, 0.0)
    assert [found.offset for found in (one.pop(FRESH), one.pop(FRESH)) if found] == [2, 3]
    assert one.pop(FRESH) is None


def test_the_youngest_are_taken_away_and_the_others_keep_their_order() -> None:
    one = share()
    for order, age in enumerate((5, 1, 4, 2, 3)):
        one.put(slot(age), FRESH, order, 0.0)
    assert [each.offset for each in one.take(FRESH, lambda each: each.offset != 4, 2)] == [5, 3]
    assert [found.offset for _ in range(3) if (found := one.pop(FRESH))] == [1, 2, 4]


def test_what_was_parked_is_counted_as_long_as_it_waits() -> None:
    one = share()
    for order, postponed in enumerate((0, 1, 2)):
        one.put(slot(order, postponed=postponed), SECOND, order, 0.0)
    assert one.sides[SECOND].parked == 2
    assert list(one.take(SECOND, lambda each: each.delivery.postponed == 2, 9)) != []
    one.pop(SECOND)
    one.pop(SECOND)
    assert one.sides[SECOND].parked == 0


@pytest.mark.parametrize(
    ("fresh", "second", "both_here", "other_waits", "has_slot"),
    [
        (15, 0, True, False, True),
        (16, 0, True, False, False),
        (12, 4, True, False, False),
        (11, 0, True, True, True),
        (12, 0, True, True, False),  # the second lane wants its quarter
        (11, 0, False, False, True),
        (12, 0, False, False, False),  # the second lane is elsewhere
    ],
)
def test_a_fresh_one_has_a_slot(fresh: int, second: int, both_here: bool, other_waits: bool, has_slot: bool) -> None:
    one = share(fresh=fresh, second=second)
    if other_waits:
        one.put(slot(1), SECOND, 1, 0.0)
    assert one.has_slot(FRESH, both_here=both_here) is has_slot


@pytest.mark.parametrize("both_here", [True, False])
def test_a_rate_limit_is_the_endpoints_or_the_lanes_part_of_it(both_here: bool) -> None:
    one = share(rate=10)
    one.put(slot(1), FRESH, 1, 0.0)
    one.spend(FRESH, 0.0, both_here=both_here)
    assert one.token_ms(FRESH, both_here=both_here) == pytest.approx(90.0 if both_here else 1_000 / 7.5 - 10)
    assert not one.is_due(FRESH, 89.0, both_here=both_here)
    assert one.is_due(FRESH, 130.0, both_here=both_here)


def test_who_waits_for_a_turn_waits_for_all_that_were_parked_before() -> None:
    one = share(rate=10)
    parked = [one.park(slot(age), 1_000.0) for age in range(3)]
    assert [(each.held, each.wait_ms) for each in parked] == [
        (Held.RATE, 100.0),
        (Held.RATE, 200.0),
        (Held.RATE, 300.0),
    ]


def test_who_was_parked_before_waits_for_those_that_are_held() -> None:
    one = share(rate=10)
    for order in range(4):
        one.put(slot(order), FRESH, order, 0.0)
    assert one.park(slot(9, postponed=1), 1_000.0).wait_ms == 400.0


def test_a_slow_endpoints_turn_is_foretold_by_its_best() -> None:
    one = share()
    one.pace.started(1, 0.0)
    one.pace.answered(1, 1_000.0, succeeded=True)
    assert one.park(slot(0), 1_000.0) == Postponed(slot(0), Held.BACKLOG, 1_000.0 / 16)


def test_of_an_endpoint_in_doubt_no_turn_is_foretold_and_its_doubt_may_last_as_long_again() -> None:
    one = share(standing=Standing.DOUBTFUL)
    one.look(Limits(), 400.0)
    one.look(Limits(breaker=Breaker.OPEN), 700.0)
    assert one.park(slot(0), 1_000.0) == Postponed(slot(0), Held.BREAKER, 600.0)
    one.look(Limits(), 1_000.0)
    assert one.park(slot(0), 1_000.0) == Postponed(slot(0), Held.DOUBTFUL, 600.0)


def test_one_that_succeeds_is_in_doubt_no_more() -> None:
    one = share(standing=Standing.DOUBTFUL)
    one.look(Limits(), 400.0)
    one.standing = Standing.PROVEN
    one.look(Limits(), 500.0)
    assert one.doubt_since_ms is None


@pytest.mark.parametrize(("rate", "held"), [(1, 15.0), (100, 1_500.0)])
def test_the_fresh_lane_holds_what_an_endpoint_takes_in_twenty_seconds(rate: int, held: float) -> None:
    assert share(rate=rate).held_max(FRESH, 0.0) == held
