"""The OpenAPI 3.1 document, made of the operations and of the models that their handlers use."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hookline import __version__
from hookline.api.auth import ACCOUNT_HEADER
from hookline.api.examples import EXAMPLES
from hookline.api.openapi_events import event_webhooks
from hookline.api.operations import Operation
from hookline.api.problems import MEDIA_TYPE
from hookline.api.responses import ProblemBody
from hookline.core.scopes import Scope
from hookline.schemas.catalogue import Catalogue

_REF = "#/components/schemas/{model}"
_Schema = dict[str, Any]
_DESCRIPTION = """Hookline delivers webhooks: what the public calls a webhook is an endpoint's URL and the event types it wants.

Every answer to a change says what holds: it was written and read back, and each event produced afterwards sees it.
Errors are problem documents (RFC 9457) whose `type` never changes its meaning.
"""
_REQUEST_HEADERS: Mapping[str, tuple[str, _Schema]] = {
    "If-Match": (
        "The `ETag` that was read: if it has changed meanwhile the answer is 412, and nothing is changed.",
        {"type": "string", "pattern": r'^(\*|(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*)$'},
    ),
    "Idempotency-Key": (
        "Any text of your own: the same request with it makes one webhook, however often it is sent.",
        {"type": "string", "pattern": "^[!-~]{1,255}$"},
    ),
}
_ANSWER_HEADERS: Mapping[str, str] = {
    "ETag": "Names the edition: another one with each change.",
    "Location": "The path of what was made.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "What kind of key is wanted.",
    "X-Request-Id": "Names the request; the server's log has it.",
}
_PROBLEM_HEADERS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    412: ("ETag",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_NOT_OF_PARAMETERS = {"title", "description", "anyOf"}
_PATH_PARAMETERS = {
    "id": "The webhook's id, or its uid.",
    "account_id": "The account's id.",
    "key_id": "The key's id: the part between the underscores.",
}


def document(operations: Sequence[Operation], catalogue: Catalogue) -> Mapping[str, Any]:
    """The document; plain JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hookline",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "webhooks": event_webhooks(catalogue),
        "components": {"schemas": _schemas(operations), "securitySchemes": {"key": _SECURITY}},
    }


_SECURITY = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key (`hl_...`), or the token of a console link (`hll_...`).",
}


def _schemas(operations: Sequence[Operation]) -> _Schema:
    """The schemas of all bodies. What comes is described as it is read, what goes as it is written."""
    came = [(model, "validation") for each in operations for model in (each.body,) if model is not None]
    went = [(model, "serialization") for each in operations for model in each.answers.values() if model is not None]
    unique = dict.fromkeys([*came, *went, (ProblemBody, "serialization")])
    _, found = models_json_schema(list(unique), ref_template=_REF)  # type: ignore[arg-type]  # the modes are literals
    schemas: _Schema = found["$defs"]
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    return schemas


def _operation(operation: Operation) -> _Schema:
    made: _Schema = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": [] if operation.scope is None else [{"key": []}],
    }
    if operation.scope is not None:
        made["description"] = f"Needs the scope `{operation.scope}`."
    parameters = list(_parameters(operation))
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": _ref(operation.body)}}
        made["requestBody"] = {"required": not operation.body_is_optional, "content": content}
    answers = {str(status): _answer(operation, status, model) for status, model in operation.answers.items()}
    problems = {str(status): _problem(status) for status in operation.all_problems()}
    return made | {"responses": answers | problems}


def _parameters(operation: Operation) -> Iterator[_Schema]:
    for name, text in _PATH_PARAMETERS.items():
        if f"{{{name}}}" in operation.path:
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": text,
                "schema": {"type": "string", "minLength": 1},
            }
    if operation.query is not None:
        for name, schema in operation.query.model_json_schema()["properties"].items():
            kept = {key: value for key, value in _not_null(schema).items() if key not in _NOT_OF_PARAMETERS}
            yield {"name": name, "in": "query", "description": schema.get("description", ""), "schema": kept}
    for name in operation.headers:
        text, schema = _REQUEST_HEADERS[name]
        yield {"name": name, "in": "header", "description": text, "schema": schema}
    if operation.scope not in {None, Scope.ADMIN}:
        text = "For administrators: the account that is meant."
        yield {"name": ACCOUNT_HEADER, "in": "header", "description": text, "schema": {"type": "string"}}


def _not_null(schema: _Schema) -> _Schema:
    """A parameter is there or it is not: null is only how the model says the latter."""
    there = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    return schema if not there else {key: value for key, value in schema.items() if key != "default"} | there[0]


def _answer(operation: Operation, status: int, model: type[BaseModel] | None) -> _Schema:
    made: _Schema = {
        "description": HTTPStatus(status).phrase,
        "headers": _headers((*operation.answer_headers, "X-Request-Id")),
    }
    if model is not None:
        made["content"] = {operation.media_type: {"schema": _ref(model)}}
    elif operation.media_type != "application/json":
        made["content"] = {operation.media_type: {"schema": {"type": "string"}}}
    return made


def _problem(status: int) -> _Schema:
    return {
        "description": HTTPStatus(status).phrase,
        "headers": _headers((*_PROBLEM_HEADERS.get(status, ()), "X-Request-Id")),
        "content": {MEDIA_TYPE: {"schema": _ref(ProblemBody)}},
    }


def _headers(names: Sequence[str]) -> _Schema:
    return {name: {"description": _ANSWER_HEADERS[name], "schema": {"type": "string"}} for name in names}


def _ref(model: type[BaseModel]) -> _Schema:
    return {"$ref": _REF.format(model=model.__name__)}
