"""The OpenAPI 3.1 document, made of the operations and of the models that their handlers use."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from hookline import __version__
from hookline.api.auth import ACCOUNT_HEADER
from hookline.api.openapi_events import event_webhooks
from hookline.api.openapi_headers import REQUEST_HEADERS, answer_headers, problem_headers
from hookline.api.openapi_schemas import body_schemas, query_schemas, reference
from hookline.api.operations import Operation
from hookline.api.problems import MEDIA_TYPE
from hookline.api.responses import ProblemBody
from hookline.core.scopes import Scope
from hookline.schemas.catalogue import Catalogue

_Schema = dict[str, Any]
_DESCRIPTION = """Hookline delivers webhooks: what the public calls a webhook is an endpoint's URL and the event types it wants.

Every answer to a change says what holds: it was written and read back, and each event produced afterwards sees it.
Errors are problem documents (RFC 9457) whose `type` never changes its meaning. A method that a path does not know is answered
with 405, and `Allow` says which it knows: HEAD wherever there is GET.
"""
_PATH_PARAMETERS = {
    "id": "The webhook's id, or its uid.",
    "account_id": "The account's id.",
    "letter_id": "The dead letter's id: its partition and offset.",
    "delivery_id": "The delivery's id, which the endpoint gets as `webhook-id`.",
    "event_id": "The event's id.",
    "job_id": "The job's id.",
    "key_id": "The key's id: the part between the underscores.",
}


def document(operations: Sequence[Operation], catalogue: Catalogue) -> Mapping[str, Any]:
    """The document; plain JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        described = _operation(each)
        links = _links(each, operations)
        if links:
            described["responses"]["201"]["links"] = links
        paths.setdefault(each.path, {})[each.method.lower()] = described
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
        "components": {"schemas": _schemas(operations, catalogue), "securitySchemes": {"key": _SECURITY}},
    }


_SECURITY = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key (`hl_...`), or the token of a console link (`hll_...`).",
}


def _schemas(operations: Sequence[Operation], catalogue: Catalogue) -> _Schema:
    came = [each.body for each in operations if each.body is not None]
    went = [model for each in operations for model in each.answers.values() if model is not None]
    return body_schemas(came, [*went, ProblemBody], catalogue)


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
        content = {"application/json": {"schema": reference(operation.body)}}
        made["requestBody"] = {"required": not operation.body_is_optional, "content": content}
    answers = {str(status): _answer(operation, status, model) for status, model in operation.answers.items()}
    problems = {str(status): _problem(status) for status in operation.all_problems()}
    return made | {"responses": answers | problems}


def _parameters(operation: Operation) -> Iterator[_Schema]:
    for name in _parameters_in(operation.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1},
        }
    if operation.query is not None:
        for name, schema in query_schemas(operation.query).items():
            kept = {key: value for key, value in schema.items() if key != "description"}
            yield {"name": name, "in": "query", "description": schema["description"], "schema": kept}
    for name in operation.headers:
        text, schema = REQUEST_HEADERS[name]
        yield {"name": name, "in": "header", "description": text, "schema": schema}
    if operation.scope not in {None, Scope.ADMIN}:
        text = "For administrators: the account that is meant."
        yield {"name": ACCOUNT_HEADER, "in": "header", "description": text, "schema": {"type": "string"}}


def _answer(operation: Operation, status: int, model: type[BaseModel] | None) -> _Schema:
    is_made = status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
    headers = [name for name in operation.answer_headers if is_made or name != "Location"]
    made: _Schema = {"description": HTTPStatus(status).phrase, "headers": answer_headers(headers)}
    if model is not None:
        made["content"] = {operation.media_type: {"schema": reference(model)}}
    elif operation.media_type != "application/json":
        made["content"] = {operation.media_type: {"schema": {"type": "string"}}}
    return made


def _problem(status: int) -> _Schema:
    return {
        "description": HTTPStatus(status).phrase,
        "headers": problem_headers(status),
        "content": {MEDIA_TYPE: {"schema": reference(ProblemBody)}},
    }


def _links(maker: Operation, operations: Sequence[Operation]) -> _Schema:
    """What can be done with what was made: the operations on the paths below, by its id."""
    if HTTPStatus.CREATED not in maker.answers:
        return {}
    own = _parameters_in(maker.path)
    known = {name: f"$request.path.{name}" for name in own}
    links: _Schema = {}
    for each in operations:
        found = _parameters_in(each.path)
        if each.path.startswith(f"{maker.path}/{{") and len(found) == len(own) + 1:
            links[each.name] = {"operationId": each.name, "parameters": known | {found[-1]: "$response.body#/id"}}
    return links


def _parameters_in(path: str) -> Sequence[str]:
    return re.findall(r"\{(\w+)\}", path)
