"""Response times in buckets, and percentiles of them."""

from dataclasses import replace
from itertools import pairwise

import pytest

from fakes.records import attempt
from hookline.core.response_times import BOUNDS_MS, bucket, ending, is_answered, percentile_ms
from hookline.schemas.records import Outcome


def test_the_bounds_never_change_for_stored_counts_bear_their_numbers() -> None:
    assert (len(BOUNDS_MS), BOUNDS_MS[:12], BOUNDS_MS[-1]) == (56, (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16), 32_768)


def test_a_bucket_is_at_most_a_fifth_wider_than_the_one_before() -> None:
    assert max(high / low for low, high in pairwise(BOUNDS_MS[7:])) < 1.26


@pytest.mark.parametrize(("duration_ms", "number"), [(0, 0), (1, 0), (2, 1), (3, 2), (9, 8), (10, 8), (30_000, 55)])
def test_the_bucket_of_a_duration(duration_ms: int, number: int) -> None:
    assert bucket(duration_ms) == number


def test_what_takes_longer_than_any_request_may_is_counted_last() -> None:
    assert bucket(10**9) == len(BOUNDS_MS)
    assert percentile_ms({len(BOUNDS_MS): 3}, 0.5) == BOUNDS_MS[-1]


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_less_than_a_fifth_off(share: float) -> None:
    durations = sorted((number * 7_919) % 20_000 + 5 for number in range(20_000))
    counts: dict[int, int] = {}
    for each in durations:
        counts[bucket(each)] = counts.get(bucket(each), 0) + 1
    found = percentile_ms(counts, share)
    assert found is not None
    assert abs(found / durations[int(share * len(durations))] - 1) < 0.19


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile_ms({}, 0.5) is None
    assert percentile_ms({3: 0}, 0.5) is None


@pytest.mark.parametrize(
    ("error", "code", "how", "answered"),
    [
        (None, 200, "succeeded", True),
        ("status", 404, "status_4xx", True),
        ("status", 503, "status_5xx", True),
        ("gone", 410, "gone", True),
        ("timeout", None, "timeout", False),
        (None, None, "unknown", False),
    ],
)
def test_how_a_request_ended(error: str | None, code: int | None, how: str, answered: bool) -> None:
    outcome = Outcome.SUCCEEDED if code == 200 else Outcome.FAILED
    found = ending(replace(attempt(1, outcome), error=error, response_code=code))
    assert (found, is_answered(found)) == (how, answered)
