"""What the history store answers, on both databases, compared with a look at every record."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from fakes.records import ACCOUNT, AT_MS, EVENT_TYPES, WEBHOOK, attempt, lives
from hookline.core.progress import State, is_request
from hookline.core.response_times import ending
from hookline.runtime.history import HistoryStore
from hookline.runtime.history_questions import (
    ANY_DELIVERY,
    ANY_LOG,
    Cursor,
    DeliveryFilter,
    DeliveryRow,
    LogFilter,
    LogRow,
)
from hookline.schemas.records import Attempt, Outcome

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
RECORDS = lives(400, seed=11, webhooks=4)
MINE = [each for each in RECORDS if each.subscription_id == WEBHOOK]
WHOSE = "acct_1"


@pytest.fixture
async def full(store: HistoryStore) -> HistoryStore:
    """A store with all of the records."""
    for start in range(0, len(RECORDS), 150):
        await store.ingest(RECORDS[start : start + 150], {})
    return store


async def deliveries(
    store: HistoryStore,
    where: DeliveryFilter = ANY_DELIVERY,
    *,
    webhook: str = WEBHOOK,
    before: Cursor | None = None,
    limit: int = 1_000,
) -> list[DeliveryRow]:
    found = await store.deliveries(account_id=WHOSE, subscription_id=webhook, limit=limit, where=where, before=before)
    return list(found)


async def logs(
    store: HistoryStore, where: LogFilter = ANY_LOG, *, before: Cursor | None = None, limit: int = 1_000
) -> list[LogRow]:
    return list(await store.logs(account_id=WHOSE, subscription_id=WEBHOOK, limit=limit, where=where, before=before))


async def paged(ask: Callable[[Cursor | None], Any], limit: int) -> list[Any]:
    """Everything, page by page."""
    found: list[Any] = []
    while page := await ask(found[-1].cursor if found else None):
        assert len(page) <= limit
        found += page
    return found


def is_wanted(row: DeliveryRow, where: DeliveryFilter) -> bool:
    return (
        where.status in {None, row.status}
        and where.state in {None, row.state}
        and where.event_type in {None, row.event_type}
        and where.response_code in {None, row.response_code}
        and (where.since_ms is None or row.first_at_ms >= where.since_ms)
        and (where.until_ms is None or row.first_at_ms < where.until_ms)
    )


def is_logged(row: LogRow, where: LogFilter) -> bool:
    return (
        where.status in {None, row.status}
        and where.event_type in {None, row.event_type}
        and where.response_code in {None, row.response_code}
        and (where.since_ms is None or row.cursor[0] >= where.since_ms)
        and (where.until_ms is None or row.cursor[0] < where.until_ms)
    )


TIMES = [(None, None), (AT_MS + DAY_MS, None), (AT_MS + DAY_MS, AT_MS + 2 * DAY_MS), (None, AT_MS + 40 * HOUR_MS)]
DELIVERY_FILTERS = [
    DeliveryFilter(status=status, state=state, event_type=kind, response_code=code, since_ms=since, until_ms=until)  # type: ignore[arg-type]  # the statuses
    for status, state, kind, code, (since, until) in itertools.product(
        (None, "succeeded", "failed"), (None, *State), (None, *EVENT_TYPES, "none.such"), (None, 200, 500, 418), TIMES
    )
]
LOG_FILTERS = [
    LogFilter(status=status, event_type=kind, response_code=code, since_ms=since, until_ms=until)  # type: ignore[arg-type]  # the statuses
    for status, kind, code, (since, until) in itertools.product(
        (None, "delivered", "failed"), (None, *EVENT_TYPES, "none.such"), (None, 200, 500, 418), TIMES
    )
]


async def test_deliveries_and_logs_are_those_of_the_records(full: HistoryStore) -> None:
    asked = [each for each in MINE if is_request(each)]
    newest_first = sorted(asked, key=lambda each: (each.started_at_ms, each.attempt_id), reverse=True)
    assert [row.attempt_id for row in await logs(full)] == [each.attempt_id for each in newest_first]
    firsts: dict[str, int] = {}
    for each in MINE:
        firsts.setdefault(each.delivery_id, each.started_at_ms)
    wanted = sorted(((at_ms, each) for each, at_ms in firsts.items()), reverse=True)
    assert [row.cursor for row in await deliveries(full)] == wanted


async def test_every_filter_of_deliveries_lets_through_what_it_says(full: HistoryStore) -> None:
    every = await deliveries(full)
    assert {row.state for row in every} >= {"succeeded", "exhausted", "cancelled", "expired"}
    for where in Random(1).sample(DELIVERY_FILTERS, 250):  # noqa: S311 - the same every time
        assert await deliveries(full, where) == [row for row in every if is_wanted(row, where)], where


async def test_every_filter_of_logs_lets_through_what_it_says(full: HistoryStore) -> None:
    every = await logs(full)
    for where in LOG_FILTERS:
        assert await logs(full, where) == [row for row in every if is_logged(row, where)], where


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_over_all_pages_every_row_is_listed_once(full: HistoryStore, limit: int) -> None:
    for where in (ANY_DELIVERY, DeliveryFilter(status="failed"), DeliveryFilter(event_type="order.created")):
        every = [row for row in await deliveries(full) if is_wanted(row, where)]

        async def page(before: Cursor | None, where: DeliveryFilter = where) -> Sequence[DeliveryRow]:
            return await deliveries(full, where, before=before, limit=limit)

        assert await paged(page, limit) == every
    for asked in (ANY_LOG, LogFilter(status="failed"), LogFilter(response_code=500, until_ms=AT_MS + 2 * DAY_MS)):
        written = [row for row in await logs(full) if is_logged(row, asked)]

        async def written_page(before: Cursor | None, asked: LogFilter = asked) -> Sequence[LogRow]:
            return await logs(full, asked, before=before, limit=limit)

        assert await paged(written_page, limit) == written


async def test_rows_of_one_moment_are_listed_once_over_pages_also_when_filtered(store: HistoryStore) -> None:
    await store.ingest([attempt(event=f"evt_{number}", at_ms=AT_MS + number // 20) for number in range(60)], {})
    for where in (ANY_DELIVERY, DeliveryFilter(response_code=200)):

        async def page(before: Cursor | None, where: DeliveryFilter = where) -> Sequence[DeliveryRow]:
            return await deliveries(store, where, before=before, limit=7)

        assert len({row.delivery_id for row in await paged(page, 7)}) == 60


async def test_a_list_goes_on_where_it_was_although_new_rows_came(full: HistoryStore) -> None:
    first = await deliveries(full, limit=10)
    await full.ingest([attempt(event="evt_new", at_ms=AT_MS + 30 * DAY_MS)], {})
    rest = await deliveries(full, before=first[-1].cursor)
    assert [row.delivery_id for row in (await deliveries(full))[1:]] == [row.delivery_id for row in first + rest]


@pytest.mark.parametrize(
    "where",
    [
        DeliveryFilter(event_type="\ud800"),
        DeliveryFilter(event_type="a\x00b"),
        DeliveryFilter(since_ms=2**80),
        DeliveryFilter(until_ms=-(2**80)),
        DeliveryFilter(response_code=2**80),
        DeliveryFilter(event_type="'; DROP TABLE deliveries; --"),
    ],
)
async def test_what_no_row_can_hold_is_not_found(full: HistoryStore, where: DeliveryFilter) -> None:
    assert await deliveries(full, where) == []
    assert await deliveries(full, before=(AT_MS, "\udfff")) == []
    assert await deliveries(full, webhook="wh_\x00") == []


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_list_of_nothing_holds_nothing(full: HistoryStore, limit: int) -> None:
    assert await deliveries(full, limit=limit) == []
    assert await deliveries(full, DeliveryFilter(status="failed"), limit=limit) == []


async def test_a_filtered_list_of_another_account_holds_nothing(full: HistoryStore) -> None:
    where = DeliveryFilter(status="succeeded")
    assert await deliveries(full, where) != []
    assert await full.deliveries(account_id="acct_0", subscription_id=WEBHOOK, limit=9, where=where) == []
    assert (
        await full.logs(account_id="acct_0", subscription_id=WEBHOOK, limit=9, where=LogFilter(status="failed")) == []
    )


async def test_a_delivery_is_found_with_all_of_its_records(full: HistoryStore) -> None:
    by_delivery: dict[str, list[Attempt]] = {}
    for each in RECORDS:
        by_delivery.setdefault(each.delivery_id, []).append(each)
    listed = {row.delivery_id: row for row in await deliveries(full)}
    longest = sorted((each for each in by_delivery if each in listed), key=lambda each: len(by_delivery[each]))[-20:]
    for delivery_id in longest:
        found = await full.delivery(account_id=WHOSE, delivery_id=delivery_id)
        assert found is not None
        assert found.delivery == listed[delivery_id]
        assert [each.attempt_id for each in found.steps] == [each.attempt_id for each in by_delivery[delivery_id]]
        assert [each.outcome for each in found.steps] == [each.outcome for each in by_delivery[delivery_id]]
        assert [each.response_body for each in found.steps] == [each.response_body for each in by_delivery[delivery_id]]


@pytest.mark.parametrize("delivery_id", ["delivery_none", "", "\ud800", "a\x00b"])
async def test_a_delivery_that_is_not_there_is_none(full: HistoryStore, delivery_id: str) -> None:
    assert await full.delivery(account_id=WHOSE, delivery_id=delivery_id) is None


async def test_a_delivery_of_another_account_is_not_found(full: HistoryStore) -> None:
    assert await full.delivery(account_id="acct_0", delivery_id=MINE[0].delivery_id) is None
    assert await full.delivery(account_id="acct_none", delivery_id=MINE[0].delivery_id) is None


async def test_an_event_is_found_wherever_it_went(store: HistoryStore) -> None:
    went = [attempt(event="evt_x", webhook=f"wh_{number}", at_ms=AT_MS + number) for number in range(5)]
    held = attempt(1, Outcome.POSTPONED, event="evt_x", webhook="wh_9", at_ms=AT_MS + 9)
    foreign = attempt(event="evt_x", webhook="wh_7", account="acct_9")
    await store.ingest([*went, held, foreign, attempt(event="evt_y", webhook="wh_1")], {})
    found = await store.event(account_id=ACCOUNT, event_id="evt_x")
    assert [row.subscription_id for row in found] == ["wh_9", "wh_4", "wh_3", "wh_2", "wh_1", "wh_0"]
    assert {row.event_id for row in found} == {"evt_x"}
    assert await store.event(account_id=ACCOUNT, event_id="evt_z") == []
    assert await store.event(account_id=ACCOUNT, event_id="\ud800") == []
    assert len(await store.event(account_id="acct_9", event_id="evt_x")) == 1


def counted(records: Sequence[Attempt]) -> Counter[str]:
    return Counter(ending(each) for each in records if is_request(each) and not each.is_test)


async def test_stats_count_every_request_once(full: HistoryStore) -> None:
    await full.ingest(RECORDS[:200], {})
    await full.ingest([*RECORDS[150:], *RECORDS[:10]], {})
    for whose, webhook, records in (
        (WHOSE, WEBHOOK, MINE),
        (WHOSE, None, [each for each in RECORDS if each.account_id == WHOSE]),
    ):
        found = await full.stats(
            account_id=whose, subscription_id=webhook, since_ms=AT_MS, until_ms=AT_MS + 30 * DAY_MS, step_ms=DAY_MS
        )
        wanted = counted(records)
        assert found.succeeded == wanted.pop("succeeded")
        assert (dict(found.errors), found.failed) == (dict(wanted), wanted.total())
        assert sum(each.succeeded for each in found.volume) == found.succeeded
        assert sum(each.failed for each in found.volume) == found.failed


async def test_stats_of_a_time_are_those_of_its_whole_hours(full: HistoryStore) -> None:
    since_ms, until_ms = AT_MS + DAY_MS + 1, AT_MS + 2 * DAY_MS - 1
    found = await full.stats(
        account_id=WHOSE, subscription_id=WEBHOOK, since_ms=since_ms, until_ms=until_ms, step_ms=6 * HOUR_MS
    )
    low_ms, high_ms = since_ms // HOUR_MS * HOUR_MS, (until_ms // HOUR_MS + 1) * HOUR_MS
    within = [each for each in MINE if low_ms <= each.started_at_ms < high_ms]
    assert (found.since_ms, found.until_ms) == (low_ms, high_ms)
    assert found.succeeded + found.failed == counted(within).total()
    for stretch in found.volume:
        inside = [each for each in within if 0 <= each.started_at_ms - stretch.at_ms < 6 * HOUR_MS]
        assert stretch.succeeded == counted(inside)["succeeded"]
        assert stretch.failed == counted(inside).total() - stretch.succeeded


async def test_response_times_are_those_of_answered_requests(store: HistoryStore) -> None:
    answered = [
        replace(attempt(event=f"evt_{number}", at_ms=AT_MS + number), duration_ms=number + 1) for number in range(200)
    ]
    late = replace(
        attempt(1, Outcome.FAILED, event="evt_late"), duration_ms=30_000, error="timeout", response_code=None
    )
    test = replace(attempt(event="evt_test"), duration_ms=9_000, is_test=True)
    await store.ingest([*answered, late, test], {})
    found = await store.stats(
        account_id=ACCOUNT, subscription_id=WEBHOOK, since_ms=AT_MS, until_ms=AT_MS + 1, step_ms=HOUR_MS
    )
    assert (found.succeeded, found.errors) == (200, {"timeout": 1})
    for percentile, exact in ((found.p50_ms, 100), (found.p95_ms, 190), (found.p99_ms, 198)):
        assert percentile == pytest.approx(exact, rel=0.19)


async def test_stats_of_nothing_are_zero(full: HistoryStore) -> None:
    for whose, webhook in (("acct_0", WEBHOOK), (WHOSE, "wh_none"), ("acct_none", None), ("\ud800", None)):
        found = await full.stats(
            account_id=whose, subscription_id=webhook, since_ms=AT_MS, until_ms=AT_MS + DAY_MS, step_ms=HOUR_MS
        )
        assert (found.succeeded, found.failed, found.p50_ms, list(found.volume)) == (0, 0, None, [])
