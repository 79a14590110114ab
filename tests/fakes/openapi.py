"""What tests ask of an OpenAPI document: its operations, its schemas as validators, and events as they may be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from fakes.api import Api
from hookline.schemas.shapes import (
    Choice,
    Fields,
    Many,
    Maybe,
    Moment,
    Money,
    Real,
    Shape,
    Table,
    Text,
    Truth,
    Whole,
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SOON, _LATE = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001 - hypothesis wants them without a zone


@dataclass(frozen=True, slots=True)
class Described:
    """One operation as the document has it."""

    method: str
    path: str
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.content["operationId"])

    def parameters(self, place: str) -> Mapping[str, Any]:
        """By name, those in the path, the query or the headers."""
        return {each["name"]: each for each in self.content.get("parameters", []) if each["in"] == place}

    def contents(self) -> Iterator[Mapping[str, Any]]:
        """What its request and its answers may hold."""
        for each in (self.content.get("requestBody", {}), *self.content["responses"].values()):
            yield each.get("content", {})


async def read_document(api: Api) -> Mapping[str, Any]:
    """The document as everybody may read it."""
    found: Mapping[str, Any] = (await api.call("GET", "/openapi.json", headers={"Authorization": ""})).json
    return found


def described(document: Mapping[str, Any]) -> Iterator[Described]:
    """All operations of the document."""
    for path, methods in document["paths"].items():
        for method, content in methods.items():
            yield Described(method.upper(), path, content)


def complaints(document: Mapping[str, Any], schema: Mapping[str, Any], value: object) -> list[str]:
    """What the schema, whose references are the document's, says against the value."""
    whole = {**schema, "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [f"{each.instance_path}: {each.message}" for each in validator.iter_errors(value)]


def values_of(shape: Shape) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911 - one line for each shape
    """Python values that fit a shape of an event's data; optional fields may be absent."""
    match shape:
        case Text():
            return _TEXTS
        case Truth():
            return st.booleans()
        case Whole(bits):
            return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        case Real():
            return st.floats(allow_nan=False, allow_infinity=False)
        case Money(precision, scale):
            most = Decimal(10) ** (precision - scale) - 1
            return st.decimals(-most, most, places=scale)
        case Moment():
            return st.datetimes(_SOON, _LATE, timezones=st.just(UTC))
        case Choice():
            return st.sampled_from(shape.symbols)
        case Many(item):
            return st.lists(values_of(item), max_size=3)
        case Table(value):
            return st.dictionaries(_TEXTS, values_of(value), max_size=3)
        case Fields():
            return _record(shape)
        case _:
            raise AssertionError(f"{shape} is no value of an event")


def _record(fields: Fields) -> st.SearchStrategy[Any]:
    required = {each.name: values_of(each.shape) for each in fields.fields if not isinstance(each.shape, Maybe)}
    optional = {each.name: values_of(each.shape.of) for each in fields.fields if isinstance(each.shape, Maybe)}
    return st.fixed_dictionaries(required, optional=optional)
