"""The store's first tables; a SQLite file of the release that had no migrations is taken over."""

from collections.abc import Sequence
from itertools import pairwise

from alembic import op
from sqlalchemy import Connection, inspect, text

revision = "0001"
down_revision = None

_ATTEMPTS = """
CREATE TABLE attempts (
    subscription_id {key} NOT NULL,
    is_request BOOLEAN NOT NULL,
    started_at_ms BIGINT NOT NULL,
    attempt_id {key} NOT NULL,
    account_id {key} NOT NULL,
    delivery_id {key} NOT NULL,
    event_id TEXT NOT NULL,
    event_type {key} NOT NULL,
    run BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    is_test BOOLEAN NOT NULL,
    outcome {key} NOT NULL,
    duration_ms BIGINT NOT NULL,
    response_code INTEGER NOT NULL,
    response_body {bytes},
    error TEXT,
    detail TEXT,
    next_attempt_at_ms BIGINT,
    PRIMARY KEY (subscription_id, is_request, started_at_ms, attempt_id)
) {attempts}
"""
_ATTEMPTS_BY_KIND = """
CREATE INDEX attempts_by_kind
ON attempts (subscription_id, event_type, outcome, response_code, started_at_ms, attempt_id) WHERE {requests}
"""
_DELIVERIES = """
CREATE TABLE deliveries (
    subscription_id {key} NOT NULL,
    first_at_ms BIGINT NOT NULL,
    delivery_id {key} NOT NULL,
    account_id {key} NOT NULL,
    event_id TEXT NOT NULL,
    event_type {key} NOT NULL,
    is_test BOOLEAN NOT NULL,
    origin_partition INTEGER NOT NULL,
    origin_offset BIGINT NOT NULL,
    run BIGINT NOT NULL,
    grade SMALLINT NOT NULL,
    attempt INTEGER NOT NULL,
    rank SMALLINT NOT NULL,
    at_ms BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    state {key} NOT NULL,
    next_attempt_at_ms BIGINT,
    request_grade SMALLINT NOT NULL,
    request_attempt INTEGER NOT NULL,
    request_at_ms BIGINT NOT NULL,
    response_code INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    steps TEXT NOT NULL,
    PRIMARY KEY (subscription_id, first_at_ms, delivery_id)
) {deliveries}
"""
_DELIVERIES_BY_KIND = """
CREATE INDEX deliveries_by_kind
ON deliveries (subscription_id, event_type, state, response_code, first_at_ms, delivery_id)
"""
_DELIVERY_TIMES = """
CREATE TABLE delivery_times (
    delivery_id {key} NOT NULL,
    first_at_ms BIGINT NOT NULL,
    PRIMARY KEY (delivery_id, first_at_ms)
) {deliveries}
"""
_SUBSCRIPTIONS = """
CREATE TABLE subscriptions (
    account_id {key} NOT NULL,
    subscription_id {key} NOT NULL,
    last_day_ms BIGINT NOT NULL,
    PRIMARY KEY (account_id, subscription_id)
) {whole}
"""
_KINDS = """
CREATE TABLE kinds (
    subscription_id {key} NOT NULL,
    listed {key} NOT NULL,
    event_type {key} NOT NULL,
    ending {key} NOT NULL,
    response_code INTEGER NOT NULL,
    last_day_ms BIGINT NOT NULL,
    PRIMARY KEY (subscription_id, listed, event_type, ending, response_code)
) {whole}
"""
_REQUEST_COUNTS = """
CREATE TABLE request_counts (
    account_id {key} NOT NULL,
    subscription_id {key} NOT NULL,
    hour_ms BIGINT NOT NULL,
    ending {key} NOT NULL,
    bucket SMALLINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (account_id, subscription_id, hour_ms, ending, bucket)
) {counts}
"""
_AUDIT = """
CREATE TABLE IF NOT EXISTS audit (
    account_id {key} NOT NULL,
    at_ms BIGINT NOT NULL,
    audit_id {key} NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    subject {key} NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (account_id, at_ms, audit_id)
) {audit}
"""
_AUDIT_INDEXES = (
    "CREATE INDEX IF NOT EXISTS audit_newest ON audit (at_ms, audit_id)",
    "CREATE INDEX IF NOT EXISTS audit_of_subject ON audit (subject, at_ms, audit_id)",
)
_OFFSETS = """
CREATE TABLE IF NOT EXISTS offsets (
    topic {key} NOT NULL,
    partition INTEGER NOT NULL,
    next_offset BIGINT NOT NULL,
    PRIMARY KEY (topic, partition)
) {whole}
"""
_TABLES = (
    _ATTEMPTS,
    _ATTEMPTS_BY_KIND,
    _DELIVERIES,
    _DELIVERIES_BY_KIND,
    _DELIVERY_TIMES,
    _SUBSCRIPTIONS,
    _KINDS,
    _REQUEST_COUNTS,
    _AUDIT,
    *_AUDIT_INDEXES,
    _OFFSETS,
)
_SQLITE = {"key": "TEXT", "bytes": "BLOB", "requests": "is_request = 1"} | dict.fromkeys(
    ("attempts", "deliveries", "counts", "audit", "whole"), "WITHOUT ROWID"
)
_POSTGRES = {
    "key": 'TEXT COLLATE "C"',
    "bytes": "BYTEA",
    "requests": "is_request",
    "attempts": "PARTITION BY RANGE (started_at_ms)",
    "deliveries": "PARTITION BY RANGE (first_at_ms)",
    "counts": "PARTITION BY RANGE (hour_ms)",
    "audit": "PARTITION BY RANGE (at_ms)",
    "whole": "",
}

