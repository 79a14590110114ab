"""The history store's tables, and which of them take in what. The inserts' words differ between SQLite and PostgreSQL.

Facts only: what the API shows (`state`, `status`) is said when it is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Case,
    Column,
    ColumnElement,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    case,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from hookline.schemas.records import Attempt, AuditEntry, Outcome

METADATA = MetaData()

# The key holds what identifies an attempt (its id is derived from the rest) and, clustered, what listing is ordered by.
ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("account_id", Text, primary_key=True),
    Column("subscription_id", Text, primary_key=True),
    Column("started_at_ms", BigInteger, primary_key=True),
    Column("attempt_id", Text, primary_key=True),
    Column("delivery_id", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("is_request", Boolean, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("response_code", Integer),
    Column("response_body", LargeBinary),
    Column("error", Text),
    Column("detail", Text),
    Column("next_attempt_at_ms", BigInteger),
    sqlite_with_rowid=False,
)

# One row for each delivery. The columns from `run` on are its furthest record, those from `request_grade` on the last
# request of that record's run. `first_at_ms` is the earliest time known of it: listings are ordered by it.
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("account_id", Text, primary_key=True),
    Column("subscription_id", Text, primary_key=True),
    Column("delivery_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("origin_partition", Integer, nullable=False),
    Column("origin_offset", BigInteger, nullable=False),
    Column("first_at_ms", BigInteger, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("grade", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("next_attempt_at_ms", BigInteger),
    Column("request_grade", Integer, nullable=False),
    Column("request_attempt", Integer, nullable=False),
    Column("request_at_ms", BigInteger, nullable=False),
    Column("response_code", Integer),
    Column("requests", Integer, nullable=False),
    Index("deliveries_newest", "account_id", "subscription_id", "first_at_ms", "delivery_id"),
    sqlite_with_rowid=False,
)

# Clustered like attempts. The indexes are for who lists all accounts' entries, and for those of one subject.
AUDIT = Table(
    "audit",
    METADATA,
    Column("account_id", Text, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("audit_id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("audit_newest", "at_ms", "audit_id"),
    Index("audit_of_subject", "subject", "at_ms", "audit_id"),
    sqlite_with_rowid=False,
)

OFFSETS = Table(
    "offsets",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

_REQUESTS = frozenset({Outcome.SUCCEEDED, Outcome.FAILED})
# Of records with the same run and attempt number: a postponement comes before the request, an end without one after it.
_RANK = {Outcome.POSTPONED: 0, Outcome.FAILED: 1, Outcome.CANCELLED: 2, Outcome.EXPIRED: 2, Outcome.SUCCEEDED: 3}
_FURTHEST = ("run", "grade", "attempt", "rank", "at_ms")
_FURTHEST_STATE = (*_FURTHEST, "outcome", "next_attempt_at_ms")
_REQUEST = ("run", "request_grade", "request_attempt", "request_at_ms")
_REQUEST_STATE = (*_REQUEST[1:], "response_code")


@dataclass(frozen=True, slots=True)
class Intake:
    """How one table takes in a kind of record: the statement, and the record's row. Repeats change nothing."""

    statement: Insert
    row: Callable[[Any], dict[str, Any]]


def intakes(dialect: str) -> Mapping[type, Sequence[Intake]]:
    """By kind of record, the tables that take it in."""
    return {
        Attempt: (Intake(_add(dialect, ATTEMPTS), _attempt_row), Intake(_merge_deliveries(dialect), _delivery_row)),
        AuditEntry: (Intake(_add(dialect, AUDIT), asdict),),
    }


def put_offsets(dialect: str) -> Insert:
    """Set where reading goes on."""
    insert = _insert(dialect, OFFSETS)
    put: Insert = insert.on_conflict_do_update(
        index_elements=list(OFFSETS.primary_key.columns), set_={"next_offset": insert.excluded.next_offset}
    )
    return put


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {
        "account_id": attempt.account_id,
        "subscription_id": attempt.subscription_id,
        "started_at_ms": attempt.started_at_ms,
        "attempt_id": attempt.attempt_id,
        "delivery_id": attempt.delivery_id,
        "event_id": attempt.event_id,
        "event_type": attempt.event_type,
        "run": attempt.run,
        "attempt": attempt.attempt,
        "is_test": attempt.is_test,
        "is_request": attempt.outcome in _REQUESTS,
        "outcome": attempt.outcome.value,
        "duration_ms": attempt.duration_ms,
        "response_code": attempt.response_code,
        "response_body": attempt.response_body or None,
        "error": attempt.error,
        "detail": attempt.detail,
        "next_attempt_at_ms": attempt.next_attempt_at_ms,
    }


def _delivery_row(attempt: Attempt) -> dict[str, Any]:
    """What one attempt alone says of its delivery, as a row of `deliveries`.

    Within a run a success is the furthest there is: when a crash forked a delivery, one of its two ways may go on failing.
    """
    is_request = attempt.outcome in _REQUESTS
    grade = int(attempt.outcome is Outcome.SUCCEEDED)
    return {
        "account_id": attempt.account_id,
        "subscription_id": attempt.subscription_id,
        "delivery_id": attempt.delivery_id,
        "event_id": attempt.event_id,
        "event_type": attempt.event_type,
        "is_test": attempt.is_test,
        "origin_partition": attempt.origin.partition,
        "origin_offset": attempt.origin.offset,
        "first_at_ms": attempt.started_at_ms,
        "run": attempt.run,
        "grade": grade,
        "attempt": attempt.attempt,
        "rank": _RANK[attempt.outcome],
        "at_ms": attempt.started_at_ms,
        "outcome": attempt.outcome.value,
        "next_attempt_at_ms": attempt.next_attempt_at_ms,
        "request_grade": grade,
        "request_attempt": attempt.attempt if is_request else 0,
        "request_at_ms": attempt.started_at_ms + attempt.duration_ms if is_request else 0,
        "response_code": attempt.response_code,
        "requests": attempt.attempt if is_request else 0,
    }


def _add(dialect: str, table: Table) -> Insert:
    """Add rows that are not there yet."""
    added: Insert = _insert(dialect, table).on_conflict_do_nothing()
    return added


def _merge_deliveries(dialect: str) -> Insert:
    """Add deliveries, or bring them further; whatever the order and however often, the outcome is the same."""
    insert = _insert(dialect, DELIVERIES)
    old, new = DELIVERIES.c, insert.excluded
    is_further = _after(_FURTHEST, new, old)
    is_later_request = _after(_REQUEST, new, old)
    changed: dict[str, Case[Any]] = {name: case((is_further, new[name]), else_=old[name]) for name in _FURTHEST_STATE}
    changed |= {name: case((is_later_request, new[name]), else_=old[name]) for name in _REQUEST_STATE}
    changed["first_at_ms"] = case((new.first_at_ms < old.first_at_ms, new.first_at_ms), else_=old.first_at_ms)
    changed["requests"] = case(
        (tuple_(new.run, new.requests) > tuple_(old.run, old.requests), new.requests), else_=old.requests
    )
    merged: Insert = insert.on_conflict_do_update(index_elements=list(DELIVERIES.primary_key.columns), set_=changed)
    return merged


def _insert(dialect: str, table: Table) -> Any:
    """The dialect's own insert: both know ON CONFLICT, and SQLAlchemy has no common word for it."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def _after(names: Sequence[str], new: Any, old: Any) -> ColumnElement[bool]:
    return tuple_(*(new[name] for name in names)) > tuple_(*(old[name] for name in names))
