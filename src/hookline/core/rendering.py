"""The JSON body that endpoints get, exactly the contract's `{"event", "timestamp", "data"}`.

Written by hand, for money must be a plain number and `json` would take it through a float. Each event type is compiled
once into a chain of small functions, keys in the order of its newest schema.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from hookline.schemas.catalogue import Catalogue, EventType
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Event
from hookline.schemas.shapes import (
    REQUIRED,
    Choice,
    Field,
    Fields,
    Many,
    Maybe,
    Moment,
    Money,
    Shape,
    Table,
    Text,
    Truth,
)

_Write = Callable[[Any], str]


class Renderer:
    """Renders events. The limit on a body's size is the caller's."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._writers = {name: _compiled(event_type) for name, event_type in catalogue.event_types.items()}

    def render(self, event: Event) -> bytes:
        """The JSON body of an event that the codec accepts; ContractError for a type it lacks or a missing field."""
        if event.type not in self._writers:
            self._catalogue.event_type(event.type)
        return self._writers[event.type](event)


def _compiled(event_type: EventType) -> Callable[[Event], bytes]:
    head = f'{{"event":{encode_basestring(event_type.name)},"timestamp":'
    write = _fields(event_type.data.fields, f"{event_type.name}: data")
    return lambda event: f'{head}{_moment(event.occurred_at)},"data":{write(event.data)}}}'.encode()


def _writer(shape: Shape, where: str) -> _Write:  # noqa: PLR0911 - one line for each shape
    match shape:
        case Text() | Choice():
            return encode_basestring
        case Truth():
            return _truth
        case Money():
            return plain_decimal
        case Moment():
            return _moment
        case Maybe(of):
            return _writer(of, where)
        case Many(item):
            return _many(_writer(item, f"{where}[]"))
        case Table(value):
            return _table(_writer(value, f"{where}{{}}"))
        case Fields(_, fields):
            return _fields(fields, where)
    return repr  # whole numbers and finite fractions


def plain_decimal(value: Decimal) -> str:
    """A decimal as a JSON number, without exponent and without trailing zeros: 99.99, 100, 0.5, 0."""
    digits = format(value, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def _moment(value: datetime) -> str:
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return f'"{value.isoformat(timespec="seconds")[:19]}Z"'


def _truth(value: object) -> str:
    return "true" if value else "false"


def _many(write: _Write) -> _Write:
    return lambda values: f"[{','.join(map(write, values))}]"


def _table(write: _Write) -> _Write:
    return lambda table: f"{{{','.join([f'{encode_basestring(key)}:{write(value)}' for key, value in table.items()])}}}"


def _fields(fields: tuple[Field, ...], where: str) -> _Write:
    steps = tuple(
        (field.name, f"{encode_basestring(field.name)}:", _writer(field.shape, f"{where}.{field.name}"), field.default)
        for field in fields
    )

    def write(values: Mapping[str, Any]) -> str:
        parts = []
        for name, key, write_value, default in steps:
            value = values.get(name, default)
            if value is REQUIRED:
                raise ContractError(f"{where}.{name} is missing")
            if value is not None:
                parts.append(key + write_value(value))
        return f"{{{','.join(parts)}}}"

    return write
