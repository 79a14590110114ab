"""How an endpoint is doing (core/pace.py)."""

import math

import pytest

from hookline.core.pace import PATIENCE_MS, Pace, Standing


def paced(*took_ms: float, failures: int = 0) -> Pace:
    """Requests one after the other from 0 ms on, the failures last, in no time."""
    pace, now_ms = Pace(), 0.0
    for number, each in enumerate(took_ms):
        pace.started(number, now_ms)
        now_ms += each
        pace.answered(number, now_ms, succeeded=True)
    for number in range(failures):
        pace.started(100 + number, now_ms)
        pace.answered(100 + number, now_ms, succeeded=False)
    return pace


@pytest.mark.parametrize(
    ("successes", "failures", "standing"),
    [
        (0, 0, Standing.UNKNOWN),
        (0, 1, Standing.DOUBTFUL),
        (1, 0, Standing.PROVEN),
        (1, 2, Standing.PROVEN),
        (1, 3, Standing.DOUBTFUL),
    ],
)
def test_an_endpoint_is_known_by_its_latest_results(successes: int, failures: int, standing: Standing) -> None:
    assert paced(*[10.0] * successes, failures=failures).standing(10.0) is standing


@pytest.mark.parametrize(
    ("usual_ms", "silent_ms", "standing"),
    [
        (10.0, PATIENCE_MS, Standing.PROVEN),
        (10.0, PATIENCE_MS + 1, Standing.DOUBTFUL),
        (1_000.0, 3_999.0, Standing.PROVEN),  # a slow one may be silent for four times its usual answer
        (1_000.0, 4_001.0, Standing.DOUBTFUL),
    ],
)
def test_silence_is_doubt_when_it_is_longer_than_usual(usual_ms: float, silent_ms: float, standing: Standing) -> None:
    pace = paced(usual_ms)
    pace.started(9, usual_ms)
    assert pace.standing(usual_ms + silent_ms) is standing


def test_one_slow_answer_among_quick_ones_is_no_doubt() -> None:
    pace = paced(10.0)
    pace.started(9, 10.0)
    pace.started(10, 900.0)
    pace.answered(10, 910.0, succeeded=True)
    assert pace.standing(1_000.0) is Standing.PROVEN


def test_a_success_ends_the_doubt() -> None:
    pace = paced(10.0, failures=5)
    pace.started(9, 10.0)
    pace.answered(9, 20.0, succeeded=True)
    assert pace.standing(20.0) is Standing.PROVEN


def test_who_has_nothing_in_flight_is_not_silent() -> None:
    pace = paced(10.0)
    pace.started(9, 10.0)
    pace.ended(9)
    assert pace.standing(1e9) is Standing.PROVEN


@pytest.mark.parametrize(("waiting_ms", "each_ms"), [(0.0, 0.0), (4_900.0, 0.0), (6_000.0, 6_000.0)])
def test_how_long_a_request_takes_is_seen_by_who_waits_when_none_was_answered(
    waiting_ms: float, each_ms: float
) -> None:
    pace = Pace()
    pace.started(1, 0.0)
    assert pace.each_ms(waiting_ms) == each_ms


def answers(pace: Pace, took_ms: float, count: int, *, from_ms: float, every_ms: float, own_ms: float = 0.0) -> float:
    """Each ends `every_ms` after the one before; returns when the last one did."""
    for number in range(count):
        now_ms = from_ms + (number + 1) * every_ms
        pace.started(number, now_ms - took_ms)
        pace.answered(number, now_ms, succeeded=True, own_ms=own_ms)
    return from_ms + count * every_ms


def test_the_usual_time_is_that_of_the_first_answers_and_then_follows_those_of_two_seconds() -> None:
    assert paced(100.0).each_ms(100.0) == 100.0
    assert paced(100.0, 200.0).each_ms(300.0) == pytest.approx(150.0)
    pace = Pace()
    now_ms = answers(pace, 10.0, 100, from_ms=0.0, every_ms=1.0)
    now_ms = answers(pace, 110.0, 2_000, from_ms=now_ms, every_ms=1.0)
    assert pace.each_ms(now_ms) == pytest.approx(10.0 + 100.0 * (1 - 1 / math.e), rel=0.01)


def test_a_moment_in_which_all_answers_are_late_is_not_usual_however_many_they_are() -> None:
    pace = Pace()
    now_ms = answers(pace, 5.0, 1_000, from_ms=0.0, every_ms=1.0)
    now_ms = answers(pace, 165.0, 100, from_ms=now_ms, every_ms=1.0)
    assert pace.each_ms(now_ms) < 5.0 + 160.0 / 20 + 1.0


def test_an_endpoint_that_becomes_slow_is_known_to_be_so_within_seconds_by_the_few_answers_that_come() -> None:
    pace = Pace()
    now_ms = answers(pace, 5.0, 1_000, from_ms=0.0, every_ms=1.0)
    now_ms = answers(pace, 2_000.0, 16, from_ms=now_ms, every_ms=125.0)  # sixteen at a time: two seconds
    assert pace.each_ms(now_ms) > 1_200.0


@pytest.mark.parametrize(("own_ms", "each_ms"), [(0.0, 100.0), (60.0, 40.0), (150.0, 1.0)])
def test_what_our_own_loop_was_late_is_not_the_endpoints_time(own_ms: float, each_ms: float) -> None:
    pace = Pace()
    now_ms = answers(pace, 100.0, 3, from_ms=0.0, every_ms=1.0, own_ms=own_ms)
    assert pace.each_ms(now_ms) == pytest.approx(each_ms)
