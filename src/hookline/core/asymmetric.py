"""Public-key signatures of webhooks: the scheme v1a of Standard Webhooks, Ed25519 (RFC 8032).

Each account has a key pair of its own, derived from a master key: with one pair for all, a customer could pass what it
received on to another customer's endpoint, and there it would verify.
"""

import base64
import hashlib
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hookline.core.sealing import Key

_PURPOSE = b"hookline ed25519 1"
_SEED_BYTES = 32


def signing_key(master: Key, account_id: str) -> Ed25519PrivateKey:
    """An account's key pair of this master key, which makes the same one every time."""
    account = account_id.encode()
    seed = HKDF(SHA256(), _SEED_BYTES, salt=None, info=_PURPOSE + len(account).to_bytes(4, "big") + account)
    return Ed25519PrivateKey.from_private_bytes(seed.derive(master.key))


def sign(key: Ed25519PrivateKey, content: bytes) -> str:
    """An entry of `webhook-signature` for `id.timestamp.body`. Dear beside an HMAC: measured 28 µs to 2 µs for 1 KiB."""
    return f"v1a,{base64.b64encode(key.sign(content)).decode()}"


def public_key_text(key: Ed25519PrivateKey) -> str:
    """The public key as Standard Webhooks writes it: `whpk_…`."""
    return f"whpk_{base64.b64encode(_public_bytes(key)).decode()}"


def jwk(key: Ed25519PrivateKey) -> Mapping[str, str]:
    """The public key as a JSON Web Key (RFC 8037), with its thumbprint (RFC 7638) as `kid`."""
    required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(_public_bytes(key))}  # in the order that RFC 7638 wants
    thumbprint = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
    return required | {"alg": "EdDSA", "use": "sig", "kid": _base64url(thumbprint)}


def _public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
