"""New API keys: drawn, shown once, and kept as a digest."""

from hookline.core import apikeys
from hookline.runtime import draw
from hookline.schemas.records import ApiKey


def new_api_key(
    account_id: str, now_ms: int, *, name: str = "", scopes: str = "read write", expires_at_ms: int | None = None
) -> tuple[str, ApiKey]:
    """A new key: the text for its owner, to be shown once and kept nowhere, and the record for `webhooks.accounts`."""
    key_id, secret = draw.api_key()
    record = ApiKey(
        key_id=key_id,
        account_id=account_id,
        secret_sha256=apikeys.secret_sha256(secret),
        created_at_ms=now_ms,
        name=name,
        scopes=scopes,
        expires_at_ms=expires_at_ms,
    )
    return apikeys.write(key_id, secret), record
