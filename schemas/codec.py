"""Turns what travels into bytes and back: records and events, Avro behind one framing.

Whatever bytes come in, the answer is a value or a ContractError; whatever event comes in, bytes or a ContractError that
names the field. Reading resolves the writer's version to the newest, so old records read like new ones.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Any, TypeVar

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from hookline.schemas.avsc import SchemaVersion
from hookline.schemas.catalogue import Catalogue, EventType
from hookline.schemas.errors import ContractError, UnknownSchema
from hookline.schemas.framing import Framing, SingleObject
from hookline.schemas.json_values import read_moment
from hookline.schemas.record_forms import RECORD_KINDS, RecordForm, record_form
from hookline.schemas.records import Event, Record
from hookline.schemas.values import Convert, Misfit, lift_moment, lifting, lower_id, lower_moment, lowering, same

ID_CHARACTERS_MAX = 256  # of an event's or account's id: they stand in headers, keys and indexes

R = TypeVar("R", bound=Record)

_SINGLE_OBJECT = SingleObject()
_READ_ERRORS = (EOFError, LookupError, ValueError, ArithmeticError, TypeError, SchemaResolutionError)
_WRITE_ERRORS = (LookupError, ValueError, ArithmeticError, TypeError, AttributeError)
_JSON_FIELDS = frozenset({"id", "account_id", "event", "timestamp", "data"})

_id = partial(lower_id, characters_max=ID_CHARACTERS_MAX)


class Codec:
    """Writes with the newest schemas of a catalogue, and reads with all of them."""

    def __init__(self, catalogue: Catalogue, *, framing: Framing = _SINGLE_OBJECT) -> None:
        self._catalogue = catalogue
        self._framing = framing
        self._forms = {
            name: record_form(name, catalogue.newest[name]) for name in RECORD_KINDS if name in catalogue.newest
        }
        self._writers = {
            form.kind: (framing.frame(catalogue.newest[name].fingerprint), catalogue.newest[name].bare, form.lower)
            for name, form in self._forms.items()
        }
        self._events = {name: _EventForm(type_, framing) for name, type_ in catalogue.event_types.items()}

    def encode(self, record: Record) -> bytes:
        """A record as bytes; ContractError when a value is beyond what Avro can write."""
        header, bare, lower = self._writers[type(record)]
        try:
            return _written(header, bare, lower(record))
        except _WRITE_ERRORS as error:
            raise ContractError(
                f"{type(record).__name__} can't be written: a value does not fit its field ({type(error).__name__})"
            ) from error

    def decode(self, value: bytes | None, kind: type[R]) -> R:
        """The record in these bytes; ContractError when there is none, or one of another kind (UnknownSchema: of a newer release)."""
        version, body_at = self._opened(value)
        form = self._form(version)
        if form.kind is not kind:
            raise ContractError(f"the value is a record of the kind {version.name}; it must be {kind.__name__}")
        found: R = form.lift(self._read(value, version, body_at))
        return found

    def decode_any(self, value: bytes | None) -> Record:
        """The record in these bytes, of whatever kind, for topics that hold several; ContractError for anything else."""
        version, body_at = self._opened(value)
        found: Record = self._form(version).lift(self._read(value, version, body_at))
        return found

    def encode_event(self, event: Event) -> bytes:
        """An event as bytes; ContractError names the field that does not fit the newest schema of its type."""
        form = self._events[self._catalogue.event_type(event.type).name]
        try:
            return _written(form.header, form.bare, form.lowered(event))
        except Misfit as misfit:
            raise ContractError(f"{event.type}: {misfit}") from None

    def decode_event(self, value: bytes | None) -> Event:
        """The event in these bytes; ContractError when there is none."""
        version, body_at = self._opened(value)
        form = self._events.get(version.name)
        if form is None:
            raise ContractError(f"the value is a record of the kind {version.name}; it must be an event")
        raw = self._read(value, version, body_at)
        try:
            return form.lifted(raw)
        except Misfit as misfit:
            raise ContractError(f"{version.name}: {misfit}") from None

    @property
    def event_types(self) -> Collection[str]:
        """The types of events that there are."""
        return self._events.keys()

    def event_type_of(self, value: bytes | None) -> str:
        """The type of the event in these bytes, as what stands before it says; ContractError when it says that there is none."""
        version, _ = self._opened(value)
        if version.name not in self._events:
            raise ContractError(f"the value is a record of the kind {version.name}; it must be an event")
        return version.name

    def _opened(self, value: bytes | None) -> tuple[SchemaVersion, int]:
        if not value:
            raise ContractError(f"the value is {'null' if value is None else 'empty'}; it must be an Avro record")
        fingerprint, body_at = self._framing.unframe(value)
        version = self._catalogue.by_fingerprint.get(fingerprint)
        if version is None:
            raise UnknownSchema(
                f"the value's schema has the fingerprint {fingerprint.hex()}, which the catalogue lacks"
            )
        return version, body_at

    def _read(self, value: Any, version: SchemaVersion, body_at: int) -> Any:
        newest = self._catalogue.newest[version.name]
        source = BytesIO(value)
        source.seek(body_at)
        try:
            raw = schemaless_reader(source, version.bare, None if newest is version else newest.bare)
        except _READ_ERRORS as error:
            raise ContractError(f"{version.path}: the value {_complaint(error)}") from error
        if source.tell() != len(value):
            raise ContractError(f"{version.path}: {len(value) - source.tell()} bytes follow the record's end")
        return raw

    def _form(self, version: SchemaVersion) -> RecordForm:
        form = self._forms.get(version.name)
        if form is None:
            raise ContractError(f"the value is an event of the type {version.name}; it must be a record of our own")
        return form


class _EventForm:
    """One event type, compiled."""

    def __init__(self, event_type: EventType, framing: Framing) -> None:
        self.header = framing.frame(event_type.schema.fingerprint)
        self.bare = event_type.schema.bare
        self._type = event_type.name
        self._lower_data: Convert = lowering(event_type.data)
        self._lift_data: Convert = lifting(event_type.data) or same

    def lowered(self, event: Event) -> dict[str, object]:
        return {
            "event_id": _at("event_id", _id, event.event_id),
            "account_id": _at("account_id", _id, event.account_id),
            "type": self._type,
            "occurred_at": _at("occurred_at", lower_moment, event.occurred_at),
            "data": _at("data", self._lower_data, event.data),
        }

    def lifted(self, raw: Mapping[str, Any]) -> Event:
        if raw["type"] != self._type:
            raise ContractError(f"{self._type}: type is {ascii(raw['type'])[:64]}; it must be {self._type}")
        return Event(
            event_id=_at("event_id", _id, raw["event_id"]),
            account_id=_at("account_id", _id, raw["account_id"]),
            type=self._type,
            occurred_at=_at("occurred_at", lift_moment, raw["occurred_at"]),
            data=_at("data", self._lift_data, raw["data"]),
        )


def event_from_json(catalogue: Catalogue, obj: object, *, event_id: str) -> Event:
    """An event from `{"id"?, "account_id", "event", "timestamp", "data"}`, parsed with `parse_float=Decimal`.

    `event_id` names it when the object has no `id`. ContractError names the field that does not fit.
    """
    if not isinstance(obj, Mapping):
        raise ContractError("the event is no JSON object")
    for name in obj:
        if name not in _JSON_FIELDS:
            raise ContractError(
                f"{ascii(name)[:64]} is no field of an event; they are {', '.join(sorted(_JSON_FIELDS))}"
            )
    for name in sorted(_JSON_FIELDS - {"id"}):
        if name not in obj:
            raise ContractError(f"{name} is missing; an event has account_id, event, timestamp and data")
    event_type = catalogue.event_type(obj["event"])
    try:
        return Event(
            event_id=_at("id", _id, obj.get("id", event_id)),
            account_id=_at("account_id", _id, obj["account_id"]),
            type=event_type.name,
            occurred_at=_at("timestamp", read_moment, obj["timestamp"]),
            data=_at("data", event_type.read_json, obj["data"]),
        )
    except Misfit as misfit:
        raise ContractError(f"{event_type.name}: {misfit}") from None


def sample_event(catalogue: Catalogue, name: str, *, event_id: str, account_id: str, occurred_at: datetime) -> Event:
    """The sample of an event type as an event; ContractError when there is no such type."""
    event_type = catalogue.event_type(name)
    return Event(
        event_id=event_id, account_id=account_id, type=name, occurred_at=occurred_at, data=event_type.sample_data
    )


def _at(name: str, convert: Convert, value: object) -> Any:
    try:
        return convert(value)
    except Misfit as misfit:
        misfit.enter(name)
        raise


def _written(header: bytes, bare: Mapping[str, Any], raw: object) -> bytes:
    out = BytesIO()
    out.write(header)
    schemaless_writer(out, bare, raw)
    return out.getvalue()


def _complaint(error: Exception) -> str:
    """What fastavro found, in words that hold nothing of the value."""
    match error:
        case EOFError():
            return "is cut short, or a length in it is wrong"
        case UnicodeDecodeError():
            return "holds text that is no UTF-8"
        case LookupError():
            return "is cut short, or names a choice that its schema lacks"
    return f"does not fit its schema ({type(error).__name__})"
