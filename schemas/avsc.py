"""Reads one .avsc text: what fastavro needs of it, its fingerprint, and its shape."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fastavro.schema import SchemaParseException, UnknownType, fingerprint, parse_schema, to_parsing_canonical_form

from hookline.schemas.errors import ContractError
from hookline.schemas.shapes import Fields, read_shape

_PATH = re.compile(r"(?P<name>[a-z][a-z0-9_.]*)/(?P<number>[1-9][0-9]{0,3})\.avsc")
_LOGICAL = frozenset({"logicalType", "precision", "scale"})
_OURS = ("event", "entity", "sample")


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One released version of one schema.

    `bare` is what fastavro reads and writes with: parsed, without logical types. `fingerprint` is CRC-64-AVRO,
    little-endian. `attributes` are Hookline's own, top level; `sample_precise` is `sample` with Decimals for floats.
    """

    path: str
    name: str
    number: int
    doc: str
    bare: Mapping[str, Any]
    fingerprint: bytes
    shape: Fields
    attributes: Mapping[str, object]


def read_version(path: str, text: str) -> SchemaVersion:
    """The schema in this text; `path` is `<name>/<number>.avsc`. ContractError says what is wrong and where."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ContractError(f"{path}: a schema's path must be <name>/<version>.avsc, such as order.created/1.avsc")
    avro = _record_in(path, text)
    shape = read_shape(avro, where=path)
    if not isinstance(shape, Fields):
        raise ContractError(f"{path}: the schema is no record")
    bare = _parsed(path, {key: value for key, value in avro.items() if key not in _OURS})
    attributes = {key: avro[key] for key in _OURS if key in avro}
    attributes["sample_precise"] = json.loads(text, parse_float=Decimal).get("sample")
    code = bytes.fromhex(fingerprint(to_parsing_canonical_form(bare), "CRC-64-AVRO"))
    return SchemaVersion(path, match["name"], int(match["number"]), avro["doc"], bare, code, shape, attributes)


def _record_in(path: str, text: str) -> dict[str, Any]:
    try:
        avro = json.loads(text)
    except ValueError as error:
        raise ContractError(f"{path}: is no JSON: {error}") from error
    if not isinstance(avro, dict) or avro.get("type") != "record":
        raise ContractError(f"{path}: the schema is no record; its `type` must be record")
    if not isinstance(avro.get("doc"), str) or not avro["doc"].strip():
        raise ContractError(f"{path}: `doc` is missing; it must say what the record is")
    return avro


def _parsed(path: str, avro: dict[str, Any]) -> Mapping[str, Any]:
    try:
        parsed: Mapping[str, Any] = parse_schema(_without_logical(avro))
    except (SchemaParseException, UnknownType, ValueError, KeyError) as error:
        raise ContractError(f"{path}: is no Avro schema: {type(error).__name__}: {error}") from error
    return parsed


def _without_logical(avro: Any) -> Any:
    """The same schema as Avro writes it: logical types are our own business, in `values.py`."""
    if isinstance(avro, list):
        return [_without_logical(part) for part in avro]
    if not isinstance(avro, dict):
        return avro
    kept = {key: _without_logical(value) for key, value in avro.items() if key != "default"}
    if "logicalType" in kept:
        kept = {key: value for key, value in kept.items() if key not in _LOGICAL}
    return kept | ({"default": avro["default"]} if "default" in avro else {})
