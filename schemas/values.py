"""Checks and converts the values of events, by shape: to Avro (`lowering`) and from Avro (`lifting`).

Each function compiles a shape once into a plain function, for they run for every event. What fastavro sees is bare Avro
without logical types: it would round a decimal that has too many digits and raise OverflowError for a far time.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import isfinite
from typing import Any, cast

from hookline.schemas.shapes import (
    REQUIRED,
    Blob,
    Choice,
    Field,
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

Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_MS_MIN = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MS
_MS_MAX = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS
_NAME_SHOWN_MAX = 64  # characters of a name the schema doesn't know: it may be anything


class Misfit(Exception):  # noqa: N818 - it is caught where the record's name is known, and becomes a ContractError
    """A value does not fit its shape. Says what kind of thing was found, never the thing: it may be personal."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found, wanted)
        self._found, self._wanted = found, wanted
        self._path = ""

    def enter(self, step: str) -> None:
        """Notes that the place lies inside `step`."""
        joint = "." if self._path[:1] not in {"", "[", "{"} else ""
        self._path = f"{step}{joint}{self._path}"

    def __str__(self) -> str:
        return f"{self._path or 'the value'} is {self._found}; it must be {self._wanted}"


def lowering(shape: Shape) -> Convert:  # noqa: C901, PLR0911 - one line for each shape
    """Makes the Avro form of a Python value; the function raises Misfit for a value that does not fit exactly."""
    match shape:
        case Text():
            return lower_text
        case Truth():
            return lambda value: value if isinstance(value, bool) else refuse(value, "true or false")
        case Whole(bits):
            return _lower_whole(bits)
        case Real():
            return _lower_real
        case Money(precision, scale):
            return _lower_money(precision, scale)
        case Moment():
            return lower_moment
        case Blob():
            return lambda value: value if isinstance(value, bytes) else refuse(value, "bytes")
        case Choice(_, symbols):
            return _lower_choice(frozenset(symbols), " or ".join(symbols))
        case Many(item):
            return each(lowering(item))
        case Table(value):
            return table(lowering(value))
        case Maybe(of):
            return _lower_maybe(of)
        case Fields(_, fields):
            return _lower_fields(fields)


def lifting(shape: Shape) -> Convert | None:  # noqa: PLR0911 - one line for each shape
    """Makes the Python form of what fastavro read; None where that is the same thing. May change its argument."""
    match shape:
        case Whole(32):
            return _lower_whole(32)  # fastavro reads 64 bits whatever the schema says
        case Real():
            return _lower_real
        case Money(precision, scale):
            return _lift_money(precision, scale)
        case Moment():
            return lift_moment
        case Many(item):
            return each(lifting(item) or same)  # always a new list: a default's list is shared
        case Table(value):
            return table(lifting(value) or same)
        case Maybe(of):
            return lifting(of)
        case Fields(_, fields):
            return _lift_fields(fields)
    return None


def lower_text(value: object) -> str:
    """A string that UTF-8 can write."""
    if not isinstance(value, str):
        return cast("str", refuse(value, "a text"))
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Misfit("a text with a lone surrogate", "text that UTF-8 can write") from None
    return value


def lower_moment(value: object) -> int:
    """Milliseconds since the Unix epoch; what is finer is cut off."""
    if not isinstance(value, datetime):
        return cast("int", refuse(value, "a time with a zone"))
    if value.utcoffset() is None:
        raise Misfit("a time without a zone", "a time with a zone")
    since_ms = (value - _EPOCH) // _MS
    if not _MS_MIN <= since_ms <= _MS_MAX:
        raise Misfit("a time outside the years 1 to 9999 in UTC", "within them")
    return since_ms


def lift_moment(since_ms: int) -> datetime:
    """The time in UTC; Misfit when Python has no such year."""
    if not _MS_MIN <= since_ms <= _MS_MAX:
        raise Misfit("a time outside the years 1 to 9999 in UTC", "within them")
    return _EPOCH + timedelta(milliseconds=since_ms)


def lower_id(value: object, *, characters_max: int) -> str:
    """An id: text, not empty, of at most so many characters."""
    text = lower_text(value)
    if not 0 < len(text) <= characters_max:
        raise Misfit(_kind(text), f"a text of 1 to {characters_max} characters")
    return text


def _lower_whole(bits: int) -> Convert:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def lower(value: object) -> object:
        if type(value) is not int:
            return refuse(value, "a whole number")
        if not low <= value <= high:
            raise Misfit(f"a whole number of {value.bit_length() + 1} bits", f"one that fits in {bits}")
        return value

    return lower


def _lower_real(value: object) -> object:
    if type(value) is not float:
        return refuse(value, "a float")
    if not isfinite(value):
        raise Misfit("not a finite number", "a finite one, for JSON has no other")
    return value


def _lower_money(precision: int, scale: int) -> Convert:
    unit = Decimal(1).scaleb(-scale)
    exact = Context(prec=precision, traps=[Inexact, InvalidOperation])
    wanted = f"a decimal of at most {precision} digits, {scale} of them after the point"

    def lower(value: object) -> object:
        if not isinstance(value, Decimal):
            return refuse(value, wanted)
        try:
            unscaled = int(value.quantize(unit, context=exact).scaleb(scale, exact))
        except Inexact:
            raise Misfit("a decimal with more digits after the point", wanted) from None
        except (InvalidOperation, ValueError):
            raise Misfit("a decimal with more digits, or not a finite one", wanted) from None
        return unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)

    return lower


