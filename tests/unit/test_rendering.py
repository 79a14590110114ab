import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.contract import CONTRACT_BODIES
from fakes.schemas import MONEY, TEXT, TIME, event, field, optional
from hookline.core.rendering import Renderer, plain_decimal
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec, event_from_json, sample_event
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Event

CATALOGUE = load_catalogue()
AT = datetime(2023, 6, 20, 14, 15, 30, 999_000, tzinfo=UTC)


def rendered(catalogue: Catalogue, shown: Event) -> str:
    """What an endpoint gets once the event has been through Kafka."""
    codec = Codec(catalogue)
    return Renderer(catalogue).render(codec.decode_event(codec.encode_event(shown))).decode()


def of_sample(text: str, data: dict[str, object] | None = None) -> tuple[Catalogue, Event]:
    catalogue = Catalogue.from_texts({"parcel.sent/1.avsc": text})
    shown = sample_event(catalogue, "parcel.sent", event_id="evt_1", account_id="acct_1", occurred_at=AT)
    return catalogue, Event(
        event_id="evt_1",
        account_id="acct_1",
        type="parcel.sent",
        occurred_at=AT,
        data=dict(shown.data) | (data or {}),
    )


@pytest.mark.parametrize("name", CONTRACT_BODIES)
def test_the_body_is_the_contracts_key_for_key(name: str) -> None:
    contract = json.dumps(CONTRACT_BODIES[name], separators=(",", ":"))
    line = json.loads(contract, parse_float=Decimal) | {"account_id": "acct_1"}
    shown = event_from_json(CATALOGUE, line, event_id="evt_1")
    # Compared as text: dict equality would not see the order of keys, nor 99.99 from 99.9900.
    assert rendered(CATALOGUE, shown) == contract


def test_every_event_type_of_the_contract_is_rendered() -> None:
    assert CONTRACT_BODIES.keys() == CATALOGUE.event_types.keys()


@pytest.mark.parametrize("name", CONTRACT_BODIES)
def test_the_sample_is_the_contracts(name: str) -> None:
    assert CATALOGUE.event_types[name].sample == CONTRACT_BODIES[name]["data"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("99.9900", "99.99"),
        ("100.00", "100"),
        ("100", "100"),
        ("1E+2", "100"),
        ("0.5000", "0.5"),
        ("0.0000", "0"),
        ("-0.0000", "0"),
        ("-0", "0"),
        ("-1.50", "-1.5"),
        ("0.0001", "0.0001"),
        ("1E-7", "0.0000001"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("10.10", "10.1"),
    ],
)
def test_a_decimal_is_a_plain_number(value: str, shown: str) -> None:
    assert plain_decimal(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (AT, "2023-06-20T14:15:30Z"),
        (datetime(2023, 6, 20, 16, 15, 30, tzinfo=timezone(timedelta(hours=2))), "2023-06-20T14:15:30Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC), "1969-12-31T23:59:59Z"),
        (datetime(33, 4, 3, tzinfo=UTC), "0033-04-03T00:00:00Z"),
    ],
)
def test_a_time_is_in_utc_and_whole_seconds_cut_off(at: datetime, shown: str) -> None:
    catalogue, parcel = of_sample(event(field("at", TIME), sample={"at": "2023-06-20T14:15:30Z"}), {"at": at})
    assert Renderer(catalogue).render(parcel) == (
        f'{{"event":"parcel.sent","timestamp":"2023-06-20T14:15:30Z","data":{{"id":"parcel_1","at":"{shown}"}}}}'.encode()
    )
    assert f'"at":"{shown}"' in rendered(catalogue, parcel)


@pytest.mark.parametrize("data", [{}, {"note": None}])
def test_an_absent_optional_field_is_left_out(data: dict[str, object]) -> None:
    catalogue, parcel = of_sample(event(optional("note", TEXT)), data)
    assert Renderer(catalogue).render(parcel).endswith(b'"data":{"id":"parcel_1"}}')
    assert rendered(catalogue, parcel).endswith('"data":{"id":"parcel_1"}}')


def test_every_kind_of_value_has_its_json() -> None:
    sized = {"type": "enum", "name": "Size", "symbols": ["small", "large"]}
    catalogue, parcel = of_sample(
        event(
            field("fragile", "boolean"),
            field("size", sized),
            field("weight", "double"),
            field("count", "long", default=7),
            field("tags", {"type": "map", "values": MONEY}),
            field("grid", {"type": "array", "items": {"type": "array", "items": "int"}}),
            sample={"fragile": False, "size": "large", "weight": 0.5, "tags": {'a"b': 1.50}, "grid": [[1, 2], []]},
        )
    )
    assert rendered(catalogue, parcel).endswith(
        '{"id":"parcel_1","fragile":false,"size":"large","weight":0.5,"count":7,"tags":{"a\\"b":1.5},"grid":[[1,2],[]]}}'
    )


@given(text=st.text(st.characters(exclude_categories=["Cs"])), money=st.decimals("-99999", "99999", places=4))
def test_the_body_says_what_the_event_said(text: str, money: Decimal) -> None:
    catalogue, parcel = PARCEL
    shown = Event(
        event_id="e", account_id="a", type=parcel.type, occurred_at=AT, data={"id": "p", "note": text, "price": money}
    )
    body = json.loads(rendered(catalogue, shown), parse_float=Decimal)
    assert body["data"] == {"id": "p", "note": text, "price": money}


PARCEL = of_sample(event(optional("note", TEXT), field("price", MONEY), sample={"price": 1}))


def test_text_is_utf_8_not_escapes() -> None:
    catalogue, parcel = of_sample(event(optional("note", TEXT)), {"note": 'ü 🔑 " \\ \n \x00'})
    assert rendered(catalogue, parcel).endswith('"note":"ü 🔑 \\" \\\\ \\n \\u0000"}}')


def test_an_unknown_type_and_a_missing_field_are_contract_errors() -> None:
    catalogue, parcel = PARCEL
    with pytest.raises(ContractError, match=r"the event type is 'parcel.sent'"):
        Renderer(CATALOGUE).render(parcel)
    bare = Event(event_id="e", account_id="a", type=parcel.type, occurred_at=AT, data={"id": "p"})
    with pytest.raises(ContractError, match=r"parcel.sent: data.price is missing"):
        Renderer(catalogue).render(bare)
