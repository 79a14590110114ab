import pytest

from fakes.clock import SetClock
from hookline.dispatchers.steady import SteadyClock


@pytest.mark.parametrize(("gap_s", "passed_ms"), [(0.05, 50), (0.4, 400), (0.5, 400), (600.0, 400)])
def test_a_gap_longer_than_a_busy_loops_is_left_out_for_whoever_looks_first(gap_s: float, passed_ms: float) -> None:
    clock = SetClock()
    steady = SteadyClock(clock, looked_at_every_s=0.1)
    before_ms = steady.now_ms()
    clock.s += gap_s
    assert steady.now_ms() - before_ms == pytest.approx(passed_ms)
    clock.s += 0.2
    assert steady.now_ms() - before_ms == pytest.approx(passed_ms + 200)
