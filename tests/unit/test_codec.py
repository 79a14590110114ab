import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.schemas import MONEY, TEXT, event, field, item, optional, parcels, record
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec, sample_event
from hookline.schemas.errors import ContractError
from hookline.schemas.records import (
    Account,
    ApiKey,
    Attempt,
    DeadLetter,
    Delivery,
    Disabling,
    EndpointHealth,
    Event,
    Place,
    Record,
    SealedSecret,
    Subscription,
    SubscriptionStatus,
)

CATALOGUE = load_catalogue()
CODEC = Codec(CATALOGUE)
AT = datetime(2023, 6, 20, 14, 15, 30, 123_000, tzinfo=UTC)
ACCOUNT = Account(account_id="acct_1", name="Default", created_at_ms=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LONGS = st.integers(-(2**63), 2**63 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)
INT_FIELDS = {"run", "attempt", "postponed", "response_code", "attempts", "partition", "opened", "warnings"}


def records(kind: type[Any], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records with every field drawn; Avro's `int` fields within 32 bits."""
    ints = {name: INTS for name in kind.__dataclass_fields__ if name in INT_FIELDS}
    ints |= {name: st.none() | INTS for name in ints.keys() & {"response_code", "attempts"} if kind is not Delivery}
    return st.builds(kind, **(ints | known))


def drawn() -> st.SearchStrategy[Any]:
    st.register_type_strategy(str, TEXTS)
    st.register_type_strategy(int, LONGS)
    place = records(Place)
    return st.one_of(
        records(Account),
        records(ApiKey),
        records(
            Subscription,
            secret=st.builds(SealedSecret),
            rate_limit=st.none() | INTS,
            timeout_s=st.none() | INTS,
            judged_from=LONGS,
        ),
        records(EndpointHealth),
        records(Disabling),
        records(Delivery, origin=st.none() | place, is_test=st.booleans()),
        records(Attempt, origin=place),
        records(DeadLetter, **{name: st.none() | TEXTS for name in ("delivery_id", "account_id", "event_id")}),
    )


def order(**data: object) -> Event:
    shown = sample_event(CATALOGUE, "order.created", event_id="evt_1", account_id="acct_1", occurred_at=AT)
    return replace(shown, data={name: value for name, value in (dict(shown.data) | data).items() if value is not ...})


def parcel(**data: object) -> Event:
    return Event(event_id="evt_1", account_id="acct_1", type="parcel.sent", occurred_at=AT, data={"id": "p"} | data)


# Records


@settings(deadline=None, max_examples=60)
@given(written=drawn())
def test_a_record_comes_back_as_it_was(written: Record) -> None:
    value = CODEC.encode(written)
    assert CODEC.decode(value, type(written)) == written
    assert CODEC.decode_any(value) == written


def test_a_record_begins_with_its_schemas_fingerprint() -> None:
    assert CODEC.encode(ACCOUNT)[:10] == b"\xc3\x01" + CATALOGUE.newest["account"].fingerprint


def test_a_record_of_another_kind_is_refused() -> None:
    with pytest.raises(ContractError, match="the value is a record of the kind account; it must be Delivery"):
        CODEC.decode(CODEC.encode(ACCOUNT), Delivery)


def test_an_event_is_no_record_and_a_record_no_event() -> None:
    with pytest.raises(ContractError, match=r"the value is an event of the type order.created"):
        CODEC.decode_any(CODEC.encode_event(order()))
    with pytest.raises(ContractError, match="the value is a record of the kind account; it must be an event"):
        CODEC.decode_event(CODEC.encode(ACCOUNT))


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ACCOUNT, name="\ud800"),
        replace(ACCOUNT, created_at_ms=2**63),
        replace(ACCOUNT, name=7),  # type: ignore[arg-type]
    ],
)
def test_a_record_that_avro_cannot_write_is_a_contract_error(wrong: Account) -> None:
    with pytest.raises(ContractError, match="Account can't be written: a value does not fit its field"):
        CODEC.encode(wrong)


def test_a_class_and_its_schema_must_agree() -> None:
    text = '{"type": "record", "name": "Account", "doc": "d", "fields": [{"name": "%s", "type": "%s", "doc": "d"}]}'
    with pytest.raises(ContractError, match=r"account/1.avsc: the fields are id; Account has account_id, name"):
        Codec(Catalogue.from_texts({"account/1.avsc": text % ("id", "string")}))


