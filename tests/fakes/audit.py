"""Audit entries as the API writes them."""

from hookline.schemas.records import AuditEntry

AT_MS = 1_700_000_000_000


def audit_entry(
    number: int = 1, *, account: str = "acct_1", at_ms: int = AT_MS, subject: str = "wh_1", audit_id: str | None = None
) -> AuditEntry:
    """An entry: a key of its account made the subject."""
    return AuditEntry(
        audit_id=audit_id or f"audit_{number:06}",
        at_ms=at_ms,
        account_id=account,
        actor="key_1",
        request_id=f"req_{number}",
        operation="webhook.create",
        subject=subject,
        before=None,
        after='{"description":"for m\u00fcller"}',
    )
