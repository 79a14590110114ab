import base64
import hmac
import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.links import Link, is_link, read, write

NOW_MS = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Key:
    key_id: str
    key: bytes = field(repr=False)


FIRST, SECOND = Key("k1", bytes(range(32))), Key("k2", bytes(range(1, 33)))
LINK = Link(
    account_id="acct_0123456789abcdef0123456789abcdef",
    scopes="read write",
    expires_at_ms=NOW_MS + 1,
    made_by="0123456789abcdef",
)
TOKEN = write(LINK, key=FIRST)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)  # as ids are: the whole has at most 1000
links = st.builds(Link, account_id=texts, scopes=texts, expires_at_ms=st.integers(0, 2**53), made_by=texts)


def parts(token: str) -> tuple[str, str]:
    payload, _, signature = token.removeprefix("hll_").partition(".")
    return payload, signature


def decoded(payload: str) -> list[object]:
    values: list[object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return values


def encoded(values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


@given(links)
def test_a_token_says_what_was_written_into_it(link: Link) -> None:
    token = write(link, key=FIRST)
    assert is_link(token)
    assert read(token, keys=[FIRST], now_ms=link.expires_at_ms - 1) == link


def test_a_token_can_stand_behind_the_hash_of_an_address() -> None:
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert set(TOKEN) <= allowed


def test_a_token_ends_with_its_time() -> None:
    assert read(TOKEN, keys=[FIRST], now_ms=NOW_MS) == LINK
    assert read(TOKEN, keys=[FIRST], now_ms=NOW_MS + 1) is None
    assert read(TOKEN, keys=[FIRST], now_ms=NOW_MS * 2) is None


def test_a_token_ends_with_the_master_key_that_signed_it() -> None:
    assert read(TOKEN, keys=[SECOND, FIRST], now_ms=NOW_MS) == LINK
    assert read(TOKEN, keys=[SECOND], now_ms=NOW_MS) is None
    assert read(TOKEN, keys=[], now_ms=NOW_MS) is None


def test_a_master_key_is_the_one_that_signed_by_its_id_and_by_its_bytes() -> None:
    for other in (Key("k1", SECOND.key), Key("k2", FIRST.key)):
        assert read(TOKEN, keys=[other], now_ms=NOW_MS) is None


@pytest.mark.parametrize("place", range(5))
def test_no_part_of_what_is_signed_can_be_changed(place: int) -> None:
    payload, signature = parts(TOKEN)
    forged: list[object] = ["k2", "acct_other", "admin", NOW_MS * 2, "fedcba9876543210"]
    values = decoded(payload)
    values[place] = forged[place]
    for keys in ([FIRST], [SECOND], [FIRST, SECOND]):
        assert read(f"hll_{encoded(values)}.{signature}", keys=keys, now_ms=NOW_MS) is None


def test_no_character_of_a_token_can_be_changed() -> None:
    """The last ones of each part too, some of whose bits say nothing in base64."""
    for place in range(len(TOKEN)):
        for other in "Aa0-_.=":
            forged = TOKEN[:place] + other + TOKEN[place + 1 :]
            assert forged == TOKEN or read(forged, keys=[FIRST], now_ms=NOW_MS) is None


def test_a_signature_of_another_link_is_none_of_this_one() -> None:
    other = write(replace(LINK, scopes="admin"), key=FIRST)
    (payload, _), (_, signature) = parts(other), parts(TOKEN)
    assert read(f"hll_{payload}.{signature}", keys=[FIRST], now_ms=NOW_MS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hll_",
        "hll_.",
        "hll_..",
        TOKEN.removeprefix("hll_"),
        TOKEN.upper(),
        f"{TOKEN}=",
        f"{TOKEN} ",
        f" {TOKEN}",
        f"{TOKEN}\n",
        f"{TOKEN}.",
        f"hll_{TOKEN}",
        TOKEN.replace(".", ""),
        TOKEN.partition(".")[0],
        f"hll_.{TOKEN.partition('.')[2]}",
        f"{TOKEN}\u2603",
        f"hll_{'a' * 10_000}.{parts(TOKEN)[1]}",
        "hl_0123456789abcdef_",
        "\udcff",
    ],
)
def test_what_is_no_token_lets_nobody_in(text: str) -> None:
    assert read(text, keys=[FIRST], now_ms=NOW_MS) is None


@given(st.text() | st.text().map("hll_{}".format) | st.tuples(st.text(), st.text()).map("hll_{0[0]}.{0[1]}".format))
def test_no_text_breaks_anything_or_lets_anybody_in(text: str) -> None:
    assert read(text, keys=[FIRST, SECOND], now_ms=NOW_MS) is None


@given(st.binary(max_size=60), st.binary(min_size=32, max_size=32))
def test_nobody_signs_without_the_key(payload: bytes, signature: bytes) -> None:
    text, signed = (base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (payload, signature))
    assert read(f"hll_{text}.{signed}", keys=[FIRST], now_ms=0) is None


def test_the_master_key_itself_signs_nothing() -> None:
    """A signature made with it for something else is none of a link's."""
    payload, _ = parts(TOKEN)
    signature = base64.urlsafe_b64encode(hmac.digest(FIRST.key, payload.encode(), "sha256")).decode().rstrip("=")
    assert read(f"hll_{payload}.{signature}", keys=[FIRST], now_ms=NOW_MS) is None
