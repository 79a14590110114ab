"""The history store's tables, as statements see them. The migrations make them; a test compares the two.

Facts only: what the API shows (`status`) is said when it is asked for. `state` is the exception, for lists are filtered by it.
"""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql

METADATA = MetaData()
HEAD = "0003"  # the revision that these tables are of
DAY_MS = 86_400_000
HOUR_MS = 3_600_000

# PostgreSQL compares texts by the database's language unless told otherwise: slower, and not in SQLite's order.
_Key = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

# The key is what listing is ordered by, behind the webhook; in SQLite rows lie in its order. A subscription id is drawn, so
# it is one account's. `response_code` is 0 where there was no answer: what is filtered by must compare. Headers are texts, a line
# for each; they stand last, for SQLite reads a row up to the last column that is asked for.
ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("subscription_id", _Key, primary_key=True),
    Column("is_request", Boolean, primary_key=True),
    Column("started_at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt_id", _Key, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("delivery_id", _Key, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", _Key, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("outcome", _Key, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("response_code", Integer, nullable=False),
    Column("response_body", LargeBinary),
    Column("error", Text),
    Column("detail", Text),
    Column("next_attempt_at_ms", BigInteger),
    Column("job_id", Text),
    Column("request_headers", Text),
    Column("response_headers", Text),
    sqlite_with_rowid=False,
)
Index(
    "attempts_by_kind",
    *(ATTEMPTS.c[name] for name in ("subscription_id", "event_type", "outcome", "response_code", "started_at_ms")),
    ATTEMPTS.c.attempt_id,
    sqlite_where=text("is_request = 1"),
    postgresql_where=text("is_request"),
)

# One row for each delivery: a `core.progress.Progress`. `first_at_ms` is the earliest time known of it: lists are ordered by it.
# `run` is the furthest, and so are its origin and its job. `delivered_before`: that run has not succeeded, and an earlier one had.
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("subscription_id", _Key, primary_key=True),
    Column("first_at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("delivery_id", _Key, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", _Key, nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("origin_partition", Integer, nullable=False),
    Column("origin_offset", BigInteger, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("grade", SmallInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("state", _Key, nullable=False),
    Column("next_attempt_at_ms", BigInteger),
    Column("request_grade", SmallInteger, nullable=False),
    Column("request_attempt", Integer, nullable=False),
    Column("request_at_ms", BigInteger, nullable=False),
    Column("response_code", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("steps", Text, nullable=False),
    Column("origin_in_replays", Boolean, nullable=False),
    Column("job_id", Text),
    Column("delivered_before", Boolean, nullable=False),
    Index(
        "deliveries_by_kind", "subscription_id", "event_type", "state", "response_code", "first_at_ms", "delivery_id"
    ),
    sqlite_with_rowid=False,
)

# What lists of deliveries show, and the owner. In PostgreSQL the primary key's index holds these as well: rows lie as they came
# there, so that a list would read a page of the table for each. Without `state`, which the outcome tells: so only the index by
# kind can answer which rows are of a kind, and PostgreSQL does not take the key for it.
SHOWN_OF_DELIVERIES = (
    "delivery_id",
    "subscription_id",
    "event_id",
    "event_type",
    "outcome",
    "response_code",
    "requests",
    "first_at_ms",
    "request_at_ms",
    "next_attempt_at_ms",
    "is_test",
    "run",
    "origin_partition",
    "origin_offset",
    "origin_in_replays",
    "job_id",
    "account_id",
)

# Where a delivery's row lies. PostgreSQL has no key over all partitions; this one has so few that all of them can be asked.
DELIVERY_TIMES = Table(
    "delivery_times",
    METADATA,
    Column("delivery_id", _Key, primary_key=True),
    Column("first_at_ms", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Whose subscriptions have deliveries: an event's deliveries are found by their ids, which are made of these. `last_day_ms`: the
# day of the newest of them.
SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("account_id", _Key, primary_key=True),
    Column("subscription_id", _Key, primary_key=True),
    Column("last_day_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Which kinds of rows a subscription has in `attempts` and `deliveries` (`listed`), or had: lists are filtered by these.
KINDS = Table(
    "kinds",
    METADATA,
    Column("subscription_id", _Key, primary_key=True),
    Column("listed", _Key, primary_key=True),
    Column("event_type", _Key, primary_key=True),
    Column("ending", _Key, primary_key=True),
    Column("response_code", Integer, primary_key=True, autoincrement=False),
    Column("last_day_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Requests by hour, ending and bucket of their duration (`core.response_times`); under the subscription "" an account's. No tests.
REQUEST_COUNTS = Table(
    "request_counts",
    METADATA,
    Column("account_id", _Key, primary_key=True),
    Column("subscription_id", _Key, primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("ending", _Key, primary_key=True),
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Clustered like attempts. The indexes are for who lists all accounts' entries, and for those of one subject.
AUDIT = Table(
    "audit",
    METADATA,
    Column("account_id", _Key, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("audit_id", _Key, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("subject", _Key, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("audit_newest", "at_ms", "audit_id"),
    Index("audit_of_subject", "subject", "at_ms", "audit_id"),
    sqlite_with_rowid=False,
)

OFFSETS = Table(
    "offsets",
    METADATA,
    Column("topic", _Key, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Accounts of which nothing may be here any more, numbered in the order in which the store heard of them; `is_done`: nothing is.
ERASURES = Table(
    "erasures",
    METADATA,
    Column("account_id", _Key, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("erased_at_ms", BigInteger, nullable=False),
    Column("is_done", Boolean, nullable=False),
    Index("erasures_by_number", "number", unique=True),
    sqlite_with_rowid=False,
)

# By the column that PostgreSQL partitions a table by, in days a partition. Rows of a day are dropped together, so the big ones
# have a partition for each day; what is asked for by id, or over a month, has few.
PARTITIONED: Mapping[Table, tuple[str, int]] = {
    ATTEMPTS: ("started_at_ms", 1),
    DELIVERIES: ("first_at_ms", 1),
    DELIVERY_TIMES: ("first_at_ms", 10),
    REQUEST_COUNTS: ("hour_ms", 10),
    AUDIT: ("at_ms", 30),
}


def places(table: Table, *names: str) -> tuple[int, ...]:
    """Where these columns stand in the table's rows."""
    return tuple(list(table.columns.keys()).index(name) for name in names)
