"""Response times in fixed buckets, so that counts of any hours and webhooks can be added up, and percentiles read from the sum."""

from bisect import bisect_left
from collections.abc import Mapping

from hookline.schemas.records import Attempt, Outcome

# Upper bounds in milliseconds, four to a doubling: a percentile is at most 19 % off. Never change them: stored counts bear their
# numbers. The last bucket holds what took longer than the last bound; no attempt may (`request_timeout_s`).
BOUNDS_MS = tuple(sorted({round(2 ** (quarter / 4)) for quarter in range(61)}))
SUCCEEDED = "succeeded"
_ANSWERED = (SUCCEEDED, "gone", "status_")


def bucket(duration_ms: int) -> int:
    """The number of the bucket that counts this duration."""
    return bisect_left(BOUNDS_MS, duration_ms)


def percentile_ms(counts: Mapping[int, int], share: float) -> int | None:
    """The duration that this share of them did not exceed, by buckets' counts; None if nothing was counted."""
    wanted = share * sum(counts.values())
    before = 0
    for number in sorted(counts):
        if counts[number] and before + counts[number] >= wanted:
            return _within(number, (wanted - before) / counts[number])
        before += counts[number]
    return None


def ending(attempt: Attempt) -> str:
    """How a request ended, as statistics tell it apart: succeeded, or its error; answers by their first digit."""
    if attempt.outcome is Outcome.SUCCEEDED:
        return SUCCEEDED
    if attempt.error == "status" and attempt.response_code is not None:
        return f"status_{attempt.response_code // 100}xx"
    return attempt.error or "unknown"


def is_answered(how: str) -> bool:
    """Whether requests that ended so were answered: only their durations are response times."""
    return how.startswith(_ANSWERED)


def _within(number: int, share: float) -> int:
    """As far into the bucket as the share says."""
    low = BOUNDS_MS[number - 1] if number else 0
    high = BOUNDS_MS[min(number, len(BOUNDS_MS) - 1)]
    return round(low + (high - low) * share)
