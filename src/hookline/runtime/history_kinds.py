"""Filtered lists that pass over no row in vain, however rare what is asked for.

Rows of one subscription are of few *kinds*: event type, state (or outcome) and response code. One index has the rows of each
kind in the order of lists, and a table says which kinds there are. So a filter is answered by the newest rows of each kind that
it lets through, and of all these the newest.

An endpoint that answers with ever other codes makes thousands of kinds. Then the newest rows are looked through first, a bounded
number of them; only if too few are wanted is each kind looked up, and for one list at a time.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    func,
    select,
    true,
    tuple_,
)

from hookline.core.progress import state_of
from hookline.runtime.history_bulk import bulk
from hookline.runtime.history_database import Database, Moment
from hookline.runtime.history_joins import InOrder
from hookline.runtime.history_questions import Cursor
from hookline.runtime.history_tables import ATTEMPTS, DELIVERIES, KINDS, SHOWN_OF_DELIVERIES

_EVER_MS = 2**62
_FIRST: Cursor = (-1, "")
_LAST: Cursor = (_EVER_MS, "")
_AT_FIRST, _MORE = (
    3,
    5,
)  # rows of a kind that are read, beside its share of the page; how many times as many the next time
_KINDS_MAX = 200  # looked up without more ado: less work than to look through rows
WALKED_MAX = 2_000  # rows that are looked through: 6 ms on SQLite, where looking up 7,200 kinds takes 50 to 170
_KINDS_OF = select(KINDS.c.event_type, KINDS.c.ending, KINDS.c.response_code).where(
    KINDS.c.subscription_id == bindparam("mine"), KINDS.c.listed == bindparam("listed")
)
Kind = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A table that is listed: what its rows are ordered by, what makes their kind, and whether only requests count.

    `columns` are those that a list shows, in the order in which it takes them, and the owner as the last.
    """

    table: Table
    at: str
    id: str
    kind: tuple[str, str, str]
    only_requests: bool
    columns: tuple[str, ...]
    # What is read of a row to tell its kind, and how: for deliveries what the key's index holds, which their state is not.
    told_by: tuple[str, ...]
    kind_of: Callable[..., Kind]


def _kind_of_delivery(event_type: str, outcome: str, next_attempt_at_ms: int | None, response_code: int) -> Kind:
    return event_type, state_of(outcome, next_attempt_at_ms), response_code


def _kind_of_log(*kind: Any) -> Kind:
    return kind


