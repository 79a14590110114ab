"""Records as rows of the history store, and rows as what they say. Every row has its table's columns in order."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from hookline.core.progress import Furthest, LastRequest, Origin, Progress, Requests, Step, is_request
from hookline.core.response_times import bucket, ending
from hookline.runtime.history_tables import ATTEMPTS, DELIVERIES, HOUR_MS, places
from hookline.schemas.records import Attempt, AuditEntry

Row = tuple[Any, ...]
_IS_REQUEST, _STARTED = places(ATTEMPTS, "is_request", "started_at_ms")
(_FIRST,) = places(DELIVERIES, "first_at_ms")
_kind_of_attempt = itemgetter(*places(ATTEMPTS, "event_type", "outcome", "response_code"))
_kind_of_delivery = itemgetter(*places(DELIVERIES, "event_type", "state", "response_code"))


def attempt_row(attempt: Attempt) -> Row:
    """A row of `attempts`."""
    return (
        attempt.subscription_id,
        is_request(attempt),
        attempt.started_at_ms,
        attempt.attempt_id,
        attempt.account_id,
        attempt.delivery_id,
        attempt.event_id,
        attempt.event_type,
        attempt.run,
        attempt.attempt,
        attempt.is_test,
        attempt.outcome.value,
        attempt.duration_ms,
        attempt.response_code or 0,
        attempt.response_body or None,
        attempt.error,
        attempt.detail,
        attempt.next_attempt_at_ms,
        attempt.job_id,
        _lines(attempt.request_headers),
        _lines(attempt.response_headers),
    )


def delivery_row(attempt: Attempt, progress: Progress) -> Row:
    """A row of `deliveries`: any of its records, and how far all of them have brought it."""
    first_at_ms, origin, furthest, request, requests, steps, is_delivered = progress
    return (
        attempt.subscription_id,
        first_at_ms,
        attempt.delivery_id,
        attempt.account_id,
        attempt.event_id,
        attempt.event_type,
        attempt.is_test,
        origin.partition,
        origin.offset,
        furthest.run,
        furthest.grade,
        furthest.attempt,
        furthest.rank,
        furthest.at_ms,
        furthest.outcome,
        progress.state.value,
        furthest.next_attempt_at_ms or None,
        request.grade,
        request.attempt,
        request.ended_at_ms,
        request.response_code,
        requests.made,
        _written(steps),
        origin.in_replays,
        origin.job_id or None,
        is_delivered and not furthest.grade,
    )


def progress_of(row: Any) -> Progress:
    """How far a delivery has come, as its row says."""
    return Progress(
        row.first_at_ms,
        Origin(row.run, bool(row.origin_in_replays), row.origin_partition, row.origin_offset, row.job_id or ""),
        Furthest(row.run, row.grade, row.attempt, row.rank, row.at_ms, row.outcome, row.next_attempt_at_ms or 0),
        LastRequest(row.run, row.request_grade, row.request_attempt, row.request_at_ms, row.response_code),
        Requests(row.run, row.requests),
        steps_of(row.steps),
        is_delivered(row),
    )


def is_delivered(row: Any) -> bool:
    """Whether any run of a delivery succeeded, as its row says."""
    return bool(row.grade or row.delivered_before)


def headers_of(text: str | None) -> tuple[str, ...]:
    """The headers that a row's text holds."""
    return tuple(text.split("\n")) if text else ()


def steps_of(text: str) -> tuple[Step, ...]:
    """The steps that a row's text says."""
    return tuple(_step(each) for each in text.split(","))


def audit_row(entry: AuditEntry) -> Row:
    """A row of `audit`."""
    return (
        entry.account_id,
        entry.at_ms,
        entry.audit_id,
        entry.actor,
        entry.request_id,
        entry.operation,
        entry.subject,
        entry.before,
        entry.after,
    )


def counts_of(attempts: Iterable[Attempt]) -> Sequence[Row]:
    """Rows of `request_counts` to add, in the order of their keys: two processes never wait for each other crosswise."""
    counts = Counter(
        (
            each.account_id,
            each.subscription_id,
            each.started_at_ms // HOUR_MS * HOUR_MS,
            ending(each),
            bucket(each.duration_ms),
        )
        for each in attempts
        if is_request(each) and not each.is_test
    )
    of_accounts: Counter[Row] = Counter()
    for (account_id, _, *rest), count in counts.items():
        of_accounts[(account_id, "", *rest)] += count
    return sorted((*key, count) for each in (counts, of_accounts) for key, count in each.items())


def kinds_of(attempts: Iterable[Row], deliveries: Iterable[Row]) -> Iterator[tuple[Row, int]]:
    """Of rows of `attempts` and of `deliveries` the kinds, as keys of `kinds`, each with its row's time."""
    for row in attempts:
        if row[_IS_REQUEST]:
            yield (row[0], ATTEMPTS.name, *_kind_of_attempt(row)), row[_STARTED]
    for row in deliveries:
        yield (row[0], DELIVERIES.name, *_kind_of_delivery(row)), row[_FIRST]


def _lines(headers: Sequence[str]) -> str | None:
    return "\n".join(headers) or None


def _written(steps: Sequence[Step]) -> str:
    """Time, run, attempt; without a request a `-` behind it."""
    return ",".join([f"{at_ms}.{run}.{attempt}{'' if asked else '-'}" for at_ms, run, attempt, asked in steps])


def _step(text: str) -> Step:
    at_ms, run, attempt = text.removesuffix("-").split(".")
    return Step(int(at_ms), int(run), int(attempt), not text.endswith("-"))
