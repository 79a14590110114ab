"""Rows of the history store that are the contract's examples of deliveries and logs."""

from hookline.runtime.history_questions import DeliveryRow, LogRow, Stats
from hookline.schemas.records import Place

SUCCEEDED = DeliveryRow(
    delivery_id="delivery_123",
    subscription_id="wh_1",
    event_id="evt_123",
    event_type="user.created",
    status="succeeded",
    response_code=200,
    attempts=1,
    first_at_ms=1_687_270_534_850,
    delivered_at_ms=1_687_270_535_000,
    last_attempt_at_ms=1_687_270_535_000,
    next_attempt_at_ms=None,
    is_test=False,
    state="succeeded",
    run=0,
    origin=Place(partition=0, offset=123),
)
FAILED = DeliveryRow(
    delivery_id="delivery_124",
    subscription_id="wh_1",
    event_id="evt_124",
    event_type="order.completed",
    status="failed",
    response_code=500,
    attempts=3,
    first_at_ms=1_687_275_630_000,
    delivered_at_ms=None,
    last_attempt_at_ms=1_687_275_930_999,
    next_attempt_at_ms=1_687_277_730_999,
    is_test=False,
    state="retrying",
    run=0,
    origin=Place(partition=0, offset=124),
)
DELIVERED = LogRow(
    attempt_id="log_123",
    delivery_id="delivery_123",
    event_type="user.created",
    status="delivered",
    attempt=1,
    response_code=200,
    response_time_ms=150,
    at_ms=1_687_270_535_000,
    error=None,
    detail=None,
)
NO_REQUESTS = Stats(
    since_ms=0, until_ms=0, succeeded=0, failed=0, errors={}, p50_ms=None, p95_ms=None, p99_ms=None, volume=()
)
