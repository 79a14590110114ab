"""The `webhooks` section of the OpenAPI document: what endpoints receive, one entry for each event type."""

from collections.abc import Iterator, Mapping
from typing import Any

from hookline.schemas.catalogue import Catalogue, EventType
from hookline.schemas.shapes import Choice, Fields, Many, Maybe, Moment, Money, Real, Shape, Table, Text, Truth, Whole

_Schema = dict[str, Any]
_Docs = Mapping[tuple[str, str], str]  # by the record's name and the field's
_HEADERS: Mapping[str, str] = {
    "X-Webhook-Event": "The event type.",
    "X-Webhook-Attempt": "Which attempt this is, from 1.",
    "X-Webhook-Signature": "`sha256=` and the HMAC-SHA256 of the body in hexadecimal.",
    "webhook-id": "The delivery's id: a repeat has the same one.",
    "webhook-timestamp": "When it was sent, in Unix seconds.",
    "webhook-signature": "Standard Webhooks: `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64, one for each secret "
    "that signs; `v1a,` and an Ed25519 signature, if the account has them.",
}
_TIME: Mapping[str, str] = {"type": "string", "format": "date-time"}
_PLAIN: Mapping[type[Shape], Mapping[str, str]] = {
    Text: {"type": "string"},
    Truth: {"type": "boolean"},
    Whole: {"type": "integer"},
    Money: {"type": "number"},
    Real: {"type": "number"},
    Moment: _TIME,
}
_NEXT = "While the secret is being changed: the same with the new one."


def event_webhooks(catalogue: Catalogue) -> Mapping[str, Any]:
    """By event type, the request that an endpoint gets."""
    return {name: {"post": _post(event_type)} for name, event_type in catalogue.event_types.items()}


def _post(event_type: EventType) -> _Schema:
    example = {"event": event_type.name, "timestamp": "2023-06-20T14:15:30Z", "data": event_type.sample}
    content = {"schema": _body(event_type), "example": example}
    return {
        "operationId": event_type.name,
        "summary": event_type.name,
        "description": event_type.description,
        "security": [],
        "parameters": [
            *(_header(name, text, required=True) for name, text in _HEADERS.items()),
            _header("X-Webhook-Signature-Next", _NEXT, required=False),
        ],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "2XX": {
                "description": "Received. Any other answer, redirects included, is a failure, and it is sent again."
            },
            "410": {"description": "Gone: the webhook is disabled."},
        },
    }


def _header(name: str, text: str, *, required: bool) -> _Schema:
    return {"name": name, "in": "header", "description": text, "required": required, "schema": {"type": "string"}}


def _body(event_type: EventType) -> _Schema:
    docs = {name: text for each in _records(event_type.schema.bare) for name, text in _docs(each)}
    properties = {
        "event": {"const": event_type.name, "description": "The event type."},
        "timestamp": {**_TIME, "description": "When it happened: UTC, whole seconds."},
        "data": {**_object(event_type.data, docs), "description": event_type.description},
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _schema(shape: Shape, docs: _Docs) -> _Schema:
    match shape:
        case Choice():
            return {"type": "string", "enum": list(shape.symbols)}
        case Many():
            return {"type": "array", "items": _schema(shape.item, docs)}
        case Table():
            return {"type": "object", "additionalProperties": _schema(shape.value, docs)}
        case Maybe():
            return _schema(shape.of, docs)  # an absent field is left out, and never null
        case Fields():
            return _object(shape, docs)
        case _:
            return dict(_PLAIN[type(shape)])


def _object(fields: Fields, docs: _Docs) -> _Schema:
    """New fields may be added to it later, so it is not closed."""
    described = {
        each.name: {**_schema(each.shape, docs), "description": docs[fields.name, each.name]} for each in fields.fields
    }
    required = [each.name for each in fields.fields if not isinstance(each.shape, Maybe)]
    return {"type": "object", "properties": described, "required": required}


def _records(avro: Any) -> Iterator[Mapping[str, Any]]:
    """Every record in an Avro schema."""
    match avro:
        case {"type": "record", "fields": fields}:
            yield avro
            for each in fields:
                yield from _records(each["type"])
        case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
            yield from _records(inner)
        case list():
            for each in avro:
                yield from _records(each)


def _docs(record: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for each in record["fields"]:
        yield (record["name"], each["name"]), each["doc"]