def test_an_enum_and_its_schema_must_agree() -> None:
    assert {str(status) for status in SubscriptionStatus} == {"active", "paused"}
    with pytest.raises(
        ContractError, match=r"status: the words are active, gone; SubscriptionStatus has active, paused"
    ):
        Codec(Catalogue.from_texts({"subscription/1.avsc": subscription_text().replace('"paused"', '"gone"')}))


def subscription_text(version: int = 5) -> str:
    """A released schema's text; that of the newest version is what the class must agree with."""
    return (files("hookline.schemas") / "avro" / "subscription" / f"{version}.avsc").read_text()


# Events


@pytest.mark.parametrize("name", CATALOGUE.event_types)
def test_every_sample_comes_back_as_it_was(name: str) -> None:
    shown = sample_event(CATALOGUE, name, event_id="evt_1", account_id="acct_1", occurred_at=AT)
    assert CODEC.decode_event(CODEC.encode_event(shown)) == shown


@settings(deadline=None, max_examples=60)
@given(
    total=st.decimals("-99999999999999.9999", "99999999999999.9999", places=4),
    name=TEXTS,
    at=st.datetimes(timezones=st.timezones()).filter(lambda at: 1 < at.year < 9999),
    quantity=INTS,
)
def test_money_text_and_times_come_back_as_they_were(total: Decimal, name: str, at: datetime, quantity: int) -> None:
    written = order(total=total, currency=name, created_at=at, items=[item(quantity=quantity, name=name)])
    read = CODEC.decode_event(CODEC.encode_event(written)).data
    assert (read["total"], read["currency"], read["items"]) == (total, name, written.data["items"])
    assert timedelta(0) <= at - as_time(read["created_at"]) < timedelta(milliseconds=1)


def as_time(value: object) -> datetime:
    assert isinstance(value, datetime)
    assert value.tzinfo is UTC
    return value


