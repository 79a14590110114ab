from itertools import pairwise

import pytest

from hookline.core.metering import Meter, batch_size


@pytest.mark.parametrize(("rate", "size"), [(1, 1), (19, 1), (40, 2), (1_000, 50), (1_000_000, 500)])
def test_a_twentieth_of_a_second_goes_together(rate: int, size: int) -> None:
    assert batch_size(rate) == size


@pytest.mark.parametrize("rate", [1, 7, 100, 1_000])
def test_what_goes_is_at_the_rate_and_even(rate: int) -> None:
    meter, now_s, went = Meter(), 100.0, list[float]()
    for _ in range(200):
        now_s += meter.wait_s(now_s)
        went.append(now_s)
        meter.took(batch_size(rate), rate=rate, now_s=now_s)
    later = [after - before for before, after in pairwise(went)]
    assert later == pytest.approx([batch_size(rate) / rate] * len(later))


def test_what_was_late_is_caught_up_with_for_a_quarter_of_a_second_and_no_more() -> None:
    meter = Meter()
    meter.took(1, rate=10, now_s=0.0)
    meter.took(1, rate=10, now_s=60.0)
    at_once = 1
    while not meter.wait_s(60.0):
        meter.took(1, rate=10, now_s=60.0)
        at_once += 1
    assert at_once == 3


def test_a_new_rate_counts_from_the_next_batch_on() -> None:
    meter = Meter()
    meter.took(50, rate=1_000, now_s=0.0)
    assert meter.wait_s(0.0) == pytest.approx(0.05)
    meter.took(1, rate=1, now_s=0.05)
    assert meter.wait_s(0.05) == pytest.approx(1.0)
