import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.metadata import (
    Value,
    complaint_about_metadata,
    complaint_about_uid,
    read_metadata,
    write_metadata,
)
from hookline.schemas.errors import ContractError

WHOLE = 2**53
UID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=500)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
values = (
    texts | st.integers(-WHOLE, WHOLE) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)  # the four kinds there are
metadata = st.dictionaries(keys, values, max_size=50)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=10,
)


def as_told(mapping: Mapping[str, Value]) -> list[tuple[str, type, Value]]:
    """Keys and values in order, with their types: 1, 1.0 and True are equal in Python."""
    return [(key, type(value), value) for key, value in mapping.items()]


@given(metadata)
def test_what_is_written_is_read_back_the_same_and_in_order(given_metadata: dict[str, Value]) -> None:
    assert complaint_about_metadata(given_metadata) is None
    text = write_metadata(given_metadata)
    assert as_told(read_metadata(text)) == as_told(given_metadata)
    assert write_metadata(read_metadata(text)) == text
    assert len(text.encode()) < 200_000  # far below what a record may have


@given(anything | st.dictionaries(st.text(st.characters(), max_size=45), anything, max_size=4))
def test_whatever_comes_it_is_complained_about_or_written(value: Any) -> None:
    complaint = complaint_about_metadata(value)
    assert complaint is not None or as_told(read_metadata(write_metadata(value))) == as_told(value)
    assert complaint is None or (complaint.isascii() and len(complaint) < 600)


def test_metadata_is_written_compactly_as_json_that_anyone_reads() -> None:
    given_metadata: dict[str, Value] = {"tier": "gold", "größe": "ü\u2028\n", "n": 3, "share": 0.5, "is_test": False}
    text = write_metadata(given_metadata)
    assert text == '{"tier":"gold","größe":"ü\u2028\\n","n":3,"share":0.5,"is_test":false}'
    assert json.loads(text) == given_metadata
    assert write_metadata({}) == "{}"


@pytest.mark.parametrize(
    "allowed",
    [
        {},
        {"k" * 40: "v" * 500},
        {f"k{number}": number for number in range(50)},
        {"a": WHOLE, "b": -WHOLE, "c": 0, "d": 1.5, "e": 1e300, "f": True, "g": ""},
        {"\U0001f600" * 40: "\U0001f600" * 500},
        {"\x00": "\x00"},
    ],
)
def test_metadata_within_the_limits_is_right(allowed: dict[str, Value]) -> None:
    assert complaint_about_metadata(allowed) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "must be a JSON object"),
        ([], "must be a JSON object"),
        ("{}", "must be a JSON object"),
        ({f"k{number}": 1 for number in range(51)}, "has 51 keys; it may have at most 50"),
        ({"": 1}, "has a key that begins with ''; a key has 1 to 40 characters"),
        ({"k" * 41: 1}, f"has a key that begins with '{'k' * 40}'; a key has 1 to 40 characters"),
        ({1: 1}, "has a key that is no text"),
        ({"\ud800": 1}, r"has the key '\ud800', which holds a lone surrogate and is no text"),
        ({"fine": 1, "größe": None}, r"has at 'gr\xf6\xdfe' what is no text, no number and neither true nor false"),
        ({"a": {}}, "has at 'a' what is no text, no number and neither true nor false"),
        ({"a": [1]}, "has at 'a' what is no text, no number and neither true nor false"),
        ({"a": b"x"}, "has at 'a' what is no text, no number and neither true nor false"),
        ({"a": "v" * 501}, "has at 'a' a text of 501 characters; it may have at most 500"),
        ({"a": "\udfff"}, "has at 'a' a lone surrogate, which is no text"),
        ({"a": WHOLE + 1}, "has at 'a' a whole number that is not between -2**53 and 2**53"),
        ({"a": -WHOLE - 1}, "has at 'a' a whole number that is not between -2**53 and 2**53"),
        ({"a": math.inf}, "has at 'a' a number that is not finite"),
        ({"a": math.nan}, "has at 'a' a number that is not finite"),
    ],
)
def test_metadata_beyond_the_limits_is_complained_about_by_key(wrong: object, said: str) -> None:
    assert complaint_about_metadata(wrong) == said


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"a"', "1" * 5_000, "[" * 100_000])
def test_text_that_is_no_metadata_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match="must be a"):
        read_metadata(text)


@given(st.text(UID_CHARACTERS, min_size=1, max_size=200))
def test_a_uid_is_right_unless_it_looks_like_an_id_or_moves_in_a_path(uid: str) -> None:
    is_right = not uid.startswith("wh_") and uid not in {".", ".."}
    assert (complaint_about_uid(uid) is None) is is_right


@pytest.mark.parametrize(
    "uid", ["a", "-", "_", ":", "...", "Wh_1", "awh_1", "wh-1", "wh", "orders.eu-1:v2_x", "0" * 200]
)
def test_a_uid_of_the_customers_own(uid: str) -> None:
    assert complaint_about_uid(uid) is None


@pytest.mark.parametrize(
    ("uid", "said"),
    [
        ("", "1 to 200 characters"),
        ("x" * 201, "1 to 200 characters"),
        ("a b", "1 to 200 characters"),
        ("a/b", "1 to 200 characters"),
        ("a%2fb", "1 to 200 characters"),
        ("a\n", "1 to 200 characters"),
        ("ü", "1 to 200 characters"),
        ("\u0661", "1 to 200 characters"),
        ("\ud800", "1 to 200 characters"),
        ("wh_", "must not begin with wh_"),
        ("wh_mine", "must not begin with wh_"),
        (".", "is '.', which can't stand in the path of a URL"),
        ("..", "is '..', which can't stand in the path of a URL"),
    ],
)
def test_a_uid_that_cannot_stand_for_an_id_is_complained_about(uid: str, said: str) -> None:
    assert said in (complaint_about_uid(uid) or "")