@pytest.mark.parametrize("absent", [..., None])
def test_an_absent_optional_field_stays_absent(absent: object) -> None:
    cancelled = sample_event(CATALOGUE, "order.cancelled", event_id="e", account_id="a", occurred_at=AT)
    data = {name: value for name, value in cancelled.data.items() if name != "reason"}
    written = replace(cancelled, data=data if absent is ... else data | {"reason": None})
    assert "reason" not in CODEC.decode_event(CODEC.encode_event(written)).data


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (order(total=...), "data.total is missing; it must be there"),
        (order(surprise=1), "data.'surprise' is not in the schema; it must be one of created_at, currency"),
        (order(total=99.99), "data.total is a float; it must be a decimal of at most 18 digits, 4 of them after the"),
        (order(total=100), "data.total is a whole number; it must be a decimal"),
        (order(total="99.99"), "data.total is a text of 5 characters; it must be a decimal"),
        (order(total=None), "data.total is null; it must be a decimal"),
        (order(total=Decimal("0.00001")), "data.total is a decimal with more digits after the point"),
        (order(total=Decimal("1E-99999")), "data.total is a decimal with more digits after the point"),
        (order(total=Decimal(10) ** 14), "data.total is a decimal with more digits, or not a finite one"),
        (order(total=Decimal("1E+999999")), "data.total is a decimal with more digits, or not a finite one"),
        (order(total=Decimal("NaN")), "data.total is a decimal with more digits, or not a finite one"),
        (order(total=Decimal("sNaN")), "data.total is a decimal with more digits, or not a finite one"),
        (order(total=Decimal("-Infinity")), "data.total is a decimal with more digits, or not a finite one"),
        (order(created_at=AT.replace(tzinfo=None)), "data.created_at is a time without a zone"),
        (order(created_at=1_687_270_530), "data.created_at is a whole number; it must be a time with a zone"),
        (order(created_at="2023-06-20T14:15:30Z"), "data.created_at is a text of 20 characters; it must be a time"),
        (
            order(created_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
            "data.created_at is a time outside the years 1 to 9999 in UTC",
        ),
        (order(user_id="\ud83d"), "data.user_id is a text with a lone surrogate; it must be text that UTF-8 can write"),
        (order(user_id=b"u"), "data.user_id is of the type bytes; it must be a text"),
        (order(items="none"), "data.items is a text of 4 characters; it must be a list"),
        (order(items=[item(), item(price=True)]), "data.items[1].price is a boolean; it must be a decimal"),
        (order(items=[item(), 5]), "data.items[1] is a whole number; it must be a mapping"),
        (order(items=[item(name=...)]), "data.items[0].name is missing"),
        (order(items=[item(quantity=True)]), "data.items[0].quantity is a boolean; it must be a whole number"),
        (
            order(items=[item(quantity=2**31)]),
            "data.items[0].quantity is a whole number of 33 bits; it must be one that",
        ),
        (replace(order(), data=None), "data is null; it must be a mapping"),  # type: ignore[arg-type]
        (replace(order(), event_id=""), "event_id is a text of 0 characters; it must be a text of 1 to 256 characters"),
        (replace(order(), event_id="e" * 257), "event_id is a text of 257 characters"),
        (replace(order(), account_id="\udfff"), "account_id is a text with a lone surrogate"),
        (replace(order(), account_id=7), "account_id is a whole number; it must be a text"),  # type: ignore[arg-type]
        (replace(order(), occurred_at=AT.replace(tzinfo=None)), "occurred_at is a time without a zone"),
    ],
)
def test_an_event_that_does_not_fit_is_refused_by_its_field(wrong: Event, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        CODEC.encode_event(wrong)
    assert str(refused.value).startswith(f"order.created: {said}")


@pytest.mark.parametrize("name", ["order.lost", "", "account", 7, None])
def test_an_unknown_event_type_is_refused(name: Any) -> None:
    with pytest.raises(ContractError, match=r"the event type is .*; it must be one of order.cancelled, "):
        CODEC.encode_event(replace(order(), type=name))


def test_a_refusal_holds_nothing_of_the_value() -> None:
    private = "john@example.com"
    with pytest.raises(ContractError) as refused:
        CODEC.encode_event(order(total=private))
    assert private not in str(refused.value)


def test_decimals_that_are_equal_are_written_alike() -> None:
    assert CODEC.encode_event(order(total=Decimal("1.50000"))) == CODEC.encode_event(order(total=Decimal("1.5")))


# Versions and framings


SMALL = {"type": "enum", "name": "Size", "symbols": ["small"]}
LINE = record("Line", field("name", TEXT))


@pytest.mark.parametrize(
    ("older", "newer", "data", "read"),
    [
        ([], [optional("note", TEXT)], {}, {}),
        ([], [field("count", "int", default=7)], {}, {"count": 7}),
        ([], [field("names", {"type": "array", "items": TEXT}, default=[])], {}, {"names": []}),
        ([], [optional("line", LINE)], {}, {}),
        ([field("note", TEXT)], [optional("note", TEXT)], {"note": "n"}, {"note": "n"}),
        ([field("line", LINE)], [optional("line", LINE)], {"line": {"name": "n"}}, {"line": {"name": "n"}}),
        ([optional("line", LINE)], [optional("line", LINE)], {"line": {"name": "n"}}, {"line": {"name": "n"}}),
        ([field("count", "int")], [field("count", "long")], {"count": 7}, {"count": 7}),
        ([field("gone", TEXT)], [], {"gone": "g"}, {}),
        ([field("price", MONEY)], [optional("price", MONEY)], {"price": Decimal("99.99")}, {"price": Decimal("99.99")}),
        (
            [field("size", SMALL)],
            [field("size", SMALL | {"symbols": ["large", "small"]})],
            {"size": "small"},
            {"size": "small"},
        ),
        (
            [field("lines", {"type": "array", "items": LINE})],
            [field("lines", {"type": "array", "items": record("Line", optional("sku", TEXT), field("name", TEXT))})],
            {"lines": [{"name": "a"}, {"name": "b"}]},
            {"lines": [{"name": "a"}, {"name": "b"}]},
        ),
        (
            [field("prices", {"type": "map", "values": MONEY})],
            [optional("extra", TEXT), field("prices", {"type": "map", "values": MONEY})],
            {"prices": {"a": Decimal(1)}},
            {"prices": {"a": Decimal(1)}},
        ),
    ],
)
def test_what_an_older_version_wrote_reads_like_new(
    older: list[Mapping[str, object]],
    newer: list[Mapping[str, object]],
    data: dict[str, object],
    read: dict[str, object],
) -> None:
    first = event(*older, sample=sample(data))
    # Always one field more, so that the two differ in what Avro writes.
    second = event(*newer, optional("always_new", TEXT), sample=sample(read))
    value = Codec(parcels(first)).encode_event(parcel(**data))
    assert Codec(parcels(first, second)).decode_event(value) == parcel(**read)


def sample(data: dict[str, object]) -> dict[str, object]:
    """The same as plain JSON."""
    plain: dict[str, object] = json.loads(json.dumps(data, default=float))
    return plain


def test_a_defaults_list_is_not_shared_between_events() -> None:
    first = event()
    second = event(field("names", {"type": "array", "items": TEXT}, default=[]))
    codec = Codec(parcels(first, second))
    value = Codec(parcels(first)).encode_event(parcel())
    names = codec.decode_event(value).data["names"]
    assert isinstance(names, list)
    names.append("mine")
    assert codec.decode_event(value).data["names"] == []


def test_a_record_of_ours_is_read_from_an_older_version() -> None:
    newest = subscription_text()
    older = newest.replace(
        '"name": "description", "type": ["null", "string"]', '"name": "words", "type": ["null", "string"]'
    )
    known_then = Catalogue.from_texts({"subscription/1.avsc": older})
    secret = SealedSecret(key_id="k", nonce=b"n", ciphertext=b"c")
    now = Subscription(
        subscription_id="wh_1",
        account_id="acct_1",
        version=1,
        url="https://example.com",
        events=("*",),
        description=None,
        status=SubscriptionStatus.ACTIVE,
        secret=secret,
        created_at_ms=1,
        updated_at_ms=2,
    )
    body = CODEC.encode(now)[10:]  # description is null, so the bytes are the older version's too
    value = b"\xc3\x01" + known_then.newest["subscription"].fingerprint + body
    both = Codec(Catalogue.from_texts({"subscription/1.avsc": older, "subscription/2.avsc": newest}))
    assert both.decode(value, Subscription) == now


@pytest.mark.parametrize(
    ("version", "added"),
    [
        (1, b"\x00\x00\x02" + bytes(9)),  # 2 ends with two nulls and judged_from, which is 1
        (2, bytes(9)),  # 3 with two more nulls, 4 with five and an empty list, 5 with a 0
        (3, bytes(7)),
        (4, bytes(1)),
    ],
)
def test_an_older_subscription_has_no_limits_of_its_own_all_of_it_is_judged_and_one_secret_signs(
    version: int, added: bytes
) -> None:
    texts = {f"subscription/{number}.avsc": subscription_text(number) for number in range(1, version + 1)}
    known_then = Catalogue.from_texts(texts)
    now = Subscription(
        subscription_id="wh_1",
        account_id="acct_1",
        version=7,
        url="https://example.com",
        events=("*",),
        description="mine",
        status=SubscriptionStatus.PAUSED,
        secret=SealedSecret(key_id="k", nonce=b"n", ciphertext=b"c"),
        created_at_ms=1,
        updated_at_ms=2,
    )
    body = CODEC.encode(now)[10:].removesuffix(added)
    value = b"\xc3\x01" + known_then.newest["subscription"].fingerprint + body
    assert CODEC.decode(value, Subscription) == now
    assert (now.rate_limit, now.timeout_s, now.judged_from, now.next_secret) == (None, None, 1, None)


def test_an_older_key_reads_and_writes_and_never_expires() -> None:
    texts = {"api_key/1.avsc": (files("hookline.schemas") / "avro" / "api_key" / "1.avsc").read_text()}
    now = ApiKey(key_id="k", account_id="acct_1", secret_sha256=b"s", created_at_ms=1)
    body = CODEC.encode(now)[10:].removesuffix(b"\x00\x14read write\x00")
    value = b"\xc3\x01" + Catalogue.from_texts(texts).newest["api_key"].fingerprint + body
    assert CODEC.decode(value, ApiKey) == now


class RegistryFraming:
    """The Confluent wire format: a zero byte, the registry's id of the schema, the body."""

    def __init__(self, ids: Mapping[bytes, int]) -> None:
        self._ids = ids
        self._fingerprints = {number: fingerprint for fingerprint, number in ids.items()}

    def frame(self, fingerprint: bytes) -> bytes:
        return struct.pack(">bI", 0, self._ids[fingerprint])

    def unframe(self, value: bytes) -> tuple[bytes, int]:
        _, number = struct.unpack_from(">bI", value)
        return self._fingerprints[number], 5


def test_a_registrys_framing_is_a_second_class_and_no_rewrite() -> None:
    ids = {fingerprint: number for number, fingerprint in enumerate(CATALOGUE.by_fingerprint, start=100)}
    codec = Codec(CATALOGUE, framing=RegistryFraming(ids))
    value, number = codec.encode(ACCOUNT), ids[CATALOGUE.newest["account"].fingerprint]
    assert (value[:5], value[5:]) == (struct.pack(">bI", 0, number), CODEC.encode(ACCOUNT)[10:])
    assert codec.decode(value, Account) == ACCOUNT
    assert codec.decode_event(codec.encode_event(order())) == order()
