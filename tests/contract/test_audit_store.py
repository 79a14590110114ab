"""Audit entries in the history store: listed the newest first, page by page, each once."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from fakes.audit import AT_MS, audit_entry
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.settings import Settings
from hookline.schemas.records import AuditEntry

HOSTILE = (
    "'; DROP TABLE audit; --",
    '" OR 1=1 --',
    "%",
    "_",
    "acct\\_1",
    "\u202e\U0001f600",
    "",
    " ",
    "ACCT_1",
    "x" * 5_000,
)


async def listed(
    store: HistoryStore,
    *,
    account: str | None = None,
    subject: str | None = None,
    before: tuple[int, str] | None = None,
    limit: int = 1_000,
) -> list[AuditEntry]:
    return list(await store.audit(account_id=account, subject=subject, before=before, limit=limit))


async def all_pages(
    store: HistoryStore, *, account: str | None = None, subject: str | None = None, limit: int
) -> list[AuditEntry]:
    """What is listed page by page, each beginning where the one before ended."""
    found: list[AuditEntry] = []
    before: tuple[int, str] | None = None
    while page := await listed(store, account=account, subject=subject, before=before, limit=limit):
        assert len(page) <= limit
        found += page
        before = (page[-1].at_ms, page[-1].audit_id)
    return found


def newest_first(entries: Sequence[AuditEntry]) -> list[AuditEntry]:
    return sorted(entries, key=lambda each: (each.at_ms, each.audit_id), reverse=True)


def many() -> list[AuditEntry]:
    """5,000 entries of six accounts (one of them the installation) and 40 subjects, up to 70 at the same time."""
    return [
        audit_entry(
            number,
            account=f"acct_{number % 6}" if number % 6 else "",
            at_ms=AT_MS + number // 70,
            subject=f"wh_{number % 40}",
        )
        for number in range(5_000)
    ]


async def test_an_entry_is_listed_as_it_was_written(store: HistoryStore) -> None:
    written = [
        audit_entry(1),
        replace(audit_entry(2), before='{"a":1}', after=None, actor="link:key_1", request_id=""),
    ]
    await store.ingest(written, {})
    assert await listed(store, account="acct_1") == newest_first(written)


async def test_repeats_of_an_entry_change_nothing(store: HistoryStore) -> None:
    first = audit_entry(1)
    await store.ingest([first, first], {})
    await store.ingest([first, replace(first, operation="webhook.delete")], {})
    assert await listed(store) == [first]


@pytest.mark.parametrize(("count", "limit"), [(300, 1), (5_000, 7), (5_000, 1_000)])
async def test_over_all_pages_every_entry_is_listed_once_the_newest_first(
    store: HistoryStore, count: int, limit: int
) -> None:
    entries = many()[:count]
    await store.ingest(entries[::-2], {})
    await store.ingest(entries[::2], {})
    for account in (None, "acct_1", ""):
        wanted = [each for each in entries if account in {None, each.account_id}]
        assert await all_pages(store, account=account, limit=limit) == newest_first(wanted)


async def test_a_list_of_one_subject_holds_no_other_and_none_of_another_account(store: HistoryStore) -> None:
    entries = many()
    await store.ingest(entries, {})
    for account in (None, "acct_2", "acct_3"):
        wanted = [each for each in entries if each.subject == "wh_8" and account in {None, each.account_id}]
        assert await all_pages(store, account=account, subject="wh_8", limit=9) == newest_first(wanted)
    assert await listed(store, account="acct_9", subject="wh_8") == []


async def test_entries_that_come_between_two_pages_are_not_mixed_into_the_later_one(store: HistoryStore) -> None:
    await store.ingest([audit_entry(number) for number in range(10)], {})
    first = await listed(store, limit=5)
    await store.ingest([audit_entry(99), audit_entry(100, at_ms=AT_MS + 1)], {})
    second = await listed(store, before=(first[-1].at_ms, first[-1].audit_id))
    assert [each.audit_id for each in first + second] == [f"audit_{number:06}" for number in range(9, -1, -1)]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_ids_are_ids_like_any_other(store: HistoryStore, hostile: str) -> None:
    other = audit_entry(2, at_ms=AT_MS + 1)
    ours = audit_entry(3, account=hostile, subject=hostile, audit_id=f"{hostile}_a")
    older = audit_entry(4, account=hostile, subject=hostile, audit_id=f"{hostile}_", at_ms=AT_MS - 1)
    await store.ingest([other, ours, older], {})
    assert await listed(store, account=hostile) == [ours, older]
    assert await listed(store, subject=hostile) == [ours, older]
    assert await listed(store, account=hostile, subject=hostile, before=(AT_MS, ours.audit_id)) == [older]
    assert await listed(store) == [other, ours, older]


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        ({"before": (2**80, "x")}, 9),
        ({"before": (-(2**80), "x")}, 9),
        ({"subject": "\ud800"}, 9),
        ({"account": "\udfff"}, 9),
        ({"before": (AT_MS, "\ud800")}, 9),
        ({}, 0),
        ({}, -1),
    ],
)
async def test_what_no_row_can_hold_is_not_found(store: HistoryStore, asked: dict[str, Any], limit: int) -> None:
    await store.ingest([audit_entry()], {})
    assert await listed(store, limit=limit, **asked) == []


async def test_a_list_of_large_entries_ends_before_it_is_dear_and_goes_on_where_it_ended(store: HistoryStore) -> None:
    large = [replace(audit_entry(number), before="x" * 200_000, after="y" * 200_000) for number in range(10)]
    await store.ingest(large, {})
    assert len(await listed(store)) == 3
    assert await all_pages(store, limit=1_000) == newest_first(large)


async def test_no_more_than_a_thousand_are_listed_at_once(store: HistoryStore) -> None:
    await store.ingest(many()[:1_500], {})
    assert len(await listed(store, limit=10**9)) == 1_001  # a page, and one more that says whether another follows


@pytest.mark.parametrize(
    ("account", "subject", "index"),
    [
        (None, None, "INDEX audit_newest"),
        ("acct_1", None, "PRIMARY KEY"),
        (None, "wh_1", "INDEX audit_of_subject"),
        ("acct_1", "wh_1", "INDEX audit_of_subject"),
    ],
)
@pytest.mark.parametrize("before", [None, (AT_MS, "audit_000001")])
async def test_a_page_is_read_from_an_index_and_not_sorted(
    tmp_path: Path, account: str | None, subject: str | None, index: str, before: tuple[int, str] | None
) -> None:
    settings = Settings(data_dir=tmp_path)
    async with open_history(settings) as store:
        asked: list[tuple[str, Any]] = []
        engine = store._database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, values, *_: asked.append((sql, values)))
        await listed(store, account=account, subject=subject, before=before)
    ((sql, values),) = [each for each in asked if each[0].startswith("SELECT")]
    with closing(sqlite3.connect(settings.history_address().removeprefix("sqlite+aiosqlite:///"))) as database:
        ((*_, step),) = database.execute(f"EXPLAIN QUERY PLAN {sql}", values)
    assert f"USING {index}" in step
