"""The catalogue of schemas: every released version of every event type and record, checked when it is built.

A folder with a dot in its name, `order.created`, is an event type; any other, `delivery`, is one of our records. So a new
event type is a new file and no code.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hookline.schemas.avsc import SchemaVersion, read_version
from hookline.schemas.errors import ContractError
from hookline.schemas.evolution import obstacles
from hookline.schemas.json_values import reading
from hookline.schemas.shapes import Blob, Fields, Many, Maybe, Moment, Shape, Table, Text
from hookline.schemas.values import Convert, Misfit

_EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_ENVELOPE: Mapping[str, Shape] = {"event_id": Text(), "account_id": Text(), "type": Text(), "occurred_at": Moment()}


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event: what it is called, where it goes, and what its data looks like in the newest version.

    `entity` names the field of data that is the Kafka key. `sample` is plain JSON; `sample_data` the same as Python values.
    """

    name: str
    entity: str
    description: str
    sample: Mapping[str, object]
    sample_data: Mapping[str, object]
    schema: SchemaVersion
    data: Fields
    read_json: Convert  # makes data of its JSON form

    @property
    def domain(self) -> str:
        """The first word: all types of one domain share a topic."""
        return self.name.partition(".")[0]

    @property
    def topic(self) -> str:
        """The topic's name, without the prefix an operator may have set."""
        return f"events.{self.domain}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Finds schemas: the newest by name for writing, every version by fingerprint for reading."""

    event_types: Mapping[str, EventType]
    newest: Mapping[str, SchemaVersion]
    by_fingerprint: Mapping[bytes, SchemaVersion]

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> "Catalogue":
        """Reads .avsc texts by their paths, `order.created/1.avsc`; ContractError names the file that is wrong."""
        versions = [read_version(path, texts[path]) for path in sorted(texts)]
        by_name: dict[str, list[SchemaVersion]] = {}
        for version in sorted(versions, key=lambda version: version.number):
            by_name.setdefault(version.name, []).append(version)
        for history in by_name.values():
            _check_history(history)
        newest = {name: history[-1] for name, history in by_name.items()}
        types = {version.name: _event_type(version) for version in versions if _is_event(version)}
        types |= {name: _event_type(newest[name]) for name in types}
        return cls(MappingProxyType(types), MappingProxyType(newest), MappingProxyType(_by_fingerprint(versions)))

    @property
    def domains(self) -> tuple[str, ...]:
        """The first words of all event types: there is a topic for each."""
        return tuple(sorted({event_type.domain for event_type in self.event_types.values()}))

    def event_type(self, name: object) -> EventType:
        """The event type of that name, or ContractError."""
        found = self.event_types.get(name) if isinstance(name, str) else None
        if found is None:
            said = f"{ascii(name)[:64]}" if isinstance(name, str) else f"of the type {type(name).__name__}"
            raise ContractError(f"the event type is {said}; it must be one of {', '.join(self.event_types) or 'none'}")
        return found


def _is_event(version: SchemaVersion) -> bool:
    return "." in version.name


def _check_history(history: list[SchemaVersion]) -> None:
    newest = history[-1]
    for wanted, version in enumerate(history, start=1):
        if version.number != wanted:
            raise ContractError(f"{version.path}: version {wanted} is missing; versions count from 1 without gaps")
        for obstacle in obstacles(version.shape, newest.shape):
            raise ContractError(f"{newest.path}: can't read what {version.path} wrote: {obstacle}")
        if version.attributes.get("entity") != newest.attributes.get("entity"):
            raise ContractError(f"{newest.path}: `entity` differs from {version.path}; a key must stay what it is")


def _by_fingerprint(versions: list[SchemaVersion]) -> dict[bytes, SchemaVersion]:
    found: dict[bytes, SchemaVersion] = {}
    for version in versions:
        other = found.setdefault(version.fingerprint, version)
        if other is not version:
            raise ContractError(
                f"{version.path}: has the fingerprint of {other.path}; they differ in nothing that Avro writes, "
                "so a reader could not tell them apart"
            )
    return found


def _event_type(version: SchemaVersion) -> EventType:
    data = _data_of(version)
    entity = _entity(version, data)
    sample, precise = version.attributes.get("sample"), version.attributes.get("sample_precise")
    if not isinstance(sample, dict):
        raise ContractError(f"{version.path}: `sample` is missing or no object; it must be an example of data")
    try:
        read_json = reading(data)
        sample_data = read_json(precise)
    except Misfit as misfit:
        raise ContractError(f"{version.path}: the schema does not accept its own sample: {misfit}") from None
    return EventType(version.name, entity, version.doc, sample, sample_data, version, data, read_json)


def _data_of(version: SchemaVersion) -> Fields:
    if not _EVENT_NAME.fullmatch(version.name):
        raise ContractError(f"{version.path}: {version.name!r} is no event type; it must be words like order.created")
    if version.attributes.get("event") != version.name:
        raise ContractError(f"{version.path}: `event` must be its folder's name, {version.name}")
    shapes = {field.name: field.shape for field in version.shape.fields}
    data = shapes.pop("data", None)
    if shapes != _ENVELOPE or not isinstance(data, Fields):
        raise ContractError(
            f"{version.path}: the fields must be event_id, account_id and type (string), "
            "occurred_at (timestamp-millis) and data (a record), and no other"
        )
    if any(isinstance(shape, Blob) for shape in _walk(data)):
        raise ContractError(f"{version.path}: data holds bytes, which JSON can't; write them as a string")
    return data


def _entity(version: SchemaVersion, data: Fields) -> str:
    entity = version.attributes.get("entity")
    field = data.field(entity) if isinstance(entity, str) else None
    if field is None or field.shape != Text():
        raise ContractError(f"{version.path}: `entity` must name a string field of data: the events' Kafka key")
    return field.name


def _walk(shape: Shape) -> Iterator[Shape]:
    yield shape
    match shape:
        case Many(inner) | Table(inner) | Maybe(inner):
            yield from _walk(inner)
        case Fields(_, fields):
            for field in fields:
                yield from _walk(field.shape)
