"""The operations of an OpenAPI 3.1 document in the order in which a page tells of them, each with an id to link to."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from hookline.api.docs_fields import Node, Schemas, mapping, mappings, sequence

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
_OTHER = "Other operations"


@dataclass(frozen=True, slots=True)
class Operation:
    """A request to us, or, without a method, one that we send."""

    id: str
    method: str
    path: str
    node: Node

    @property
    def title(self) -> str:
        return str(self.node.get("summary") or self.path) if self.method else self.path


@dataclass(frozen=True, slots=True)
class Chapter:
    """Operations under one heading."""

    id: str
    title: str
    description: str
    operations: Sequence[Operation]


def chapters(schemas: Schemas, document: Node) -> Sequence[Chapter]:
    """The operations under the first of their tags, the tags in the document's order; then the events."""
    operations = list(_operations(schemas, document))
    declared = {str(tag.get("name")): str(tag.get("description", "")) for tag in mappings(document.get("tags"))}
    names = list(dict.fromkeys([*declared, *filter(None, map(_tag, operations)), ""]))
    found = [
        Chapter(identity, name or _OTHER, declared.get(name, ""), [each for each in operations if _tag(each) == name])
        for identity, name in zip(_identities("tag", [name or _OTHER for name in names]), names, strict=True)
    ]
    events = list(_events(schemas, document))
    found.append(Chapter("events", "Events", "Requests that are sent to you.", events))
    return [chapter for chapter in found if chapter.operations]


def _operations(schemas: Schemas, document: Node) -> Iterator[Operation]:
    found = list(_requests(schemas, document.get("paths")))
    names = [str(each.node.get("operationId") or f"{each.method} {each.path}") for each in found]
    for identity, each in zip(_identities("op", names), found, strict=True):
        yield replace(each, id=identity, node={"security": document.get("security"), **each.node})


def _events(schemas: Schemas, document: Node) -> Iterator[Operation]:
    found = list(_requests(schemas, document.get("webhooks")))
    for identity, each in zip(_identities("event", [each.path for each in found]), found, strict=True):
        yield replace(each, id=identity, method="")


def _requests(schemas: Schemas, paths: Any) -> Iterator[Operation]:
    for path, node in mapping(paths).items():
        item = schemas.resolved(node)
        for method in (each for each in item if each in _METHODS):
            operation = mapping(item[method])
            given = map(schemas.resolved, (*sequence(item.get("parameters")), *sequence(operation.get("parameters"))))
            parameters = {(str(each.get("name")), str(each.get("in"))): each for each in given}
            yield Operation("", method, str(path), {**operation, "parameters": list(parameters.values())})


def _tag(operation: Operation) -> str:
    return next(map(str, sequence(operation.node.get("tags"))), "")


def _identities(prefix: str, names: Iterable[str]) -> Sequence[str]:
    """An id for each name, made of what is sure to need no quoting in a link; the second of two alike ends in -2."""
    found: dict[str, None] = {}
    for name in names:
        plain = f"{prefix}-{re.sub(r'[^A-Za-z0-9_]+', '-', name).strip('-') or 'unnamed'}"
        numbered = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        found[next(each for each in numbered if each not in found)] = None
    return list(found)
