import html
import json
from collections.abc import Callable, Sequence
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hookline.core.masking import MASK
from hookline.core.redaction import BEGINNING_BYTES_MAX, SECRET_CHARACTERS_MIN, redacted, spellings

SPECIAL = "<>&'\"/+=%#\\"
SECRET = 'K3y/"é"&+\\=='
Writer = Callable[[str], str]
WRITERS: Sequence[Writer] = (
    str,
    lambda text: quote(text, safe=""),
    lambda text: quote(text, safe="").replace("%C3%A9", "%c3%a9").replace("%2F", "%2f").replace("%5C", "%5c"),
    quote_plus,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("\\u00e9", "\\u00E9"),
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: "".join(f"\\u{ord(each):04x}" if each in SPECIAL else json.dumps(each)[1:-1] for each in text),
    html.escape,
    lambda text: html.escape(text).encode("ascii", errors="xmlcharrefreplace").decode(),
    lambda text: "".join(each if each.isalnum() and each.isascii() else f"&#x{ord(each):X};" for each in text),
    lambda text: html.escape(text).replace("é", "&eacute;").replace("+", "&plus;").replace("/", "&sol;"),
)
# Other letters than those around them, and all that is special to one of the writers.
SECRETS = st.text('ABC0123456789%&+\\"/=#; <é\U0001f511', min_size=SECRET_CHARACTERS_MIN, max_size=20)
AROUND = st.text("xyz .:,-\n", max_size=12)


def kept(answer: str | bytes, *secrets: str) -> bytes:
    return redacted(answer.encode() if isinstance(answer, str) else answer, spellings(secrets))


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("around", WRITERS)
def test_a_secret_is_masked_however_it_is_written_and_that_is_written_again(write: Writer, around: Writer) -> None:
    echo = around(write(SECRET))
    assert kept(f"x={echo}; y={echo}", SECRET) == b"x=***; y=***"


@pytest.mark.parametrize("write", WRITERS)
def test_a_secret_that_was_sent_encoded_is_masked_where_it_comes_decoded(write: Writer) -> None:
    sent = quote_plus(SECRET + " and 1")
    assert kept(f"[{write(SECRET + ' and 1')}]", sent) == b"[***]"
    assert kept(f"[{write(sent)}]", sent) == b"[***]"


def test_each_of_several_secrets_is_masked_and_nothing_else() -> None:
    answer = '{"headers": {"X-Api-Key": "first-key", "Accept": "*/*"}, "url": "https://host/in?token=second%2Fone&a=1"}'
    masked = '{"headers": {"X-Api-Key": "***", "Accept": "*/*"}, "url": "https://host/in?token=***&a=1"}'
    assert kept(answer, "first-key", "second/one") == masked.encode()


@pytest.mark.parametrize(
    ("answer", "secrets"), [(b"", ("secret",)), (b"secret", ()), (b"key", ("key",)), (b"\xff%zz\\&;", ("secret",))]
)
def test_where_there_is_nothing_to_mask_it_stays_as_it_came(answer: bytes, secrets: tuple[str, ...]) -> None:
    assert kept(answer, *secrets) is answer


def test_an_answer_that_is_full_of_secrets_is_all_mask() -> None:
    assert kept("secret," * 256, "secret") == b"***," * 256
    assert kept("secret," * 257, "secret") == MASK.encode()
    assert kept("secre%74," * 257, "secret") == MASK.encode()
    assert kept("a" * BEGINNING_BYTES_MAX, "aaaa", "aaaaa") == MASK.encode()


def test_the_end_of_an_answer_that_was_not_cut_off_is_left_although_a_secret_begins_like_it() -> None:
    assert kept("no token", "token=hunter2") == b"no token"
    assert kept("x" * (BEGINNING_BYTES_MAX - 6) + " token", "token=hunter2").endswith(b"x ***")


@given(answer=st.binary(max_size=60) | st.text('%&\\u1aD8;#x"amp', max_size=60).map(str.encode), cut=st.booleans())
def test_whatever_an_endpoint_answers_it_is_looked_through(answer: bytes, cut: bool) -> None:
    answer = (b"." * BEGINNING_BYTES_MAX + answer)[-BEGINNING_BYTES_MAX:] if cut else answer
    assert len(kept(answer, "aDaD", "\\u1a")) <= max(len(answer), len(MASK))


@given(before=AROUND, secret=SECRETS, after=AROUND, writers=st.lists(st.sampled_from(WRITERS), max_size=2))
def test_whatever_is_secret_it_is_masked_and_what_is_around_it_is_not(
    before: str, secret: str, after: str, writers: list[Writer]
) -> None:
    secret += "SAFE"  # so that it is long enough, also if all else of it is escapes
    assert kept(before + written(secret, writers) + after, secret).decode() == before + MASK + after


@given(text=st.text("ab+ ", max_size=30), secrets=st.lists(st.text("ab+ ", min_size=4, max_size=7), max_size=4))
@example(text="abababa", secrets=["abab", "baba"])
def test_secrets_that_overlap_are_masked_as_one(text: str, secrets: list[str]) -> None:
    assert kept(text, *secrets).decode() == masked_by_hand(text, secrets)


@given(text=st.text("ab*", max_size=24), secrets=st.lists(st.text("ab*", min_size=4, max_size=7), max_size=4))
@example(text="aabbbb", secrets=["bbbb", "aa***"])
@example(text="bbbbbbabbb", secrets=["abbb", "b***"])
def test_secrets_that_are_like_masks_leave_nothing_of_themselves(text: str, secrets: list[str]) -> None:
    found = kept(text, *secrets)
    assert not any(secret.encode() in found for secret in secrets)
    assert kept(found, *secrets) == found
    assert len(found) <= max(len(text), len(MASK))


def masked_by_hand(text: str, secrets: Sequence[str]) -> str:
    """Letter by letter."""
    covered = {
        at + each
        for secret in secrets
        for at in range(len(text))
        if text.replace("+", " ").startswith(secret.replace("+", " "), at)
        for each in range(len(secret))
    }
    return "".join("" if {at - 1, at} <= covered else MASK if at in covered else each for at, each in enumerate(text))


@pytest.mark.parametrize("write", WRITERS)
def test_what_the_end_cuts_off_of_a_secret_is_masked_from_its_fourth_character_on(write: Writer) -> None:
    echo = write(SECRET)
    least = write(SECRET[:SECRET_CHARACTERS_MIN])
    for length in range(len(echo) + 1):
        before = b"x" * (BEGINNING_BYTES_MAX - length)
        cut = echo.encode()[:length]
        found = kept(before + cut, SECRET)
        if length >= len(least.encode()):
            assert found == before + b"***", cut
        else:
            assert found.startswith(before)


@given(secret=SECRETS, writers=st.lists(st.sampled_from(WRITERS), max_size=2), share=st.floats(0, 1))
def test_wherever_it_is_cut_off_no_more_than_three_of_its_characters_are_left(
    secret: str, writers: list[Writer], share: float
) -> None:
    assume(len(spellings([f"{secret}SAFE"])) == 1)  # no escapes in itself: of such, what they mean is counted
    echo, least = (written(each, writers).encode() for each in (secret, secret[:SECRET_CHARACTERS_MIN]))
    cut = echo[: max(len(least), round(share * len(echo)))]
    before = b"x" * (BEGINNING_BYTES_MAX - len(cut))
    assert kept(before + cut, secret) == before + b"***"


def written(text: str, writers: Sequence[Writer]) -> str:
    for write in writers:
        text = write(text)
    return text
