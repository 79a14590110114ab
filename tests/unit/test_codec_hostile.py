"""Whatever bytes lie in an event topic: a value or a ContractError, quickly and in little memory."""

import struct
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.schemas import MONEY, TEXT, TIME, event, field, parcels
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, UnknownSchema


def varint(number: int) -> bytes:
    zigzag = ((number << 1) ^ (number >> 63)) & (2**64 - 1)
    out = b""
    while zigzag > 127:
        out, zigzag = out + bytes([zigzag & 127 | 128]), zigzag >> 7
    return out + bytes([zigzag])


def text(value: str) -> bytes:
    return varint(len(value.encode())) + value.encode()


def written(body: bytes) -> bytes:
    return b"\xc3\x01" + HOSTILE.newest["parcel.sent"].fingerprint + body


HOSTILE = parcels(
    event(
        field("at", TIME),
        field("price", MONEY),
        field("count", "int"),
        field("weight", "double"),
        field("names", {"type": "array", "items": TEXT}),
        sample={"at": "2023-06-20T14:15:30Z", "price": 1, "count": 1, "weight": 1.5, "names": ["n"]},
    )
)
HEAD = (text("evt_1"), text("acct_1"), text("parcel.sent"), varint(1), text("p"))
GOOD = (varint(1), b"\x02\x01", varint(1), struct.pack("<d", 1.5), varint(0))
FINE = b"".join(HEAD + GOOD)


def with_part(place: int, part: bytes, parts: tuple[bytes, ...] = HEAD + GOOD) -> bytes:
    return written(b"".join([*parts[:place], part, *parts[place + 1 :]]))


def test_the_hostile_bytes_are_fine_before_they_are_changed() -> None:
    assert Codec(HOSTILE).decode_event(written(FINE)).data["price"] == Decimal("0.0001")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "the value is null; it must be an Avro record"),
        (b"", "the value is empty; it must be an Avro record"),
        (b"{", "the value begins with 7b; it must be Avro in single-object encoding"),
        (b'{"id": 1}', "the value begins with 7b22;"),
        (b"\x00\x00\x00\x00\x01abc", "the value begins with 0000;"),
        (b"\xc3", "the value begins with c3;"),
        (b"\xc3\x01abc", "the value ends after 5 bytes, in the middle of its schema's fingerprint"),
        (b"\xc3\x01" + bytes(8), "the value's schema has the fingerprint 0000000000000000, which the catalogue lacks"),
        (written(b""), "parcel.sent/1.avsc: the value is cut short"),
        (written(FINE[:-1]), "parcel.sent/1.avsc: the value is cut short"),
        (written(FINE + b"\x00\x00"), "parcel.sent/1.avsc: 2 bytes follow the record's end"),
        (with_part(0, text("")), "parcel.sent: event_id is a text of 0 characters"),
        (with_part(1, text("a" * 257)), "parcel.sent: account_id is a text of 257 characters"),
        (with_part(2, text("parcel.lost")), "parcel.sent: type is 'parcel.lost'; it must be parcel.sent"),
        (with_part(3, varint(2**60)), "parcel.sent: occurred_at is a time outside the years 1 to 9999"),
        (with_part(4, varint(2**60)), "parcel.sent/1.avsc: the value is cut short, or a length in it is wrong"),
        (with_part(4, varint(-5)), "parcel.sent/1.avsc: the value is cut short, or a length in it is wrong"),
        (with_part(4, b"\x02\xff"), "parcel.sent/1.avsc: the value holds text that is no UTF-8"),
        (with_part(4, b"\x06\xed\xa0\x80"), "parcel.sent/1.avsc: the value holds text that is no UTF-8"),
        (with_part(5, varint(-(2**63))), "parcel.sent: data.at is a time outside the years 1 to 9999"),
        (with_part(6, b"\x00"), "parcel.sent: data.price is a decimal written in 0 bytes"),
        (with_part(6, varint(8) + b"\x7f" * 8), "parcel.sent: data.price is a decimal of 19 digits"),
        (with_part(6, varint(5000) + bytes(5000)), "parcel.sent: data.price is a decimal written in 5000 bytes"),
        (with_part(7, varint(2**31)), "parcel.sent: data.count is a whole number of 33 bits"),
        (with_part(8, struct.pack("<d", float("nan"))), "parcel.sent: data.weight is not a finite number"),
        (with_part(8, struct.pack("<d", float("-inf"))), "parcel.sent: data.weight is not a finite number"),
        (with_part(9, varint(2**60)), "parcel.sent/1.avsc: the value is cut short"),
        (with_part(9, varint(2**60) + bytes(9)), "parcel.sent/1.avsc: the value is cut short"),
        (with_part(9, varint(-(2**60)) + varint(1) + bytes(9)), "parcel.sent/1.avsc: the value is cut short"),
        (with_part(9, b"\xff" * 100_000), "parcel.sent/1.avsc: the value is cut short"),
    ],
)
def test_bytes_that_are_no_event_are_told_apart_and_cost_little(value: bytes | None, said: str) -> None:
    tracemalloc.start()
    with pytest.raises(ContractError) as refused:
        Codec(HOSTILE).decode_event(value)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(refused.value).startswith(said)
    assert peak_bytes < 4_000_000


@settings(deadline=None, max_examples=200)
@given(body=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_contract_error(body: bytes) -> None:
    codec = Codec(HOSTILE)
    try:
        codec.decode_event(written(body))
    except ContractError:
        return


@settings(deadline=None, max_examples=200)
@given(place=st.integers(0, len(FINE) - 1), byte=st.integers(0, 255))
def test_one_wrong_byte_raises_nothing_but_a_contract_error(place: int, byte: int) -> None:
    codec = Codec(HOSTILE)
    try:
        codec.decode_event(written(FINE[:place] + bytes([byte]) + FINE[place + 1 :]))
    except ContractError:
        return


@pytest.mark.parametrize(
    ("value", "is_of_newer"),
    [
        (b"\xc3\x01" + bytes(8), True),
        (b"\xc3\x01" + bytes(8) + b"a body", True),
        (b"\xc3\x01" + bytes(7), False),
        (b"\xc3\x02" + bytes(8), False),
        (b"", False),
    ],
)
def test_only_what_is_framed_as_ours_may_be_of_a_newer_release(value: bytes, is_of_newer: bool) -> None:
    with pytest.raises(ContractError) as raised:
        Codec(HOSTILE).decode_any(value)
    assert isinstance(raised.value, UnknownSchema) is is_of_newer
