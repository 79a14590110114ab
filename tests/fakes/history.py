"""Rows of the history store that are the contract's examples of deliveries and logs, and a store that a test fills with rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hookline.core.resending import Known
from hookline.runtime.history_questions import (
    ANY_DELIVERY,
    ANY_LOG,
    Cursor,
    DeliveryFilter,
    DeliveryRow,
    LogFilter,
    LogRow,
    Stats,
    StepRow,
    Volume,
    WholeDelivery,
)
from hookline.schemas.records import AuditEntry, Outcome, Place

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
    _failed(
        1,
        1_687_275_630_000,
        b"Internal Server Error",
        request_headers=("webhook-id: delivery_124", "webhook-signature: v1,K5oZfzN9..."),
        response_headers=("Server: nginx", "Content-Type: text/plain"),
    ),
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


@dataclass(slots=True)
class ScriptedHistory:
    """A history store that holds what a test says of one account, or fails as it says."""

    owner: str = ""
    delivery_rows: list[DeliveryRow] = field(default_factory=list)
    step_rows: Mapping[str, Sequence[StepRow]] = field(default_factory=dict)
    numbers: Stats = NO_REQUESTS
    log_rows: list[LogRow] = field(default_factory=list)
    audit_entries: list[AuditEntry] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)  # by delivery
    error: Exception | None = None
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    audit_asked: list[tuple[str | None, str | None, tuple[int, str] | None, int]] = field(default_factory=list)

    async def deliveries(
        self,
        *,
        account_id: str,
        subscription_id: str,
        limit: int,
        where: DeliveryFilter = ANY_DELIVERY,
        before: Cursor | None = None,
    ) -> Sequence[DeliveryRow]:
        self._ask(account_id, subscription_id, limit)
        return self.delivery_rows[:limit]

    async def logs(
        self,
        *,
        account_id: str,
        subscription_id: str,
        limit: int,
        where: LogFilter = ANY_LOG,
        before: Cursor | None = None,
    ) -> Sequence[LogRow]:
        self._ask(account_id, subscription_id, limit)
        return self.log_rows[:limit]

    async def delivery(self, *, account_id: str, delivery_id: str) -> WholeDelivery | None:
        self._ask(account_id, delivery_id, 1)
        found = [each for each in self._rows_of(account_id) if each.delivery_id == delivery_id]
        return WholeDelivery(delivery=found[0], steps=self.step_rows.get(delivery_id, ())) if found else None

    async def event(self, *, account_id: str, event_id: str) -> Sequence[DeliveryRow]:
        self._ask(account_id, event_id, 1)
        return [each for each in self._rows_of(account_id) if each.event_id == event_id]

    async def stats(
        self, *, account_id: str, subscription_id: str | None, since_ms: int, until_ms: int, step_ms: int
    ) -> Stats:
        self._ask(account_id, subscription_id or "", step_ms)
        return replace(self.numbers, since_ms=since_ms, until_ms=until_ms)

    async def audit(
        self, *, account_id: str | None, subject: str | None, before: tuple[int, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        self.audit_asked.append((account_id, subject, before, limit))
        if self.error is not None:
            raise self.error
        return self.audit_entries[:limit]

    async def states(
        self, *, account_id: str, subscription_id: str, delivery_ids: Sequence[str]
    ) -> Mapping[str, Known]:
        self._ask(account_id, subscription_id, len(delivery_ids))
        found = {each: self.known[each] for each in delivery_ids if each in self.known}
        return found if account_id == self.owner else {}

    def _rows_of(self, account_id: str) -> Sequence[DeliveryRow]:
        return self.delivery_rows if account_id == self.owner else ()

    def _ask(self, account_id: str, subscription_id: str, limit: int) -> None:
        self.asked.append((account_id, subscription_id, limit))
        if self.error is not None:
            raise self.error
