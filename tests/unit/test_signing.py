import base64
import json
import shutil
import subprocess
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from fakes.contract import verify_signature, verify_webhook_signature
from fakes.javascript import FOLDER
from hookline.core.signing import Authenticity, Signer, signature_headers, standard_key, verify

NOW_S = 1_687_270_530
BODY = '{"event":"user.created","timestamp":"2023-06-20T14:15:30Z","data":{"username":"zoë"}}'.encode()
PLAIN = "your-webhook-secret"
STANDARD = "whsec_" + base64.b64encode(bytes(range(32))).decode()

secrets = st.text(min_size=1, max_size=80) | st.binary(min_size=1, max_size=64).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)


NODE = rf"""
const {{ verifyWebhookSignature }} = require({json.dumps(str(FOLDER / "contract.js"))});
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(String(verifyWebhookSignature(given.payload, given.signature, given.secret)));
"""

PHP = r"""
function verifyWebhookSignature($payload, $signature, $secret) {
    $expectedSignature = hash_hmac('sha256', $payload, $secret);
    $providedSignature = str_replace('sha256=', '', $signature);

    return hash_equals($expectedSignature, $providedSignature);
}

$given = json_decode(file_get_contents('php://stdin'), true);
echo verifyWebhookSignature($given['payload'], $given['signature'], $given['secret']) ? 'true' : 'false';
"""


def signed(secret: str, body: bytes, timestamp_s: int = NOW_S) -> dict[str, str]:
    return signature_headers(secret=secret, delivery_id="delivery_1", timestamp_s=timestamp_s, body=body)


def signature_of(secret: str, body: bytes) -> str:
    return signed(secret, body)["X-Webhook-Signature"]


def library(secret: str) -> Webhook:
    """The library takes a `whsec_` secret as text; of any other it would guess base64, so it gets the key."""
    return Webhook(secret if secret == STANDARD else secret.encode())


@given(payload=st.text(), secret=secrets)
def test_the_contracts_python_code_accepts_every_signature(payload: str, secret: str) -> None:
    assert verify_webhook_signature(payload, signature_of(secret, payload.encode()), secret)


@given(payload=st.binary(), secret=secrets)
def test_the_contracts_flask_code_accepts_every_signature(payload: bytes, secret: str) -> None:
    assert verify_signature(payload, signature_of(secret, payload), secret)


@pytest.mark.parametrize(
    ("command", "code"),
    [(("node", "-e"), NODE), (("php", "-r"), PHP)],
    ids=["node", "php"],
)
@pytest.mark.parametrize("secret", [PLAIN, STANDARD, "schlüssel ✓"])
def test_the_contracts_code_in_other_languages_accepts(command: tuple[str, str], code: str, secret: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    question = {"payload": BODY.decode(), "signature": signature_of(secret, BODY), "secret": secret}
    answer = subprocess.run(
        [*command, code], input=json.dumps(question), capture_output=True, text=True, check=True, timeout=30
    )
    assert answer.stdout == "true"


@pytest.mark.parametrize("secret", [PLAIN, STANDARD])
def test_the_standardwebhooks_library_accepts(secret: str) -> None:
    headers = signed(secret, BODY, timestamp_s=int(time.time()))  # the library reads the clock itself
    assert library(secret).verify(BODY, headers) == json.loads(BODY)


@given(key=st.binary(min_size=1, max_size=64), body=st.text())
def test_the_standardwebhooks_library_accepts_every_whsec_secret_and_body(key: bytes, body: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = signed(secret, body.encode(), timestamp_s=int(time.time()))
    Webhook(secret).verify(body, headers, json_parse=False)


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_c2VjcmV0", b"secret"),
        ("whsec_+/+/", b"\xfb\xff\xbf"),
        ("c2VjcmV0", b"c2VjcmV0"),
        (PLAIN, b"your-webhook-secret"),
        ("whsec_", b"whsec_"),
        ("whsec_c2VjcmV", b"secre"),  # padding is missing
        ("whsec_-_-_", b"whsec_-_-_"),  # the alphabet of URLs
        ("whsec_c2Vj cmV0", b"whsec_c2Vj cmV0"),
        ("whsec_c2Vj=cmV0", b"whsec_c2Vj=cmV0"),
        ("whsec_ключ", "whsec_ключ".encode()),
        ("Whsec_c2VjcmV0", b"Whsec_c2VjcmV0"),
    ],
)
def test_the_key_of_the_standard_trio(secret: str, key: bytes) -> None:
    assert standard_key(secret) == key


