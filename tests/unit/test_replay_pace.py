"""How fast replays may start."""

from math import inf

import pytest

from hookline.core.replay_pace import ALONE_PER_S, BESIDE_LIVE_PER_S, ReplayPace

BUSY, ALONE = 0.0, 1_000.0  # how long ago there was live traffic


@pytest.mark.parametrize(
    ("silent_ms", "per_s"),
    [(0.0, BESIDE_LIVE_PER_S), (999.0, BESIDE_LIVE_PER_S), (1_000.0, ALONE_PER_S), (inf, ALONE_PER_S)],
)
def test_fewer_replays_start_while_there_is_live_traffic(silent_ms: float, per_s: int) -> None:
    assert ReplayPace(live_at_ms=5_000.0 - silent_ms).per_s(5_000.0) == per_s


def felt(pace: ReplayPace, late_ms: float, ticks: int) -> float:
    for _ in range(ticks):
        pace.felt(late_ms)
    return pace.per_s(0.0)


@pytest.mark.parametrize(("live_at_ms", "least"), [(-BUSY, 20.0), (-ALONE, 100.0)])
def test_a_loop_that_is_late_lets_a_tenth_start_within_two_seconds(live_at_ms: float, least: float) -> None:
    assert felt(ReplayPace(live_at_ms), 20.0, 20) == pytest.approx(least)
    assert felt(ReplayPace(live_at_ms), 1_000.0, 1_000) == pytest.approx(least)


def test_a_loop_that_is_in_time_again_lets_all_start_after_some_seconds() -> None:
    pace = ReplayPace(live_at_ms=0.0)
    felt(pace, 20.0, 50)
    assert felt(pace, 1.0, 10) < 60
    assert felt(pace, 1.0, 60) == BESIDE_LIVE_PER_S


def test_one_long_turn_of_the_loop_is_no_reason() -> None:
    pace = ReplayPace(live_at_ms=0.0)
    felt(pace, 1.0, 50)
    pace.felt(15.0)
    assert felt(pace, 1.0, 1) == BESIDE_LIVE_PER_S


def test_a_loop_that_is_a_little_late_all_the_time_is_none_either() -> None:
    assert felt(ReplayPace(live_at_ms=0.0), 4.5, 1_000) == BESIDE_LIVE_PER_S


def test_a_request_seems_to_take_two_turns_of_a_late_loop_longer() -> None:
    pace = ReplayPace()
    assert pace.own_ms() == 0.0
    felt(pace, 30.0, 50)
    assert pace.own_ms() == pytest.approx(60.0, rel=0.01)