LISTED_DELIVERIES = Listed(
    DELIVERIES,
    "first_at_ms",
    "delivery_id",
    ("event_type", "state", "response_code"),
    only_requests=False,
    columns=SHOWN_OF_DELIVERIES,
    told_by=("event_type", "outcome", "next_attempt_at_ms", "response_code"),
    kind_of=_kind_of_delivery,
)
WHOLE_DELIVERIES = replace(LISTED_DELIVERIES, columns=tuple(DELIVERIES.columns.keys()))
LISTED_LOGS = Listed(
    ATTEMPTS,
    "started_at_ms",
    "attempt_id",
    ("event_type", "outcome", "response_code"),
    only_requests=True,
    columns=(
        "attempt_id",
        "delivery_id",
        "event_type",
        "outcome",
        "attempt",
        "response_code",
        "duration_ms",
        "started_at_ms",
        "error",
        "detail",
        "job_id",
        "account_id",
    ),
    told_by=("event_type", "outcome", "response_code"),
    kind_of=_kind_of_log,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a subscription's rows: `since_ms <= time < until_ms`, behind `before`, at most `limit`."""

    subscription_id: str
    since_ms: int | None
    until_ms: int | None
    before: Cursor | None
    limit: int

    def values(self) -> Mapping[str, Any]:
        """As the statements' parameters."""
        at_ms, row_id = min(self.before or _LAST, _LAST if self.until_ms is None else (self.until_ms, ""))
        since_ms = 0 if self.since_ms is None else self.since_ms
        return {"mine": self.subscription_id, "since": since_ms, "at": at_ms, "id": row_id, "limit": self.limit}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which kinds; None: any. `endings` are states or outcomes."""

    event_type: str | None
    endings: Collection[str] | None
    response_code: int | None

    @property
    def is_all(self) -> bool:
        """Whether every kind is wanted."""
        return self.event_type is None and self.endings is None and self.response_code is None

    def of_kinds(self) -> Sequence[ColumnElement[bool]]:
        """The same as `takes`, of rows of `kinds`."""
        table, found = KINDS.c, list[ColumnElement[bool]]()
        if self.event_type is not None:
            found.append(table.event_type == self.event_type)
        if self.endings is not None:
            found.append(table.ending.in_(self.endings))
        if self.response_code is not None:
            found.append(table.response_code == self.response_code)
        return found

    def takes(self, kind: Sequence[Any]) -> bool:
        """Whether rows of this kind are wanted."""
        event_type, ending, response_code = kind
        return (
            self.event_type in {None, event_type}
            and (self.endings is None or ending in self.endings)
            and self.response_code in {None, response_code}
        )


async def newest(database: Database, listed: Listed, page: Page, wanted: Wanted) -> Sequence[Row[Any]]:
    """The rows of this part that are of a wanted kind, the newest first."""
    if page.limit <= 0:
        return []
    if wanted.is_all:
        return await database.rows(_of_any_kind(listed), page.values())
    async with database.moment() as moment:  # what changes its kind meanwhile is of one kind in it
        kinds = await _kinds(moment, listed, page, wanted, limit=_KINDS_MAX + 1)
        if len(kinds) <= _KINDS_MAX:
            return await _rows(moment, listed, page, await _newest_keys(moment, listed, page, kinds))
        keys = await _walked_keys(moment, listed, page, wanted)
        if keys is not None:
            return await _rows(moment, listed, page, keys)
    async with database.alone(), database.moment() as moment:
        kinds = await _kinds(moment, listed, page, wanted, limit=None)
        return await _rows(moment, listed, page, await _newest_keys(moment, listed, page, kinds))


async def _kinds(moment: Moment, listed: Listed, page: Page, wanted: Wanted, *, limit: int | None) -> Sequence[Kind]:
    question = _KINDS_OF.where(*wanted.of_kinds()).limit(limit)
    asked = {"mine": page.subscription_id, "listed": listed.table.name}
    return [tuple(row) for row in await moment.rows(question, asked)]


async def _rows(moment: Moment, listed: Listed, page: Page, keys: Sequence[Cursor]) -> Sequence[Row[Any]]:
    """The rows with these keys, the newest first."""
    names = ["subscription_id", *(["is_request"] if listed.only_requests else []), listed.at, listed.id]
    whole = [(page.subscription_id, *([True] if listed.only_requests else []), *key) for key in keys]
    asking = bulk(postgres=moment.is_postgres)
    rows = await moment.rows(*asking.rows_with(listed.table, names, whole, only=listed.columns))
    return sorted(rows, key=lambda row: (getattr(row, listed.at), getattr(row, listed.id)), reverse=True)


async def _walked_keys(moment: Moment, listed: Listed, page: Page, wanted: Wanted) -> Sequence[Cursor] | None:
    """Of wanted rows the newest, if enough of them are among the newest of all; else None."""
    rows = [tuple(row) for row in await moment.rows(_walk(listed), {**page.values(), "limit": WALKED_MAX})]
    keys = [(at_ms, row_id) for *told, at_ms, row_id in rows if wanted.takes(listed.kind_of(*told))]
    return keys[: page.limit] if len(keys) >= page.limit or len(rows) < WALKED_MAX else None


async def _newest_keys(moment: Moment, listed: Listed, page: Page, kinds: Sequence[Kind]) -> Sequence[Cursor]:
    """Of rows of these kinds the newest. Of each kind a few are read, and more of those that may have more of the newest."""
    found: dict[Kind, list[Cursor]] = {}
    of_each = min(page.limit, _AT_FIRST + _AT_FIRST * page.limit // max(1, len(kinds)))
    left = kinds
    while left:
        found |= await _of_kinds(moment, listed, page, left, of_each)
        left = [kind for kind in left if len(found.get(kind, ())) == of_each < page.limit]
        sure_from = max((found[kind][-1] for kind in left), default=_FIRST)
        sure = sorted((key for keys in found.values() for key in keys if key >= sure_from), reverse=True)
        if len(sure) >= page.limit or not left:
            return sure[: page.limit]
        of_each = min(page.limit, of_each * _MORE)
    return []


async def _of_kinds(
    moment: Moment, listed: Listed, page: Page, kinds: Sequence[Kind], of_each: int
) -> Mapping[Kind, list[Cursor]]:
    """By kind the keys of its newest rows."""
    values: dict[str, Any] = {**page.values(), "limit": of_each}
    if moment.is_postgres:
        values |= {name: list(each) for name, each in zip(listed.kind, zip(*kinds, strict=True), strict=True)}
        rows = await moment.covered_rows(_of_kinds_in_arrays(listed), values)
    else:
        rows = await moment.covered_rows(_of_kinds_in_json(listed), {**values, "kinds": json.dumps(kinds)})
    found: dict[Kind, list[Cursor]] = {}
    for row in map(tuple, rows):
        found.setdefault(row[:-2], []).append((row[-2], row[-1]))
    return {kind: sorted(keys, reverse=True)[:of_each] for kind, keys in found.items()}


@cache
def _of_any_kind(listed: Listed) -> Select[Any]:
    shown = [listed.table.c[name] for name in listed.columns]
    return _ordered(listed, select(*shown).where(*_mine(listed, listed.table), *_part(listed, listed.table)))


@cache
def _walk(listed: Listed) -> Select[Any]:
    columns = [listed.table.c[name] for name in (*listed.told_by, listed.at, listed.id)]
    return _ordered(listed, select(*columns).where(*_mine(listed, listed.table), *_part(listed, listed.table)))


@cache
def _of_kinds_in_arrays(listed: Listed) -> Select[Any]:
    columns = [listed.table.c[name] for name in listed.kind]
    arrays = [bindparam(each.name, type_=ARRAY(each.type)) for each in columns]
    kinds = func.unnest(*arrays).table_valued(*(Column(each.name, each.type) for each in columns), name="kinds")
    given = kinds.render_derived()
    same = [listed.table.c[name] == given.c[name] for name in listed.kind]
    of_one = _ordered(listed, _keys(listed, listed.table).where(*same, *_part(listed, listed.table))).lateral("of_one")
    return select(*given.c, *of_one.c).select_from(given.join(of_one, true()))


@cache
def _of_kinds_in_json(listed: Listed) -> Select[Any]:
    """SQLite has no LATERAL: for each kind the time of the last row that is wanted of it, and then what is not older."""
    given = func.json_each(bindparam("kinds")).table_valued("value", name="kinds")
    other = listed.table.alias("other")
    last = _keys(listed, other).with_only_columns(other.c[listed.at]).where(*_same(listed, other, given))
    last = _ordered(listed, last.where(*_part(listed, other)), other).limit(1)
    last = last.offset(bindparam("limit") - 1)
    since = func.coalesce(last.scalar_subquery().correlate(given), bindparam("since"))
    table = listed.table
    # Only one lower bound: with two, SQLite may begin at the wrong one.
    part = [*_mine(listed, table), *_same(listed, table, given), *_until(listed, table), table.c[listed.at] >= since]
    columns = [table.c[name] for name in (*listed.kind, listed.at, listed.id)]
    return select(*columns).select_from(InOrder(given, table, and_(*part)))


def _keys(listed: Listed, table: FromClause) -> Select[Any]:
    return select(table.c[listed.at], table.c[listed.id]).where(*_mine(listed, table))


def _same(listed: Listed, table: FromClause, given: Any) -> Sequence[ColumnElement[bool]]:
    return [table.c[name] == func.json_extract(given.c.value, f"$[{place}]") for place, name in enumerate(listed.kind)]


def _mine(listed: Listed, table: FromClause) -> Sequence[ColumnElement[bool]]:
    mine = table.c.subscription_id == bindparam("mine")
    return [mine, table.c.is_request] if listed.only_requests else [mine]


def _part(listed: Listed, table: FromClause) -> Sequence[ColumnElement[bool]]:
    return [table.c[listed.at] >= bindparam("since"), *_until(listed, table)]


def _until(listed: Listed, table: FromClause) -> Sequence[ColumnElement[bool]]:
    at, row_id = table.c[listed.at], table.c[listed.id]
    behind = tuple_(at, row_id) < tuple_(bindparam("at", type_=at.type), bindparam("id", type_=row_id.type))
    return [at <= bindparam("at"), behind]  # the first, for PostgreSQL to leave out partitions by it


def _ordered(listed: Listed, question: Select[Any], by: FromClause | None = None) -> Select[Any]:
    columns = (listed.table if by is None else by).c
    return question.order_by(columns[listed.at].desc(), columns[listed.id].desc()).limit(bindparam("limit"))