def test_the_example_of_the_standard_is_signed_as_it_says() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, the vector that its libraries' tests share.
    headers = signature_headers(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(secret=secrets, body=st.binary())
def test_what_a_signer_signs_is_verified(secret: str, body: bytes) -> None:
    headers = Signer(secret).headers(delivery_id="delivery_1", timestamp_s=NOW_S, body=body)
    assert verify(secret=secret, headers=headers, body=body, now_s=NOW_S) is Authenticity.VERIFIED


def test_header_names_may_be_in_any_case() -> None:
    shouted = {name.upper(): value for name, value in signed(PLAIN, BODY).items()}
    assert verify(secret=PLAIN, headers=shouted, body=BODY, now_s=NOW_S) is Authenticity.VERIFIED


@pytest.mark.parametrize("name", list(signed(PLAIN, BODY)))
def test_a_missing_header_is_said(name: str) -> None:
    headers = {each: value for each, value in signed(PLAIN, BODY).items() if each != name}
    assert verify(secret=PLAIN, headers=headers, body=BODY, now_s=NOW_S) is Authenticity.UNSIGNED


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Webhook-Signature": "sha256=" + "0" * 64},
        {"X-Webhook-Signature": ""},
        {"X-Webhook-Signature": "sha256=ü"},
        {"webhook-id": "delivery_2"},
        {"webhook-id": "\udcff\ud800"},
        {"webhook-timestamp": str(NOW_S + 1)},
        {"webhook-timestamp": "9" * 10_000},
        {"webhook-timestamp": "x"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,ü"},
        {"webhook-signature": "v2," + signed(PLAIN, BODY)["webhook-signature"].removeprefix("v1,")},
    ],
)
def test_a_changed_header_is_noticed(changed: Mapping[str, str]) -> None:
    headers = signed(PLAIN, BODY) | dict(changed)
    assert verify(secret=PLAIN, headers=headers, body=BODY, now_s=NOW_S) is Authenticity.FORGED


def test_a_changed_body_is_noticed() -> None:
    assert verify(secret=PLAIN, headers=signed(PLAIN, BODY), body=BODY + b" ", now_s=NOW_S) is Authenticity.FORGED


def test_another_secret_is_noticed() -> None:
    assert verify(secret=STANDARD, headers=signed(PLAIN, BODY), body=BODY, now_s=NOW_S) is Authenticity.FORGED


def test_one_fitting_signature_among_several_is_enough() -> None:
    headers = signed(PLAIN, BODY)
    headers["webhook-signature"] = "v1,b2xk v1a,bmV3 " + headers["webhook-signature"]
    assert verify(secret=PLAIN, headers=headers, body=BODY, now_s=NOW_S) is Authenticity.VERIFIED


@pytest.mark.parametrize(
    ("late_s", "found"),
    [
        (-301, Authenticity.STALE),
        (-300, Authenticity.VERIFIED),
        (300, Authenticity.VERIFIED),
        (301, Authenticity.STALE),
    ],
)
def test_a_request_is_good_for_five_minutes_either_way(late_s: int, found: Authenticity) -> None:
    assert verify(secret=PLAIN, headers=signed(PLAIN, BODY), body=BODY, now_s=NOW_S + late_s) is found


def test_a_signed_timestamp_that_is_no_number_is_stale() -> None:
    signer = Signer(PLAIN)
    headers = signed(PLAIN, BODY) | {
        "webhook-timestamp": "٣",
        "webhook-signature": signer.standard_signature("delivery_1.٣.".encode() + BODY),
    }
    assert verify(secret=PLAIN, headers=headers, body=BODY, now_s=NOW_S) is Authenticity.STALE
