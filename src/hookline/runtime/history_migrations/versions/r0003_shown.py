"""PostgreSQL's key of deliveries holds what lists show, so that they need not look up each row in the table."""

from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = "(subscription_id, first_at_ms, delivery_id)"
_SHOWN = (
    "(event_id, event_type, outcome, response_code, requests, request_at_ms, next_attempt_at_ms, is_test, run,"
    " origin_partition, origin_offset, origin_in_replays, job_id, account_id)"
)
_BY_KIND = "(subscription_id, event_type, state, response_code, first_at_ms, delivery_id)"


def upgrade() -> None:
    """Make the indexes anew, 20 s or so for each million deliveries. Whoever asks for them meanwhile, or writes, waits.

    In SQLite rows lie in the order of their key anyway.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE"
    )  # at once: who has less and wants more may wait for ever
    op.execute("ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey")
    op.execute(f"ALTER TABLE deliveries ADD PRIMARY KEY {_KEY} INCLUDE {_SHOWN}")
    # Of two indexes that look as good to it PostgreSQL takes the younger, and that must stay the one by kind.
    op.execute("DROP INDEX deliveries_by_kind")
    op.execute(f"CREATE INDEX deliveries_by_kind ON deliveries {_BY_KIND}")