def _lift_money(precision: int, scale: int) -> Convert:
    exact = Context(prec=precision)
    limit = 10**precision
    bytes_max = (limit.bit_length() + 8) // 8 + 8  # a few bytes of padding are no harm

    def lift(raw: bytes) -> Decimal:
        if not 0 < len(raw) <= bytes_max:
            raise Misfit(f"a decimal written in {len(raw)} bytes", f"one of 1 to {bytes_max}")
        unscaled = int.from_bytes(raw, "big", signed=True)
        if not -limit < unscaled < limit:
            raise Misfit(f"a decimal of {len(str(abs(unscaled)))} digits", f"one of at most {precision}")
        return Decimal(unscaled).scaleb(-scale, exact)

    return lift


def _lower_choice(symbols: frozenset[str], wanted: str) -> Convert:
    def lower(value: object) -> object:
        if not isinstance(value, str):
            return refuse(value, wanted)
        if value not in symbols:
            raise Misfit("another word", wanted)
        return value

    return lower


def each(convert: Convert) -> Convert:
    """Converts every item of a list; a Misfit says at which index."""

    def convert_each(values: Any) -> list[object]:
        if not isinstance(values, list | tuple):
            return cast("list[object]", refuse(values, "a list"))
        converted: list[object] = []
        try:
            for value in values:
                converted.append(convert(value))  # noqa: PERF401 - how far it got is the index that the error names
        except Misfit as misfit:
            misfit.enter(f"[{len(converted)}]")
            raise
        return converted

    return convert_each


def table(convert: Convert) -> Convert:
    """Converts every value of a mapping; a Misfit says at which place, for keys may be anything."""

    def convert_table(values: Any) -> dict[str, object]:
        if not isinstance(values, Mapping):
            return cast("dict[str, object]", refuse(values, "a mapping"))
        converted: dict[str, object] = {}
        try:
            for key, value in values.items():
                converted[lower_text(key)] = convert(value)
        except Misfit as misfit:
            misfit.enter(f"{{{len(converted)}}}")
            raise
        return converted

    return convert_table


def _lower_maybe(of: Shape) -> Convert:
    convert = lowering(of)
    if isinstance(of, Fields):  # naming the branch saves fastavro trying which one fits
        return lambda value: None if value is None else (of.name, convert(value))
    return lambda value: None if value is None else convert(value)


def _lower_fields(fields: tuple[Field, ...]) -> Convert:
    steps = tuple((field.name, lowering(field.shape), field.default) for field in fields)
    known = frozenset(field.name for field in fields)

    def lower(value: object) -> object:
        if not isinstance(value, Mapping):
            return refuse(value, "a mapping")
        lowered: dict[str, object] = {}
        name = ""
        try:
            for name, convert, default in steps:
                lowered[name] = convert(value[name]) if name in value else or_default(default)
        except Misfit as misfit:
            misfit.enter(name)
            raise
        refuse_unknown(value, known)
        return lowered

    return lower


def _lift_fields(fields: tuple[Field, ...]) -> Convert:
    optional = tuple(field.name for field in fields if isinstance(field.shape, Maybe))
    steps = tuple((field.name, convert) for field in fields if (convert := lifting(field.shape)) is not None)

    def lift(raw: dict[str, object]) -> dict[str, object]:
        for name in optional:
            if raw[name] is None:
                del raw[name]
        name = ""
        try:
            for name, convert in steps:
                if name in raw:
                    raw[name] = convert(raw[name])
        except Misfit as misfit:
            misfit.enter(name)
            raise
        return raw

    return lift


def or_default(default: object) -> object:
    """What an absent field stands for; Misfit when it must not be absent."""
    if default is REQUIRED:
        raise Misfit("missing", "there")
    return default


def refuse_unknown(value: Mapping[str, object], known: frozenset[str]) -> None:
    """Raises Misfit for a name that the schema lacks."""
    for name in value:
        if name not in known:
            misfit = Misfit("not in the schema", f"one of {', '.join(sorted(known))}")
            misfit.enter(ascii(name)[:_NAME_SHOWN_MAX])
            raise misfit


def same(value: Any) -> Any:
    """The value itself, where nothing has to be converted."""
    return value


def refuse(value: object, wanted: str) -> object:
    """Raises Misfit; returns nothing, but fits where a value is expected."""
    raise Misfit(_kind(value), wanted)


def _kind(value: object) -> str:  # noqa: PLR0911 - one line for each kind
    """What sort of thing it is, in words that hold nothing of it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return f"a text of {len(value)} characters"
        case int():
            return "a whole number"
        case float():
            return "a float"
        case Decimal():
            return "a decimal"
        case datetime():
            return "a time"
        case list() | tuple():
            return f"a list of {len(value)}"
        case Mapping():
            return "a mapping"
    return f"of the type {type(value).__name__}"
