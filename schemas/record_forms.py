"""Our own records as fastavro wants them, and back. Built once for each class, from its fields.

No validation on the way: these values are ours, and Avro itself refuses what it can't write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hookline.schemas.avsc import SchemaVersion
from hookline.schemas.errors import ContractError
from hookline.schemas.records import (
    Account,
    ApiKey,
    Attempt,
    AuditEntry,
    DeadLetter,
    Delivery,
    Disabling,
    EndpointHealth,
    Job,
    JobWish,
    Record,
    Subscription,
)
from hookline.schemas.shapes import Blob, Choice, Fields, Many, Maybe, Shape, Text, Truth, Whole
from hookline.schemas.values import Convert, same

RECORD_KINDS: Mapping[str, type[Record]] = {
    "account": Account,
    "api_key": ApiKey,
    "subscription": Subscription,
    "delivery": Delivery,
    "attempt": Attempt,
    "dead_letter": DeadLetter,
    "endpoint_health": EndpointHealth,
    "disabling": Disabling,
    "audit_entry": AuditEntry,
    "job": Job,
    "job_wish": JobWish,
}

_PLAIN: Mapping[object, type[Shape]] = {str: Text, bytes: Blob, bool: Truth, int: Whole}


@dataclass(frozen=True, slots=True)
class RecordForm:
    """How one class of record becomes what fastavro writes (`lower`), and is made of what it read (`lift`)."""

    name: str
    kind: type[Record]
    lower: Convert
    lift: Convert


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both ways for one value; None where nothing has to be done."""

    lower: Convert | None = None
    lift: Convert | None = None


def record_form(name: str, schema: SchemaVersion) -> RecordForm:
    """The form of a record; ContractError when the class and the schema disagree about a field."""
    kind = RECORD_KINDS[name]
    pair = _of_class(kind, schema.shape, schema.path)
    return RecordForm(name, kind, pair.lower or same, pair.lift or same)


def _of_class(kind: type[Any], shape: Fields, where: str) -> _Pair:
    names = tuple(field.name for field in fields(kind))
    written = tuple(field.name for field in shape.fields)
    if names != written:
        raise ContractError(f"{where}: the fields are {', '.join(written)}; {kind.__name__} has {', '.join(names)}")
    hints = get_type_hints(kind)
    pairs = {field.name: _pair(hints[field.name], field.shape, f"{where} > {field.name}") for field in shape.fields}
    lowers = tuple((name, pair.lower) for name, pair in pairs.items() if pair.lower is not None)
    lifts = tuple((name, pair.lift) for name, pair in pairs.items() if pair.lift is not None)
    return _Pair(_lower_class(names, lowers), _lift_class(kind, lifts))


def _lower_class(names: tuple[str, ...], lowers: tuple[tuple[str, Convert], ...]) -> Convert:
    values = attrgetter(*names)

    def lower(record: object) -> dict[str, Any]:
        raw = dict(zip(names, values(record), strict=False))  # strict=False: the lengths are one and the same tuple's
        for name, convert in lowers:
            raw[name] = convert(raw[name])
        return raw

    return lower


def _lift_class(kind: type[Any], lifts: tuple[tuple[str, Convert], ...]) -> Convert:
    def lift(raw: dict[str, Any]) -> Any:
        for name, convert in lifts:
            raw[name] = convert(raw[name])
        return kind(**raw)

    return lift


def _pair(hint: Any, shape: Shape, where: str) -> _Pair:
    if isinstance(hint, UnionType) and isinstance(shape, Maybe):
        inner = next(part for part in get_args(hint) if part is not NoneType)
        return _maybe(_pair(inner, shape.of, where), shape.of)
    if get_origin(hint) is tuple and isinstance(shape, Many) and isinstance(shape.item, Text):
        return _Pair(list, tuple)
    if get_origin(hint) is tuple and isinstance(shape, Many) and isinstance(shape.item, Fields):
        return _many(_of_class(get_args(hint)[0], shape.item, where))
    if isinstance(shape, Fields) and hasattr(hint, "__dataclass_fields__"):
        return _of_class(hint, shape, where)
    if isinstance(shape, Choice) and isinstance(hint, type) and issubclass(hint, StrEnum):
        return _choice(hint, shape, where)
    if _PLAIN.get(hint) is not type(shape):
        raise ContractError(f"{where}: the schema has {type(shape).__name__.lower()}, the class {hint}")
    return _Pair()


def _many(pair: _Pair) -> _Pair:
    lower, lift = pair.lower or same, pair.lift or same
    return _Pair(lambda values: [lower(each) for each in values], lambda raw: tuple(lift(each) for each in raw))


def _maybe(pair: _Pair, of: Shape) -> _Pair:
    lower, lift = pair.lower, pair.lift
    if lower is None or lift is None:
        return pair
    if isinstance(of, Fields):  # naming the branch saves fastavro trying which one fits: 2 of 9 us for a delivery
        name = of.name
        return _Pair(
            lambda value: None if value is None else (name, lower(value)),
            lambda raw: None if raw is None else lift(raw),
        )
    return _Pair(
        lambda value: None if value is None else lower(value),
        lambda raw: None if raw is None else lift(raw),
    )


def _choice(kind: type[StrEnum], shape: Choice, where: str) -> _Pair:
    words = {member.value: member for member in kind}
    if set(words) != set(shape.symbols):
        raise ContractError(
            f"{where}: the words are {', '.join(shape.symbols)}; {kind.__name__} has {', '.join(words)}"
        )
    return _Pair(None, words.__getitem__)