_SET_ASIDE = (
    "ALTER TABLE attempts RENAME TO old_attempts",
    "ALTER TABLE deliveries RENAME TO old_deliveries",
    "DROP INDEX deliveries_newest",
)
_TAKE_OVER = (
    """
    INSERT INTO attempts
    SELECT subscription_id, is_request, started_at_ms, attempt_id, account_id, delivery_id, event_id, event_type, run, attempt,
        is_test, outcome, duration_ms, coalesce(response_code, 0), response_body, error, detail, next_attempt_at_ms
    FROM old_attempts ORDER BY subscription_id, is_request, started_at_ms, attempt_id
    """,
    """
    CREATE TEMP TABLE old_steps AS
    SELECT delivery_id, group_concat(step) AS steps FROM (
        SELECT delivery_id, started_at_ms || '.' || run || '.' || attempt || iif(is_request, '', '-') AS step
        FROM old_attempts ORDER BY delivery_id, started_at_ms, run, attempt, is_request
    ) GROUP BY delivery_id
    """,
    "CREATE INDEX temp.old_steps_by_id ON old_steps (delivery_id)",
    """
    INSERT INTO deliveries
    SELECT subscription_id, first_at_ms, delivery_id, account_id, event_id, event_type, is_test, origin_partition, origin_offset,
        run, grade, attempt, rank, at_ms, outcome,
        CASE WHEN outcome <> 'failed' THEN outcome WHEN next_attempt_at_ms IS NULL THEN 'exhausted' ELSE 'retrying' END,
        next_attempt_at_ms, request_grade, request_attempt, request_at_ms, coalesce(response_code, 0), requests,
        coalesce(steps, at_ms || '.' || run || '.' || attempt || iif(outcome IN ('succeeded', 'failed'), '', '-'))
    FROM old_deliveries LEFT JOIN old_steps USING (delivery_id) ORDER BY subscription_id, first_at_ms, delivery_id
    """,
    "INSERT INTO delivery_times SELECT delivery_id, first_at_ms FROM old_deliveries ORDER BY delivery_id",
    """
    INSERT INTO subscriptions
    SELECT account_id, subscription_id, max(started_at_ms) / 86400000 * 86400000 FROM old_attempts GROUP BY 1, 2
    """,
    """
    INSERT INTO kinds
    SELECT subscription_id, 'attempts', event_type, outcome, response_code, max(started_at_ms) / 86400000 * 86400000
    FROM attempts WHERE is_request GROUP BY 1, 3, 4, 5
    """,
    """
    INSERT INTO kinds
    SELECT subscription_id, 'deliveries', event_type, state, response_code, max(first_at_ms) / 86400000 * 86400000
    FROM deliveries GROUP BY 1, 3, 4, 5
    """,
    """
    CREATE TEMP TABLE old_counts AS
    SELECT account_id, subscription_id, started_at_ms / 3600000 * 3600000 AS hour_ms,
        CASE WHEN outcome = 'succeeded' THEN 'succeeded'
            WHEN error = 'status' AND response_code IS NOT NULL THEN 'status_' || (response_code / 100) || 'xx'
            ELSE coalesce(error, 'unknown') END AS ending,
        (SELECT number FROM buckets WHERE low_ms < duration_ms AND duration_ms <= high_ms) AS bucket, count(*) AS count
    FROM old_attempts WHERE is_request AND NOT is_test GROUP BY 1, 2, 3, 4, 5
    """,
    "INSERT INTO request_counts SELECT * FROM old_counts",
    """
    INSERT INTO request_counts
    SELECT account_id, '', hour_ms, ending, bucket, sum(count) FROM old_counts GROUP BY 1, 3, 4, 5
    """,
    "DROP TABLE old_steps",
    "DROP TABLE old_counts",
    "DROP TABLE buckets",
    "DROP TABLE old_attempts",
    "DROP TABLE old_deliveries",
)
_EVER_MS = 2**62


def upgrade() -> None:
    """Make the tables, and fill them with what there was before."""
    connection = op.get_bind()
    is_postgres = connection.dialect.name == "postgresql"
    is_old = not is_postgres and inspect(connection).has_table("attempts")
    if is_old:
        _execute(_SET_ASIDE)
    _execute([each.format(**(_POSTGRES if is_postgres else _SQLITE)) for each in _TABLES])
    if is_old:
        _make_buckets(connection)
        _execute(_TAKE_OVER)


def _execute(statements: Sequence[str]) -> None:
    for each in statements:
        op.execute(each)


def _make_buckets(connection: Connection) -> None:
    """`core.response_times.BOUNDS_MS` at the time of this release, as rows."""
    bounds = sorted({round(2 ** (quarter / 4)) for quarter in range(61)})
    edges = pairwise([-1, *bounds, _EVER_MS])
    rows = [{"number": number, "low": low, "high": high} for number, (low, high) in enumerate(edges)]
    connection.execute(text("CREATE TEMP TABLE buckets (number INTEGER, low_ms INTEGER, high_ms INTEGER)"))
    connection.execute(text("INSERT INTO buckets VALUES (:number, :low, :high)"), rows)
