from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fakes.schemas import TEXT, event, field, item, optional, parcels
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.codec import Codec, event_from_json
from hookline.schemas.errors import ContractError

CATALOGUE = load_catalogue()
CODEC = Codec(CATALOGUE)


def line(**changes: object) -> dict[str, object]:
    data = dict(CATALOGUE.event_types["order.created"].sample) | {"total": Decimal("99.99"), "items": []}
    whole = {"account_id": "acct_1", "event": "order.created", "timestamp": "2023-06-20T14:15:30Z", "data": data}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def line_data(**changes: object) -> dict[str, object]:
    data = line()["data"]
    assert isinstance(data, dict)
    return line(data={name: value for name, value in (data | changes).items() if value is not ...})


def test_a_line_of_json_becomes_an_event() -> None:
    made = event_from_json(CATALOGUE, line(), event_id="evt_1")
    assert (made.event_id, made.account_id, made.type) == ("evt_1", "acct_1", "order.created")
    assert made.occurred_at == datetime(2023, 6, 20, 14, 15, 30, tzinfo=UTC)
    assert made.data["total"] == Decimal("99.99")
    assert CODEC.decode_event(CODEC.encode_event(made)) == made


def test_a_lines_own_id_comes_first() -> None:
    assert event_from_json(CATALOGUE, line(id="mine"), event_id="evt_1").event_id == "mine"


@pytest.mark.parametrize("given", ["2023-06-20T16:15:30+02:00", "2023-06-20T14:15:30.000999Z", "2023-06-20 14:15:30Z"])
def test_a_time_of_any_zone_is_read(given: str) -> None:
    at = event_from_json(CATALOGUE, line(timestamp=given), event_id="e").occurred_at
    assert at == datetime(2023, 6, 20, 14, 15, 30, tzinfo=UTC)


def test_a_whole_number_is_money_and_null_is_absent() -> None:
    assert event_from_json(CATALOGUE, line_data(total=100), event_id="e").data["total"] == Decimal(100)
    text_ = event(optional("note", TEXT), field("weight", "double"), sample={"weight": 1})
    parsed = line(event="parcel.sent", data={"id": "p", "note": None, "weight": Decimal("1.5")})
    assert event_from_json(parcels(text_), parsed, event_id="e").data == {"id": "p", "weight": 1.5}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "the event is no JSON object"),
        (line(account_id=...), "account_id is missing; an event has account_id, event, timestamp and data"),
        (line(data=...), "data is missing"),
        (line(surprise=1), "'surprise' is no field of an event; they are account_id, data, event, id, timestamp"),
        (line(event="order.lost"), "the event type is 'order.lost'; it must be one of order.cancelled"),
        (line(event=["order.created"]), "the event type is of the type list; it must be one of"),
        (line(id=""), "order.created: id is a text of 0 characters"),
        (line(id=None), "order.created: id is null; it must be a text"),
        (
            line(timestamp="yesterday"),
            "order.created: timestamp is a text that is no time; it must be a time in ISO 8601",
        ),
        (line(timestamp="2023-06-20T14:15:30"), "order.created: timestamp is a time without a zone"),
        (line(timestamp=1687270530), "order.created: timestamp is a whole number; it must be a time in ISO 8601"),
        (line(data=[]), "order.created: data is a list of 0; it must be an object"),
        (line_data(total=...), "order.created: data.total is missing"),
        (line_data(total="99.99"), "order.created: data.total is a text of 5 characters"),
        (line_data(total=True), "order.created: data.total is a boolean"),
        (line_data(total=1.5), "order.created: data.total is a float"),
        (line_data(total=float("nan")), "order.created: data.total is a float"),
        (
            line_data(total=Decimal("1.00001")),
            "order.created: data.total is a decimal with more digits after the point",
        ),
        (line_data(total=10**5000), "order.created: data.total is a decimal with more digits"),
        (line_data(created_at="2023-06-20"), "order.created: data.created_at is a time without a zone"),
        (line_data(items=[item(quantity=Decimal("1.5"))]), "order.created: data.items[0].quantity is a decimal"),
        (line_data(items={}), "order.created: data.items is a mapping; it must be a list"),
        (line_data(extra=1), "order.created: data.'extra' is not in the schema"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_by_its_field(wrong: object, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        event_from_json(CATALOGUE, wrong, event_id="evt_1")
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("number", [10**400, Decimal("1E+400"), float("inf")])
def test_a_number_beyond_a_double_is_refused(number: object) -> None:
    catalogue = parcels(event(field("weight", "double"), sample={"weight": 1}))
    with pytest.raises(ContractError, match=r"parcel.sent: data.weight is (too large a number|not a finite number)"):
        event_from_json(catalogue, line(event="parcel.sent", data={"id": "p", "weight": number}), event_id="e")
