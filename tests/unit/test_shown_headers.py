"""Headers as they are put on record: bounded, readable, and without secrets."""

import pytest

from hookline.core.redaction import spellings
from hookline.core.shown_headers import ANSWER_HEADERS_BYTES_MAX, ANSWER_HEADERS_MAX, shown_answers, shown_ours

SECRET = "Canary-In-A-Header"
SECRETS = spellings([SECRET])
Raw = list[tuple[bytes, bytes]]


def test_signatures_are_shortened_and_the_rest_is_shown() -> None:
    headers = {
        "webhook-id": "delivery_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,hnO3f9T8Ytu9HwrXslvumlUp",
        "X-Webhook-Signature": "sha256=5d41402abc4b2a76b9719d911017c592",
        "X-Webhook-Signature-Next": "sha256=0011223344556677",
        "X-Webhook-Event": "user.created",
        "X-Webhook-Attempt": "3",
    }
    assert shown_ours(headers) == (
        "webhook-id: delivery_1",
        "webhook-timestamp: 1700000000",
        "X-Webhook-Event: user.created",
        "X-Webhook-Attempt: 3",
        "webhook-signature: v1,K5oZfzN9… v1a,hnO3f9T8…",
        "X-Webhook-Signature: sha256=5d41402a…",
        "X-Webhook-Signature-Next: sha256=00112233…",
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ([], ()),
        ([(b"Server", b"x"), (b"Date", b"today")], ("Server: x", "Date: today")),
        ([(b"X-Same", b"1"), (b"X-Same", b"2")], ("X-Same: 1", "X-Same: 2")),
        ([(b"X-Empty", b"")], ("X-Empty: ",)),
        ([(b"Set-Cookie", b"session=1; Path=/"), (b"SET-COOKIE2", b"b=2")], ("Set-Cookie: ***", "SET-COOKIE2: ***")),
        ([(b"X-Echo", SECRET.encode())], ("X-Echo: ***",)),
        ([(b"X-Echo", b"a" + SECRET.replace("-", "%2D").encode() + b"z")], ("X-Echo: a***z",)),
        ([(SECRET.encode(), b"1")], ("***: 1",)),
        ([(b"X-Bytes", b"\xff\x80\xc3\xa9")], ("X-Bytes: ??é",)),
        ([(b"X-Break", b"one\r\nX-Forged: two\nthree\x00\x7f")], ("X-Break: one  X-Forged: two three  ",)),
    ],
)
def test_an_answers_headers(raw: Raw, shown: tuple[str, ...]) -> None:
    assert shown_answers(raw, SECRETS) == shown


@pytest.mark.parametrize(
    "raw",
    [
        [(b"X-%d" % number, b"y") for number in range(10_000)],
        [(b"X-Long", b"y" * 60_000)],
        [(b"X-Wide", b"\xff" * 3_000)],
        [(b"X-%d" % number, b"y" * 900) for number in range(60)],
        [(b"Set-Cookie", b"y" * 10_000)] * 10,
    ],
    ids=["many", "long", "bytes", "both", "cookies"],
)
def test_there_is_a_bound_in_number_and_in_bytes(raw: Raw) -> None:
    shown = shown_answers(raw, SECRETS)
    assert 0 < len(shown) <= ANSWER_HEADERS_MAX
    assert len("\n".join(shown).encode()) <= ANSWER_HEADERS_BYTES_MAX


@pytest.mark.parametrize("before", range(ANSWER_HEADERS_BYTES_MAX - 40, ANSWER_HEADERS_BYTES_MAX + 40, 3))
@pytest.mark.parametrize("further", [0, 2 * 1024])
def test_wherever_what_is_kept_ends_no_more_than_three_characters_of_a_secret_are_left(
    before: int, further: int
) -> None:
    shown = shown_answers([(b"X", b"." * (before + further)), (b"Y", SECRET.encode() * 3)], SECRETS)
    assert not any(SECRET[:4] in each for each in shown)


def test_a_secret_that_the_end_of_what_is_looked_through_cuts_off_is_masked() -> None:
    for length in range(3_980, 4_096):
        shown = shown_answers([(b"X", b"."), (b"Z" * length, SECRET.encode())], SECRETS)
        assert not any(SECRET[:4] in each for each in shown)
