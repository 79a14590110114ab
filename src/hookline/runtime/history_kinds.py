"""Filtered lists that pass over no row in vain, however rare what is asked for.

Rows of one subscription are of few *kinds*: event type, state (or outcome) and response code. One index has the rows of each
kind in the order of lists. So a filter is answered in two steps: which kinds are there that it lets through, skipping from one
to the next in the index; then the newest rows of each of them, and of all these the newest.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    Column,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    func,
    select,
    true,
    tuple_,
)

from hookline.runtime.history_database import Database
from hookline.runtime.history_joins import InOrder
from hookline.runtime.history_questions import Cursor
from hookline.runtime.history_tables import ATTEMPTS, DELIVERIES

_EVER_MS = 2**62
_LAST: Cursor = (_EVER_MS, "")


@dataclass(frozen=True, slots=True)
class Listed:
    """A table that is listed: what its rows are ordered by, what makes their kind, and whether only requests count."""

    table: Table
    at: str
    id: str
    kind: tuple[str, str, str]
    only_requests: bool


LISTED_DELIVERIES = Listed(DELIVERIES, "first_at_ms", "delivery_id", ("event_type", "state", "response_code"), False)
LISTED_LOGS = Listed(ATTEMPTS, "started_at_ms", "attempt_id", ("event_type", "outcome", "response_code"), True)


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

    def takes(self, kind: tuple[Any, ...]) -> bool:
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
    found = await database.rows(_kinds(listed), {"mine": page.subscription_id})
    kinds = [kind for kind in map(tuple, found) if wanted.takes(kind)]
    if not kinds:
        return []
    if database.is_postgres:
        arrays = {name: list(values) for name, values in zip(listed.kind, zip(*kinds, strict=True), strict=True)}
        return await database.rows(_of_kinds_in_arrays(listed), {**page.values(), **arrays})
    return await database.rows(_of_kinds_in_json(listed), {**page.values(), "kinds": json.dumps(kinds)})


@cache
def _of_any_kind(listed: Listed) -> Select[Any]:
    return _ordered(listed, select(listed.table).where(*_mine(listed, listed.table), *_part(listed, listed.table)))


@cache
def _of_kinds_in_arrays(listed: Listed) -> Select[Any]:
    columns = [listed.table.c[name] for name in listed.kind]
    arrays = [bindparam(each.name, type_=ARRAY(each.type)) for each in columns]
    kinds = func.unnest(*arrays).table_valued(*(Column(each.name, each.type) for each in columns), name="kinds")
    given = kinds.render_derived()
    same = [listed.table.c[name] == given.c[name] for name in listed.kind]
    of_one = _ordered(listed, _keys(listed, listed.table).where(*same, *_part(listed, listed.table))).lateral("of_one")
    return _rows(listed, _ordered(listed, select(of_one).select_from(given.join(of_one, true())), of_one).subquery())


@cache
def _of_kinds_in_json(listed: Listed) -> Select[Any]:
    """SQLite has no LATERAL: for each kind the time of its last row on this page, and then what is not older."""
    given = func.json_each(bindparam("kinds")).table_valued("value", name="kinds")
    other = listed.table.alias("other")
    last = _keys(listed, other).with_only_columns(other.c[listed.at]).where(*_same(listed, other, given))
    last = _ordered(listed, last.where(*_part(listed, other)), other).limit(1)
    last = last.offset(bindparam("limit") - 1)
    since = func.coalesce(last.scalar_subquery().correlate(given), bindparam("since"))
    table = listed.table
    # Only one lower bound: with two, SQLite may begin at the wrong one.
    part = [*_mine(listed, table), *_same(listed, table, given), *_until(listed, table), table.c[listed.at] >= since]
    keys = select(table.c[listed.at], table.c[listed.id]).select_from(InOrder(given, table, and_(*part)))
    return _rows(listed, _ordered(listed, keys).subquery())


def _rows(listed: Listed, keys: Subquery) -> Select[Any]:
    """The rows that these keys are of. Rows are wide, so they are read only once it is known which."""
    table = listed.table
    same = and_(*_mine(listed, table), *(table.c[name] == keys.c[name] for name in (listed.at, listed.id)))
    return _ordered(listed, select(table).select_from(InOrder(keys, table, same)))


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


@cache
def _kinds(listed: Listed) -> Select[Any]:
    """Every kind that the subscription has rows of: event types, of each its endings, of each of these its codes; all by index."""
    types = _deeper(listed, listed.kind[:1], None)
    found = _deeper(listed, listed.kind, _deeper(listed, listed.kind[:2], types))
    last = found.c[listed.kind[-1]]
    return select(*(found.c[name] for name in listed.kind)).where(last.is_not(None))


def _deeper(listed: Listed, names: Sequence[str], before: CTE | None) -> CTE:
    """Of each beginning of a kind, every next column's value, and NULL behind the last."""
    *given, name = names
    begun = [] if before is None else [before.c[each] for each in given]
    first = select(*begun, _least(listed, names, before, None).label(name))
    if before is not None:
        first = first.where(before.c[given[-1]].is_not(None))
    found = first.cte(f"by_{name}", recursive=True)
    following = select(*(found.c[each] for each in given), _least(listed, names, found, found.c[name]))
    return found.union_all(following.where(found.c[name].is_not(None)))


def _least(listed: Listed, names: Sequence[str], begun: CTE | None, after: ColumnElement[Any] | None) -> Any:
    *given, name = names
    table = listed.table
    least = select(func.min(table.c[name])).where(*_mine(listed, table))
    if begun is not None:
        least = least.where(*(table.c[each] == begun.c[each] for each in given))
    if after is not None:
        least = least.where(table.c[name] > after)
    return least.scalar_subquery() if begun is None else least.correlate(begun).scalar_subquery()
