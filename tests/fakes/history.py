"""Rows of the history store that are the contract's examples of deliveries and logs."""

from hookline.runtime.history_questions import DeliveryRow, LogRow, Stats, StepRow, Volume
from hookline.schemas.records import Outcome, Place

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


def _failed(number: int, at_ms: int, body: bytes, **more: object) -> StepRow:
    """One of the requests of `FAILED`, whose next one may come so long after it."""
    waits_ms = (1_000, 300_000, 1_800_000)
    fields = {
        "response_code": 500,
        "error": "status",
        "detail": "The endpoint answered 500.",
        "duration_ms": 80,
        **more,
    }
    return StepRow(
        attempt_id=f"log_{number}24",
        run=0,
        attempt=number,
        outcome=Outcome.FAILED,
        started_at_ms=at_ms,
        response_body=body,
        next_attempt_at_ms=at_ms + waits_ms[number - 1],
        **fields,  # type: ignore[arg-type]  # the tests name real fields
    )


FAILED_STEPS = (
    _failed(1, 1_687_275_630_000, b"Internal Server Error"),
    _failed(
        2,
        1_687_275_631_080,
        b"",
        response_code=None,
        error="timeout",
        detail="The endpoint was connected, but did not answer within the time limit.",
        duration_ms=30_000,
    ),
    _failed(3, 1_687_275_930_919, b"Internal Server Error"),
)
MANY_REQUESTS = Stats(
    since_ms=0,
    until_ms=0,
    succeeded=990,
    failed=10,
    errors={"status_5xx": 7, "timeout": 3},
    p50_ms=42,
    p95_ms=140,
    p99_ms=480,
    volume=(
        Volume(at_ms=1_687_269_600_000, succeeded=600, failed=0),
        Volume(at_ms=1_687_273_200_000, succeeded=390, failed=10),
    ),
)
