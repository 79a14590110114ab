"""What the API asks the history store, and the rows it gets back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hookline.schemas.records import AuditEntry

# An entry holds a webhook before and after, so a thousand of them were 120 MB, and held up every other request for seconds.
AUDIT_CHARACTERS_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """What became of one delivery so far: its furthest run and attempt.

    `status` is the contract's word: `failed` until an attempt succeeded. `delivered_at_ms` is None unless it succeeded,
    `next_attempt_at_ms` unless a retry is due. `state` says it finer: retrying, postponed, exhausted, expired,
    cancelled or succeeded.
    """

    delivery_id: str
    event_type: str
    status: Literal["succeeded", "failed"]
    response_code: int | None
    attempts: int
    delivered_at_ms: int | None
    last_attempt_at_ms: int | None
    next_attempt_at_ms: int | None
    is_test: bool
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One attempt. `at_ms` is when its answer came (or when it was given up); `error` is None if it was delivered."""

    attempt_id: str
    delivery_id: str
    event_type: str
    status: Literal["delivered", "failed"]
    attempt: int
    response_code: int | None
    response_time_ms: int
    at_ms: int
    error: str | None
    detail: str | None


class History(Protocol):
    """Answers what became of deliveries, and who changed what. NotYet when the store does not answer now."""

    async def deliveries(self, *, account_id: str, subscription_id: str, limit: int) -> Sequence[DeliveryRow]:
        """The subscription's deliveries, the newest first; none if it is another account's."""
        ...

    async def logs(self, *, account_id: str, subscription_id: str, limit: int) -> Sequence[LogRow]:
        """The subscription's attempts (requests that were made), the newest first; none if it is another account's."""
        ...

    async def audit(
        self, *, account_id: str | None, subject: str | None, before: tuple[int, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        """Audit entries, the newest first: of one account ("": of the installation) or of all, and of one subject or of all.

        The list ends with the entry with which it has `AUDIT_CHARACTERS_MAX` (`is_full`), if it has not ended before.

        `before` is the `at_ms` and `audit_id` of the last entry of the page before; those that follow it are listed.
        """
        ...


def is_full(entries: Sequence[AuditEntry]) -> bool:
    """Whether these entries are as much as is listed at once."""
    return sum(map(characters, entries)) >= AUDIT_CHARACTERS_MAX


def characters(entry: AuditEntry) -> int:
    """How much there is to show of it."""
    return len(entry.before or "") + len(entry.after or "")
