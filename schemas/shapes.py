"""What a schema says a value looks like, as values that `match` can tell apart.

Only what every part of the road can carry is allowed: a shape has an Avro form, a Python form and a JSON form, takes at
least one byte, and never contains itself. The last two keep hostile bytes cheap: an array's declared count can't promise
more items than there are bytes, and nesting is as deep as the schema is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hookline.schemas.errors import ContractError

PRECISION_MAX = 28  # digits of a decimal: what Python's default arithmetic holds without rounding


class Default(Enum):
    """Says that a field has no default; None is one."""

    REQUIRED = "required"


REQUIRED: Final = Default.REQUIRED


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number that fits in `bits`."""

    bits: int


@dataclass(frozen=True, slots=True)
class Real:
    """A finite binary fraction."""


@dataclass(frozen=True, slots=True)
class Money:
    """A decimal of at most `precision` digits, `scale` of them after the point."""

    precision: int
    scale: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in UTC, to the millisecond."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes. Not in events, for JSON has none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    name: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Many:
    """A list of values of one shape."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Table:
    """Values of one shape by key."""

    value: "Shape"


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value or nothing."""

    of: "Shape"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record. `default` is in Avro's JSON form, or REQUIRED."""

    name: str
    shape: "Shape"
    default: object


@dataclass(frozen=True, slots=True)
class Fields:
    """A record: values by name, each with its own shape. `name` is the full one."""

    name: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((field for field in self.fields if field.name == name), None)


Shape = Text | Truth | Whole | Real | Money | Moment | Blob | Choice | Many | Table | Maybe | Fields

_PLAIN: Mapping[tuple[object, object], Shape] = {
    ("string", None): Text(),
    ("boolean", None): Truth(),
    ("int", None): Whole(32),
    ("long", None): Whole(64),
    ("double", None): Real(),
    ("bytes", None): Blob(),
    ("long", "timestamp-millis"): Moment(),
}
_WANTED = (
    "string, boolean, int, long, double, bytes, long as timestamp-millis, bytes as decimal, enum, array, map, record, "
    'or ["null", one of these]'
)


def read_shape(avro: object, *, where: str) -> Shape:
    """The shape an Avro schema describes; ContractError, beginning with `where`, for what Hookline can't carry."""
    return _Reading().shape(avro, where, "")


class _Reading:
    """Remembers the named types of one schema while it is read."""

    def __init__(self) -> None:
        self._named: dict[str, Shape | None] = {}  # None while its own definition is being read

    def shape(self, avro: object, where: str, namespace: str) -> Shape:  # noqa: PLR0911 - one line for each type
        if isinstance(avro, list):
            return self._maybe(avro, where, namespace)
        if isinstance(avro, str):
            return _PLAIN.get((avro, None)) or self._reference(avro, where, namespace)
        if not isinstance(avro, dict):
            raise ContractError(f"{where}: a type is missing or no type; it must be one of {_WANTED}")
        match avro.get("type"):
            case "record":
                return self._record(avro, where, namespace)
            case "enum":
                return self._remember(avro, where, namespace, _choice(avro, where))
            case "array":
                return Many(self._each(avro.get("items"), f"{where}[]", namespace))
            case "map":
                return Table(self._each(avro.get("values"), f"{where}{{}}", namespace))
            case "bytes" if avro.get("logicalType") == "decimal":
                return _money(avro, where)
            case plain:
                return _plain(plain, avro.get("logicalType"), where)

    def _each(self, avro: object, where: str, namespace: str) -> Shape:
        shape = self.shape(avro, where, namespace)
        if isinstance(shape, Maybe):
            raise ContractError(f"{where}: only a field can be optional; leave absent items out")
        return shape

    def _maybe(self, union: list[object], where: str, namespace: str) -> Shape:
        if len(union) != 2 or union[0] != "null" or isinstance(union[1], list):
            raise ContractError(f'{where}: a union must be ["null", one type], so that it means present or absent')
        return Maybe(self.shape(union[1], where, namespace))

    def _reference(self, name: str, where: str, namespace: str) -> Shape:
        full = name if "." in name else f"{namespace}.{name}"
        if full not in self._named:
            raise ContractError(f"{where}: the type is {name!r}; it must be one of {_WANTED}")
        shape = self._named[full]
        if shape is None:
            raise ContractError(f"{where}: {name!r} contains itself; a record's depth must be known from its schema")
        return shape

    def _record(self, avro: dict[str, object], where: str, namespace: str) -> Shape:
        name = _full_name(avro, where, namespace)
        self._named[name] = None
        raw = avro.get("fields")
        if not isinstance(raw, list) or not raw:
            raise ContractError(f"{where}: record {name} has no fields; it must have at least one")
        inner = name.rpartition(".")[0]
        fields = tuple(self._field(field, where, inner) for field in raw)
        return self._remember(avro, where, namespace, Fields(name, fields))

    def _field(self, avro: object, where: str, namespace: str) -> Field:
        if not isinstance(avro, dict) or not isinstance(avro.get("name"), str):
            raise ContractError(f"{where}: a field has no name")
        here = f"{where} > {avro['name']}"
        _require_doc(avro, here)
        shape = self.shape(avro.get("type"), here, namespace)
        default = avro.get("default", REQUIRED)
        _check_default(shape, default, here)
        return Field(avro["name"], shape, default)

    def _remember(self, avro: dict[str, object], where: str, namespace: str, shape: Shape) -> Shape:
        self._named[_full_name(avro, where, namespace)] = shape
        return shape


