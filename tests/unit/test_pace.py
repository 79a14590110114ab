"""How fetches are spaced."""

import pytest

from hookline.processors.pace import Pace


def _after(rate: int, *, seconds: float = 1.0, records: int = 1) -> float:
    """What is waited after this many events a second have come for a while, so many a fetch."""
    pace = Pace(0.008)
    for number in range(int(rate * seconds)):
        pace.came(records, now_s=number / rate)
    return pace.wait_s(now_s=(int(rate * seconds) - 1) / rate)


@pytest.mark.parametrize("rate", [1, 20, 200, 300])
def test_few_events_are_fetched_at_once(rate: int) -> None:
    assert _after(rate) == 0.0


@pytest.mark.parametrize("rate", [500, 1_000, 5_000])
def test_many_events_are_fetched_some_at_a_time(rate: int) -> None:
    assert _after(rate) == pytest.approx(0.008)


def test_a_backlog_is_fetched_at_once() -> None:
    assert _after(100, records=500) == 0.0


def test_a_lone_event_after_a_rush_does_not_wait() -> None:
    pace = Pace(0.008)
    for number in range(1_000):
        pace.came(1, now_s=number / 1_000)
    assert pace.wait_s(now_s=0.999) > 0
    pace.came(1, now_s=5.0)
    assert pace.wait_s(now_s=5.0) == 0.0


def test_time_that_has_passed_is_not_waited_again() -> None:
    pace = Pace(0.008)
    for number in range(1_000):
        pace.came(1, now_s=number / 1_000)
    assert pace.wait_s(now_s=0.999 + 0.005) == pytest.approx(0.003)
    assert pace.wait_s(now_s=2.0) == 0.0
