"""Makes the Python values of an event from JSON, by shape.

The JSON must be parsed with `parse_float=Decimal`: money that went through a float is no longer what was written.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from hookline.schemas.shapes import Field, Fields, Many, Maybe, Moment, Money, Real, Shape, Table
from hookline.schemas.values import (
    Convert,
    Misfit,
    each,
    lift_moment,
    lifting,
    lower_moment,
    lowering,
    or_default,
    refuse,
    refuse_unknown,
    same,
    table,
)


def reading(shape: Shape) -> Convert:  # noqa: PLR0911 - one line for each shape
    """Makes the Python form of a JSON value (numbers with a point as Decimal); the function raises Misfit."""
    match shape:
        case Money():
            return _checked(_decimal_from_json, shape)
        case Moment():
            return read_moment
        case Real():
            return _checked(_real_from_json, shape)
        case Many(item):
            return each(reading(item))
        case Table(value):
            return table(reading(value))
        case Maybe(of):
            return reading(of)
        case Fields(_, fields):
            return _read_fields(fields)
    return lowering(shape)


def read_moment(value: object) -> datetime:
    """A time with its zone from ISO 8601 text, in UTC and to the millisecond; Misfit for anything else."""
    return lift_moment(lower_moment(_moment_from_json(value)))


def _read_fields(fields: tuple[Field, ...]) -> Convert:
    steps = tuple((field.name, reading(field.shape), field.default, isinstance(field.shape, Maybe)) for field in fields)
    known = frozenset(field.name for field in fields)

    def read(value: object) -> object:
        if not isinstance(value, Mapping):
            return refuse(value, "an object")
        found: dict[str, object] = {}
        name = ""
        try:
            for name, convert, default, optional in steps:
                given = value[name] if name in value else or_default(default)
                if given is not None or not optional:
                    found[name] = convert(given)
        except Misfit as misfit:
            misfit.enter(name)
            raise
        refuse_unknown(value, known)
        return found

    return read


def _checked(convert: Convert, shape: Shape) -> Convert:
    lower, lift = lowering(shape), lifting(shape) or same
    return lambda value: lift(lower(convert(value)))


def _decimal_from_json(value: object) -> object:
    return Decimal(value) if type(value) is int else value


def _real_from_json(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    try:
        return float(value)
    except OverflowError:
        raise Misfit("too large a number", "one that a double holds") from None


def _moment_from_json(value: object) -> object:
    wanted = "a time in ISO 8601 with its zone, such as 2023-06-20T14:15:30Z"
    if not isinstance(value, str):
        return refuse(value, wanted)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise Misfit("a text that is no time", wanted) from None
