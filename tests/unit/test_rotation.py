import time
from dataclasses import replace

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from fakes.configuration import subscription
from hookline.core.rotation import Secrets, promoted, rotated, secrets_at
from hookline.core.signing import Authenticity, Signer, headers_of_two, verify
from hookline.schemas.records import SealedSecret

OLD = subscription("https://example.com/hook")
NEW = SealedSecret(key_id="k", nonce=b"n" * 12, ciphertext=b"new")
NEWER = replace(NEW, ciphertext=b"newer")
BODY, NOW_S = b'{"event":"user.created"}', 1_687_270_530


@pytest.mark.parametrize(
    ("now_ms", "found"),
    [(999, (OLD.secret, NEW)), (5_999, (OLD.secret, NEW)), (6_000, (NEW, None)), (9_999, (NEW, None))],
)
def test_both_sign_until_the_new_secret_takes_over(
    now_ms: int, found: tuple[SealedSecret, SealedSecret | None]
) -> None:
    changing = rotated(OLD, NEW, now_ms=1_000, overlap_ms=5_000)
    assert secrets_at(changing, now_ms) == Secrets(*found)


def test_without_an_overlap_the_new_one_signs_alone_at_once() -> None:
    changed = rotated(OLD, NEW, now_ms=1_000, overlap_ms=0)
    assert secrets_at(changed, 0) == Secrets(NEW, None)
    assert changed.next_secret is None


def test_promoting_ends_the_overlap() -> None:
    changed = promoted(rotated(OLD, NEW, now_ms=1_000, overlap_ms=5_000))
    assert secrets_at(changed, 1_000) == Secrets(NEW, None)
    assert promoted(changed) is changed


def test_after_an_overlap_the_secret_that_took_over_is_the_one_that_is_changed() -> None:
    again = rotated(rotated(OLD, NEW, now_ms=0, overlap_ms=10), NEWER, now_ms=10, overlap_ms=10)
    assert secrets_at(again, 10) == Secrets(NEW, NEWER)


@pytest.mark.parametrize("secret", ["whsec_b2xkIHNlY3JldCBvZiBvbGQ=", "whsec_bmV3IHNlY3JldCBvZiBuZXc="])
def test_a_receiver_with_either_secret_finds_its_signature_in_both_schemes(secret: str) -> None:
    old, new = Signer("whsec_b2xkIHNlY3JldCBvZiBvbGQ="), Signer("whsec_bmV3IHNlY3JldCBvZiBuZXc=")
    headers = headers_of_two(old, new, delivery_id="delivery_1", timestamp_s=NOW_S, body=BODY)
    assert verify(secret=secret, headers=headers, body=BODY, now_s=NOW_S) is Authenticity.VERIFIED
    assert verify(secret="whsec_YW5vdGhlcg==", headers=headers, body=BODY, now_s=NOW_S) is Authenticity.FORGED
    assert headers["X-Webhook-Signature"] == old.contract_signature(BODY)  # all that the contract's handlers look at
    assert headers["X-Webhook-Signature-Next"] == new.contract_signature(BODY)


def test_the_library_of_standard_webhooks_takes_either() -> None:
    old, new, other = ("whsec_b2xkIHNlY3JldCBvZiBvbGQ=", "whsec_bmV3IHNlY3JldCBvZiBuZXc=", "whsec_YW5vdGhlcg==")
    now_s = int(time.time())
    headers = headers_of_two(Signer(old), Signer(new), delivery_id="delivery_1", timestamp_s=now_s, body=BODY)
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, headers)
