"""Ids and keys of new things are drawn, here at the edge and nowhere else."""

import base64
import secrets
import uuid

_SECRET_BYTES = 32  # what the contract's successor, Standard Webhooks, recommends for HMAC-SHA256 (24 to 64)


def event_id() -> str:
    """An id for a new event."""
    return f"evt_{uuid.uuid4().hex}"


def subscription_id() -> str:
    """An id for a new subscription."""
    return f"wh_{uuid.uuid4().hex}"


def account_id() -> str:
    """An id for a new account."""
    return f"acct_{uuid.uuid4().hex}"


def signing_secret() -> str:
    """A signing secret for a subscription that brought none: `whsec_` and base64 of 32 random bytes."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def sealing_nonce() -> bytes:
    """A nonce for AES-256-GCM: 96 random bits, drawn anew for every sealing."""
    return secrets.token_bytes(12)


def api_key() -> tuple[str, str]:
    """A key id and a secret of 160 random bits: the two parts of an API key."""
    return secrets.token_hex(8), secrets.token_hex(20)


def request_id() -> str:
    """An id for one API request, which its answer and its log line bear."""
    return f"req_{uuid.uuid4().hex}"


def audit_id() -> str:
    """An id for one audit entry."""
    return f"audit_{uuid.uuid4().hex}"


def job_id() -> str:
    """An id for one job."""
    return f"job_{uuid.uuid4().hex}"
