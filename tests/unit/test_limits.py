from itertools import pairwise

import pytest

from hookline.core.breaker import Breaker
from hookline.core.limits import (
    EIGHTHS,
    FRESH,
    LIVE,
    REPLAYS,
    SECOND,
    Held,
    Limits,
    Tokens,
    budget_of,
    in_flight_max,
    postponement_ms,
    share_of,
)
from hookline.core.pace import Standing

TIERS_MS = (1_000, 10_000, 60_000, 600_000, 1_800_000)


@pytest.mark.parametrize(
    ("breaker", "standing", "most", "cap"),
    [
        (Breaker.CLOSED, Standing.PROVEN, 16, 16),
        (Breaker.CLOSED, Standing.PROVEN, 1, 1),
        (Breaker.CLOSED, Standing.UNKNOWN, 16, 2),
        (Breaker.CLOSED, Standing.DOUBTFUL, 16, 2),
        (Breaker.CLOSED, Standing.DOUBTFUL, 1, 1),
        (Breaker.PROBE, Standing.PROVEN, 16, 1),
        (Breaker.OPEN, Standing.PROVEN, 16, 1),  # tests may go
    ],
)
def test_an_endpoints_cap(breaker: Breaker, standing: Standing, most: int, cap: int) -> None:
    assert in_flight_max(Limits(breaker=breaker), standing, most=most) == cap


@pytest.mark.parametrize(
    ("budget", "doubtful", "unknown", "proven"), [(400, 200, 300, 400), (3, 1, 2, 3), (1, 1, 1, 1)]
)
def test_the_worse_an_endpoints_standing_the_less_of_a_lane_is_theirs(
    budget: int, doubtful: int, unknown: int, proven: int
) -> None:
    found = [budget_of(each, budget) for each in (Standing.DOUBTFUL, Standing.UNKNOWN, Standing.PROVEN)]
    assert found == [doubtful, unknown, proven]


@pytest.mark.parametrize("both_here", [True, False])
@pytest.mark.parametrize(
    ("lane", "parked", "share"), [(FRESH, False, 0.75), (SECOND, False, 0.25), (FRESH, True, 0.5), (SECOND, True, 0.5)]
)
def test_a_lanes_part_of_its_endpoint(lane: str, parked: bool, share: float, both_here: bool) -> None:
    assert share_of(lane, parked=parked, both_here=both_here) == share


@pytest.mark.parametrize("parked", [True, False])
@pytest.mark.parametrize(("both_here", "share"), [(True, 0.25), (False, 0.125)])
def test_replays_have_a_quarter_where_they_see_live_traffic_and_else_an_eighth(
    both_here: bool, share: float, parked: bool
) -> None:
    assert share_of(REPLAYS, parked=parked, both_here=both_here) == share


def test_replays_take_nothing_of_the_live_lanes_budgets() -> None:
    assert sum(EIGHTHS[lane] for lane in LIVE) == 8
    assert EIGHTHS[REPLAYS] == 1


def test_tokens_come_evenly() -> None:
    tokens, at_ms = Tokens(), []
    now_ms = 1_000.0
    for _ in range(5):
        tokens.take(20, now_ms)
        at_ms.append(tokens.next_ms)
        now_ms = tokens.next_ms
    assert [later - earlier for earlier, later in pairwise(at_ms)] == [50.0] * 4


@pytest.mark.parametrize(
    ("late_ms", "next_ms"), [(0.0, 100.0), (4.0, 100.0), (10.0, 100.0), (30.0, 120.0), (5_000.0, 5_090.0)]
)
def test_a_token_taken_late_is_made_up_for_by_ten_milliseconds_at_most(late_ms: float, next_ms: float) -> None:
    tokens = Tokens(next_ms=0.0)
    tokens.take(10, late_ms)
    assert tokens.next_ms == next_ms


@pytest.mark.parametrize("held", [Held.RATE, Held.BACKLOG])
@pytest.mark.parametrize(
    ("wait_ms", "tier_ms"),
    [(0, 1_000), (999, 1_000), (9_999, 1_000), (10_000, 10_000), (59_999, 10_000), (10**9, 1_800_000)],
)
def test_who_waits_for_a_turn_comes_back_early(held: Held, wait_ms: float, tier_ms: int) -> None:
    assert postponement_ms(held, wait_ms, postponed=7, tiers_ms=TIERS_MS) == tier_ms


@pytest.mark.parametrize("held", [Held.BREAKER, Held.PAUSED, Held.UNKNOWN])
@pytest.mark.parametrize(
    ("wait_ms", "postponed", "tier_ms"),
    [
        (0, 0, 1_000),
        (0, 1, 10_000),
        (0, 2, 60_000),
        (0, 3, 600_000),
        (0, 99, 600_000),  # asks every 10 minutes at the rarest
        (5_000, 0, 10_000),  # never before the probe
        (10**9, 0, 600_000),
    ],
)
def test_who_waits_for_an_endpoint_to_be_well_waits_longer_each_time(
    held: Held, wait_ms: float, postponed: int, tier_ms: int
) -> None:
    assert postponement_ms(held, wait_ms, postponed=postponed, tiers_ms=TIERS_MS) == tier_ms


@pytest.mark.parametrize("held", list(Held))
def test_a_single_tier_serves_every_wait(held: Held) -> None:
    assert postponement_ms(held, 3.0, postponed=5, tiers_ms=(3_600_000,)) == 3_600_000
