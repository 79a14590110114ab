import hashlib

import pytest

from hookline.core.apikeys import parse, proves, secret_sha256, write
from hookline.schemas.records import ApiKey

KEY_ID = "0123456789abcdef"
SECRET = "fedcba9876543210" * 2 + "00112233"
TEXT = write(KEY_ID, SECRET)


def record(secret: str = SECRET) -> ApiKey:
    return ApiKey(key_id=KEY_ID, account_id="acct_1", secret_sha256=secret_sha256(secret), created_at_ms=0)


def test_a_key_reads_as_it_was_written() -> None:
    presented = parse(TEXT)
    assert presented is not None
    assert (presented.key_id, presented.secret) == (KEY_ID, SECRET)
    assert TEXT.startswith(f"hl_{KEY_ID}_{SECRET}")


def test_only_the_hash_of_a_secret_is_kept() -> None:
    assert record().secret_sha256 == hashlib.sha256(SECRET.encode()).digest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hl_",
        TEXT[:-1],
        TEXT + "0",
        TEXT + "\n",
        TEXT.upper(),
        TEXT.replace("hl_", "sk_"),
        TEXT[:30] + ("1" if TEXT[30] == "0" else "0") + TEXT[31:],
        TEXT.replace("_", "-"),
        f" {TEXT}",
        "\u0660" * len(TEXT),
    ],
)
def test_a_mistyped_key_is_none(text: str) -> None:
    assert parse(text) is None


def test_the_right_secret_proves_a_key() -> None:
    presented = parse(TEXT)
    assert presented is not None
    assert proves(presented, record())


def test_a_wrong_secret_or_an_unknown_key_proves_nothing() -> None:
    presented = parse(TEXT)
    assert presented is not None
    assert not proves(presented, record(secret="another"))
    assert not proves(presented, None)


def test_a_presented_secret_does_not_show_itself() -> None:
    assert SECRET not in repr(parse(TEXT))
