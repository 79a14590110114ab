"""API keys: `hl_<key id>_<secret><checksum>`, all in hexadecimal.

The key id finds the record, the secret proves, and the checksum (CRC-32 of what stands before it) lets a scanner of
leaked keys tell one from chance, and a mistyped key fail at once. Only the secret's SHA-256 is kept: 160 random bits
need no slow hash.
"""

import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass, field

from hookline.schemas.records import ApiKey

_FORMAT = re.compile(r"(hl_([0-9a-f]{16})_([0-9a-f]{40}))([0-9a-f]{8})")
_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """What a caller showed; whether it is right, `proves` says."""

    key_id: str
    secret: str = field(repr=False)


def write(key_id: str, secret: str) -> str:
    """The text that the key's owner gets, once."""
    body = f"hl_{key_id}_{secret}"
    return f"{body}{_checksum(body)}"


def parse(text: str) -> PresentedKey | None:
    """Read a key's text; None if it is no such text or mistyped."""
    found = _FORMAT.fullmatch(text)
    if found is None or _checksum(found[1]) != found[4]:
        return None
    return PresentedKey(found[2], found[3])


def secret_sha256(secret: str) -> bytes:
    """What is kept of a key's secret."""
    return hashlib.sha256(secret.encode()).digest()


def proves(presented: PresentedKey, record: ApiKey | None) -> bool:
    """Whether the secret is the record's. Takes the same time for a wrong secret and for a key that does not exist."""
    kept = _NO_HASH if record is None else record.secret_sha256
    return hmac.compare_digest(secret_sha256(presented.secret), kept) and record is not None


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
