import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.asymmetric import jwk, public_key_text, sign, signing_key
from hookline.core.signing import Authenticity, signature_headers, signed_content, verify

# RFC 8037, A.1 to A.3, which is also the first key of RFC 8032, 7.1.
RFC_KEY = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
SECRET, BODY, NOW_S = "whsec_c2VjcmV0", b'{"event":"user.created"}', 1_700_000_000


@dataclass(frozen=True, slots=True)
class Key:
    key_id: str
    key: bytes


MASTER, OTHER = Key("a1", bytes(range(32))), Key("a2", b"x" * 32)


def verifies(public_key: str, signature: str, content: bytes) -> bool:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_"), validate=True))
    try:
        key.verify(base64.b64decode(signature.removeprefix("v1a,"), validate=True), content)
    except InvalidSignature:
        return False
    return True


def test_a_key_is_shown_as_the_rfcs_show_theirs() -> None:
    assert jwk(RFC_KEY) == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "alg": "EdDSA",
        "use": "sig",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    }
    assert public_key_text(RFC_KEY) == "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def test_a_signature_is_that_of_the_rfc() -> None:
    expected = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert sign(RFC_KEY, b"") == f"v1a,{base64.b64encode(bytes.fromhex(expected)).decode()}"


def test_an_accounts_key_never_changes() -> None:
    """Receivers keep it: a change here would make all of them refuse what we send."""
    assert public_key_text(signing_key(MASTER, "acct_1")) == "whpk_T2P6JWacf9rvUrN49sZtj0G/whpnbSXCEpm04YLLnig="


@pytest.mark.parametrize(
    ("one", "other"),
    list(
        permutations([(MASTER, "acct_1"), (MASTER, "acct_2"), (MASTER, "acct_12"), (MASTER, ""), (OTHER, "acct_1")], 2)
    ),
)
def test_a_signature_of_one_account_or_master_key_is_none_of_another(
    one: tuple[Key, str], other: tuple[Key, str]
) -> None:
    signature = sign(signing_key(*one), BODY)
    assert verifies(public_key_text(signing_key(*one)), signature, BODY)
    assert not verifies(public_key_text(signing_key(*other)), signature, BODY)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_signed_verifies_and_nothing_else(content: bytes, account_id: str) -> None:
    key = signing_key(MASTER, account_id)
    signature = sign(key, content)
    assert " " not in signature
    assert verifies(public_key_text(key), signature, content)
    assert not verifies(public_key_text(key), signature, content + b" ")


def with_v1a(headers: Mapping[str, str]) -> dict[str, str]:
    content = signed_content(delivery_id="delivery_1", timestamp_s=NOW_S, body=BODY)
    return {**headers, "webhook-signature": f"{headers['webhook-signature']} {sign(RFC_KEY, content)}"}


def test_who_checks_secrets_only_takes_no_notice_of_it() -> None:
    headers = with_v1a(signature_headers(secret=SECRET, delivery_id="delivery_1", timestamp_s=NOW_S, body=BODY))
    assert verify(secret=SECRET, headers=headers, body=BODY, now_s=NOW_S) is Authenticity.VERIFIED
    assert verify(secret="other", headers=headers, body=BODY, now_s=NOW_S) is Authenticity.FORGED