def _plain(type_: object, logical: object, where: str) -> Shape:
    shape = _PLAIN.get((type_, logical)) if isinstance(type_, str) and isinstance(logical, str | None) else None
    if shape is None:
        said = f"{type_!r} as {logical!r}" if logical is not None else f"{type_!r}"
        raise ContractError(f"{where}: the type is {said}; it must be one of {_WANTED}")
    return shape


def _choice(avro: dict[str, object], where: str) -> Choice:
    symbols = avro.get("symbols")
    if not isinstance(symbols, list) or not symbols:
        raise ContractError(f"{where}: the enum has no symbols; it must have at least one")
    if "default" in avro:
        raise ContractError(f"{where}: the enum has a default; a reader must not take a word it lacks for another")
    return Choice(str(avro.get("name")).rpartition(".")[2], tuple(map(str, symbols)))


def _money(avro: dict[str, object], where: str) -> Money:
    precision, scale = avro.get("precision"), avro.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision <= PRECISION_MAX:
        raise ContractError(
            f"{where}: the decimal has precision {precision!r} and scale {scale!r}; "
            f"they must be whole numbers, 0 <= scale <= precision <= {PRECISION_MAX}"
        )
    if precision == 0:
        raise ContractError(f"{where}: the decimal has precision 0; it must be at least 1")
    return Money(precision, scale)


def _full_name(avro: dict[str, object], where: str, namespace: str) -> str:
    name = avro.get("name")
    if not isinstance(name, str) or not name:
        raise ContractError(f"{where}: a {avro.get('type')} has no name")
    return name if "." in name else f"{avro.get('namespace', namespace)}.{name}"


def _require_doc(avro: Mapping[str, object], where: str) -> None:
    doc = avro.get("doc")
    if not isinstance(doc, str) or not doc.strip():
        raise ContractError(f"{where}: `doc` is missing; every field must say what it holds")


def _check_default(shape: Shape, default: object, where: str) -> None:
    if isinstance(shape, Maybe):
        if default is not None:
            raise ContractError(f'{where}: an optional field must say "default": null')
        return
    if default is REQUIRED:
        return
    if not isinstance(shape, Text | Truth | Whole | Choice | Many | Table) or _is_filled(default):
        raise ContractError(f"{where}: this kind of field can't have this default; make it optional")


def _is_filled(default: object) -> bool:
    return isinstance(default, list | dict) and len(default) > 0
