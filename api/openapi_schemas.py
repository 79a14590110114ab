"""The schemas of the OpenAPI document: what comes as it is read, what goes as it is written, events as this installation has them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from hookline.api.examples import EXAMPLES
from hookline.api.requests import EVENT_PATTERN, EVENT_TYPE
from hookline.core.matching import patterns_of
from hookline.schemas.catalogue import Catalogue

_REF = "#/components/schemas/{model}"
_NAMES = {EVENT_TYPE: "EventType", EVENT_PATTERN: "EventPattern"}
_Schema = dict[str, Any]
_Models = Sequence[type[BaseModel]]


def body_schemas(came: _Models, went: _Models, catalogue: Catalogue) -> _Schema:
    """By name, the schemas of these bodies of requests and of answers, each with an example."""
    modes = [*((model, "validation") for model in came), *((model, "serialization") for model in went)]
    _, found = models_json_schema(
        list(dict.fromkeys(modes)),  # type: ignore[arg-type]  # the modes are literals
        ref_template=_REF,
        schema_generator=_Generator,
    )
    schemas: _Schema = {**_named(found["$defs"]), **_events(catalogue)}
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    return schemas


def query_schemas(query: type[BaseModel]) -> Mapping[str, _Schema]:
    """By name, the schemas of a query's parameters. One is there or it is not: null is only how the model says the latter."""
    made = query.model_json_schema(schema_generator=_Generator, mode="serialization")
    properties: Mapping[str, _Schema] = _named(made["properties"])
    return properties


def reference(model: type[BaseModel]) -> _Schema:
    """What stands for a body's schema."""
    return {"$ref": _REF.format(model=model.__name__)}


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - its signature
        """Never: it would be the name once more."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """In what goes, what has None as default is left out and never null."""
        of: Any = schema["schema"]
        while of["type"] == "function-after":  # a rule of ours
            of = of["schema"]
        if self.mode == "serialization" and schema.get("default", ...) is None and of["type"] == "nullable":
            return self.generate_inner(of["schema"])
        return super().default_schema(schema)


def _events(catalogue: Catalogue) -> Mapping[str, _Schema]:
    """What the formats that stand for the catalogue mean in this installation."""
    types = list(catalogue.event_types)
    patterns = list(dict.fromkeys(pattern for each in types for pattern in patterns_of(each)))
    return {
        _NAMES[EVENT_TYPE]: {"type": "string", "enum": types, "description": "An event type of this installation."},
        _NAMES[EVENT_PATTERN]: {
            "type": "string",
            "enum": patterns,
            "description": "An event type of this installation, `order.*` for all below a word, or `*` for all there are.",
        },
    }


def _named(value: Any) -> Any:
    """The schema with a reference for each format that stands for the catalogue."""
    match value:
        case {"type": "string", "format": str(kind), **more} if kind in _NAMES:
            return {**more, "$ref": _REF.format(model=_NAMES[kind])}
        case dict():
            return {name: _named(inner) for name, inner in value.items()}
        case list():
            return [_named(inner) for inner in value]
        case _:
            return value
