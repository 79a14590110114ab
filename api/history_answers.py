"""From rows of the history store to the bodies of answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from hookline.api.answers import timestamp
from hookline.api.history_responses import (
    BodyState,
    DeliveredLog,
    Delivery,
    DeliveryList,
    EventShown,
    FailedDelivery,
    FailedLog,
    Header,
    LogList,
    ResponseTimes,
    StatsShown,
    Step,
    SucceededDelivery,
    VolumeRow,
)
from hookline.api.listing import Page, cut
from hookline.api.requests import without_nulls
from hookline.core.progress import State
from hookline.runtime.history_questions import DeliveryRow, LogRow, Stats, StepRow, WholeDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is known of a delivery's body. `text` is None unless it is kept, `kept_until_ms` also where nothing is removed."""

    state: BodyState
    text: str | None = None
    kept_until_ms: int | None = None


def delivery_list(rows: Sequence[DeliveryRow], page: Page, *, now_ms: int) -> DeliveryList:
    """A page; `rows` has one more than its limit where there is a next one."""
    shown, cursor = cut(rows, page, lambda row: row.cursor)
    return DeliveryList(deliveries=tuple(delivery(row, now_ms) for row in shown), **_next(cursor))


def log_list(rows: Sequence[LogRow], page: Page) -> LogList:
    """A page; `rows` has one more than its limit where there is a next one."""
    shown, cursor = cut(rows, page, lambda row: row.cursor)
    return LogList(logs=tuple(map(_log, shown)), **_next(cursor))


def event_shown(event_id: str, rows: Sequence[DeliveryRow], page: Page, *, now_ms: int) -> EventShown:
    """Where an event went; there is at least one row."""
    left = rows if page.after is None else [row for row in rows if row.cursor < page.after]
    shown, cursor = cut(left, page, lambda row: row.cursor)
    deliveries = tuple(delivery(row, now_ms, is_of_many=True) for row in shown)
    return EventShown(id=event_id, event=rows[0].event_type, deliveries=deliveries, **_next(cursor))


def whole_delivery(found: WholeDelivery, body: Body, *, now_ms: int) -> Delivery:
    """All of a delivery."""
    row = found.delivery
    times = {
        "delivered_at": row.delivered_at_ms,
        "last_attempt_at": row.last_attempt_at_ms,
        "next_attempt_at": _next_ms(row, now_ms),
        "body_kept_until": body.kept_until_ms,
    }
    return Delivery(
        id=row.delivery_id,
        webhook_id=row.subscription_id,
        event=row.event_type,
        event_id=row.event_id,
        status=row.status,
        state=State(row.state),
        response_code=row.response_code,
        attempts=row.attempts,
        is_test=row.is_test,
        body=body.text,
        body_state=body.state,
        steps=tuple(map(_step, found.steps)),
        **without_nulls({"job_id": row.job_id}),
        **{name: timestamp(at_ms) for name, at_ms in without_nulls(times).items()},
    )


def stats_shown(stats: Stats) -> StatsShown:
    """Numbers, as the API shows them."""
    requests = stats.succeeded + stats.failed
    volume = [
        VolumeRow(at=timestamp(each.at_ms), succeeded=each.succeeded, failed=each.failed) for each in stats.volume
    ]
    return StatsShown(
        since=timestamp(stats.since_ms),
        until=timestamp(stats.until_ms),
        succeeded=stats.succeeded,
        failed=stats.failed,
        success_rate=round(stats.succeeded / requests, 6) if requests else None,
        response_time=ResponseTimes(p50=stats.p50_ms, p95=stats.p95_ms, p99=stats.p99_ms),
        errors=dict(stats.errors),
        volume=tuple(volume),
    )


def delivery(row: DeliveryRow, now_ms: int, *, is_of_many: bool = False) -> SucceededDelivery | FailedDelivery:
    """One delivery in a list; of many webhooks: with the one that it is for."""
    more = without_nulls({"webhook_id": row.subscription_id if is_of_many else None, "job_id": row.job_id})
    if row.status == "succeeded" and row.delivered_at_ms is not None:
        return SucceededDelivery(
            id=row.delivery_id,
            event=row.event_type,
            status="succeeded",
            response_code=row.response_code,
            delivered_at=timestamp(row.delivered_at_ms),
            attempts=row.attempts,
            state=State(row.state),
            **more,
        )
    times = {"last_attempt_at": row.last_attempt_at_ms, "next_attempt_at": _next_ms(row, now_ms)}
    return FailedDelivery(
        id=row.delivery_id,
        event=row.event_type,
        status="failed",
        response_code=row.response_code,
        attempts=row.attempts,
        state=State(row.state),
        **more,
        **{name: timestamp(at_ms) for name, at_ms in without_nulls(times).items()},
    )


def _next(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"next_cursor": cursor}


def _next_ms(row: DeliveryRow, now_ms: int) -> int | None:
    """Not before now, for what is held back: only its first postponement is on record, and that may be long ago."""
    if row.next_attempt_at_ms is None or row.state != "postponed":
        return row.next_attempt_at_ms
    return max(row.next_attempt_at_ms, now_ms)


def _log(row: LogRow) -> DeliveredLog | FailedLog:
    if row.status == "delivered":
        return DeliveredLog(
            id=row.attempt_id,
            event=row.event_type,
            status="delivered",
            response_code=row.response_code,
            response_time=row.response_time_ms,
            delivered_at=timestamp(row.at_ms),
            **without_nulls({"job_id": row.job_id}),
        )
    return FailedLog(
        id=row.attempt_id,
        event=row.event_type,
        status="failed",
        response_code=row.response_code,
        response_time=row.response_time_ms,
        attempted_at=timestamp(row.at_ms),
        **without_nulls({"error": row.error, "detail": row.detail, "job_id": row.job_id}),
    )


def _step(row: StepRow) -> Step:
    next_ms = row.next_attempt_at_ms
    optional = {
        "response_body": row.response_body.decode(errors="replace") or None,
        "error": row.error,
        "detail": row.detail,
        "next_attempt_at": None if next_ms is None else timestamp(next_ms),
        "job_id": row.job_id,
        "request_headers": _headers(row.request_headers),
        "response_headers": _headers(row.response_headers),
    }
    return Step(
        id=row.attempt_id,
        outcome=row.outcome.value,
        attempt=row.attempt,
        run=row.run,
        at=timestamp(row.started_at_ms),
        response_time=row.duration_ms,
        response_code=row.response_code,
        **without_nulls(optional),
    )


def _headers(texts: Sequence[str]) -> tuple[Header, ...] | None:
    return tuple(map(_header, texts)) or None


def _header(text: str) -> Header:
    name, _, value = text.partition(":")
    return Header(name=name, value=value.strip())
