"""What recovery needs: headers and jobs of attempts, of a delivery its job, its body's topic and earlier success; and erasures."""

from alembic import op

revision = "0002"
down_revision = "0001"

# A constant default is no work, however many rows there are: both databases keep it beside the table.
_COLUMNS = (
    "ALTER TABLE attempts ADD COLUMN job_id TEXT",
    "ALTER TABLE attempts ADD COLUMN request_headers TEXT",
    "ALTER TABLE attempts ADD COLUMN response_headers TEXT",
    "ALTER TABLE deliveries ADD COLUMN origin_in_replays BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE deliveries ADD COLUMN job_id TEXT",
    "ALTER TABLE deliveries ADD COLUMN delivered_before BOOLEAN NOT NULL DEFAULT FALSE",
)
_ERASURES = """
CREATE TABLE erasures (
    account_id {key} NOT NULL,
    number BIGINT NOT NULL,
    erased_at_ms BIGINT NOT NULL,
    is_done BOOLEAN NOT NULL,
    PRIMARY KEY (account_id)
) {whole}
"""
_ERASURES_BY_NUMBER = "CREATE UNIQUE INDEX erasures_by_number ON erasures (number)"
# In the order in which history takes them. Whoever asks meanwhile waits behind this, so it does not wait for long itself.
_LOCKS = (
    "SET LOCAL lock_timeout = '5s'",
    "LOCK TABLE delivery_times, deliveries, attempts IN ACCESS EXCLUSIVE MODE",
)
_SQLITE = {"key": "TEXT", "whole": "WITHOUT ROWID"}
_POSTGRES = {"key": 'TEXT COLLATE "C"', "whole": ""}


def upgrade() -> None:
    """Add the columns and the table; rows that are there had no job, no headers on record, and were in no replay.

    Whether an earlier run had succeeded they do not tell; then only what had failed was sent again.
    """
    is_postgres = op.get_bind().dialect.name == "postgresql"
    words, locks = (_POSTGRES, _LOCKS) if is_postgres else (_SQLITE, ())
    for statement in (*locks, *_COLUMNS, _ERASURES.format(**words), _ERASURES_BY_NUMBER):
        op.execute(statement)
