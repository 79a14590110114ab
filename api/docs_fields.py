"""The fields of a JSON Schema, as OpenAPI 3.1 has them, in words: references followed, nested objects opened.

Nothing here raises on a document that is wrong: what can't be found is named, what can't be read is left out.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

Node = Mapping[str, Any]

_DEPTH_MAX = 8  # deeper than any body of ours; a reader is lost before that
_FIELDS_MAX = 500  # of one table
_REFERENCES_MAX = 16  # from one reference to the next
_AMOUNTS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} fields",
    "maxProperties": "at most {} fields",
}
_VALUES = {"pattern": "pattern", "const": "always", "default": "default", "example": "for example"}
_LISTS = {"enum": "one of", "examples": "for example"}
_FLAGS = {
    "uniqueItems": "no item twice",
    "readOnly": "only in answers",
    "writeOnly": "only in requests",
    "deprecated": "deprecated",
}
_JSON_TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit on a value: `words`, and the values that they speak of."""

    words: str
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `name` is its whole path, such as `items[].price`, of which `parent` is the beginning."""

    name: str
    parent: str
    type: str
    is_required: bool
    description: str
    rules: Sequence[Rule]


class _Kind(Enum):
    """What a schema within a schema is: a field; all items of an array; one of several choices."""

    FIELD = auto()
    ITEMS = auto()
    CHOICE = auto()


class _Child(NamedTuple):
    """A schema within a schema."""

    parent: str
    name: str
    path: str
    schema: Any
    is_required: bool = False
    kind: _Kind = _Kind.FIELD


class _Opened(NamedTuple):
    """A schema that holds its own words: no `$ref`, no `allOf`, no alternative to null. `above` led into it."""

    schema: Node
    above: frozenset[str]


class Schemas:
    """Reads the schemas of one document."""

    def __init__(self, document: Node) -> None:
        self._document = document

    def resolved(self, node: Any) -> Node:
        """What a reference leads to, with what stands beside the reference on top; anything else as it is."""
        found = mapping(node)
        for _ in range(_REFERENCES_MAX):
            reference = found.get("$ref")
            if not isinstance(reference, str):
                return found
            found = {**self._at(reference), **{name: value for name, value in found.items() if name != "$ref"}}
        return {name: value for name, value in found.items() if name != "$ref"}

    def value(self, schema: Any) -> Field:
        """A schema itself, as a field without a name."""
        return self._field(_Child("", "", "", schema), self._opened(schema, frozenset()))

    def examples(self, schema: Any) -> Sequence[Any]:
        """The values that the schema itself gives as examples."""
        found = self._opened(schema, frozenset()).schema
        return [*sequence(found.get("examples")), *([found["example"]] if "example" in found else [])]

    def fields(self, schema: Any) -> Sequence[Field]:
        """All fields within a schema, in its order, each before those within it."""
        found = list(islice(self._below("", self._opened(schema, frozenset()), depth=1), _FIELDS_MAX + 1))
        if len(found) > _FIELDS_MAX:
            found[_FIELDS_MAX:] = [_nothing_more(f"There are more than {_FIELDS_MAX} fields; the others are left out.")]
        return found

    def _below(self, path: str, opened: _Opened, *, depth: int) -> Iterator[Field]:
        if depth > _DEPTH_MAX:
            yield _nothing_more(f"What lies within {path} is left out.")
            return
        for child in _children(path, opened.schema):
            inner = self._opened(child.schema, opened.above)
            field = self._field(child, inner)
            is_opened = any(True for _ in _children(child.path, inner.schema))
            is_more = bool(field.description or field.rules)  # than the type, which stands at the array, or the choice
            if child.kind is _Kind.FIELD or is_more or (child.kind is _Kind.CHOICE and is_opened):
                yield field
            if is_opened:
                yield from self._below(child.path, inner, depth=depth + 1)

    def _field(self, child: _Child, opened: _Opened) -> Field:
        return Field(
            name=f"{child.parent}{child.name}",
            parent=child.parent,
            type=self._type(opened),
            is_required=child.is_required,
            description=str(opened.schema.get("description", "")),
            rules=_rules(opened.schema),
        )

    def _opened(self, schema: Any, above: frozenset[str]) -> _Opened:
        """A reference that led here already is not followed again: that is what ends a schema that holds itself."""
        given = mapping(schema)
        parts = list(sequence(given.get("allOf")))
        reference = given.get("$ref")
        if isinstance(reference, str):
            if reference in above:
                name = f"{reference.rpartition('/')[2]} (see above)"
                return _Opened({"type": name, "description": given.get("description", "")}, above)
            above |= {reference}
            parts.insert(0, self._at(reference))
        whole: Node = {}
        beneath = above
        for part in parts:
            inner = self._opened(part, above)
            whole, beneath = _merged(whole, inner.schema), beneath | inner.above
        own = {name: value for name, value in given.items() if name not in {"$ref", "allOf"}}
        return self._without_null(_Opened(_merged(whole, own), beneath))

    def _without_null(self, opened: _Opened) -> _Opened:
        """`anyOf` of one schema and null is that schema, which may be null."""
        word = _alternatives(opened.schema)
        given = sequence(opened.schema.get(word))
        others = [each for each in given if mapping(each).get("type") != "null"]
        if len(others) == len(given) > 1 or not others:
            return opened
        own = {name: value for name, value in opened.schema.items() if name != word}
        if len(others) < len(given):
            own["nullable"] = True
        if len(others) > 1:
            return _Opened(own | {word: others}, opened.above)
        inner = self._opened(others[0], opened.above)
        return _Opened(_merged(inner.schema, own), inner.above)

    def _type(self, opened: _Opened) -> str:
        schema = opened.schema
        variants = sequence(schema.get(_alternatives(schema)))
        words = [self._type(self._opened(each, opened.above)) for each in variants]
        words = words or [self._one_type(name, opened) for name in _types(schema)]
        if schema.get("nullable") is True:
            words.append("null")
        return " or ".join(dict.fromkeys(words))

    def _one_type(self, name: str, opened: _Opened) -> str:
        items = opened.schema.get("items")
        if name == "array" and isinstance(items, Mapping):
            return f"array of {self._type(self._opened(items, opened.above))}"
        is_told = "format" in opened.schema and name in {"string", "integer", "number"}
        return f"{name} ({opened.schema['format']})" if is_told else name

    def _at(self, reference: str) -> Node:
        """What a reference within the document points at (RFC 6901)."""
        place: Any = self._document
        if not reference.startswith("#"):
            return _unknown(reference)
        for step in reference.removeprefix("#").split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            place = mapping(place).get(name)
        return place if isinstance(place, Mapping) else _unknown(reference)


def mapping(value: Any) -> Node:
    """The value, if it is an object; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """The value, if it is an array; else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def mappings(value: Any) -> Sequence[Node]:
    """The objects of an array."""
    return [each for each in sequence(value) if isinstance(each, Mapping)]


def shown(value: Any) -> str:
    """A value in the fewest signs: text as it is, if there is any, everything else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


def _unknown(reference: str) -> Node:
    return {"type": reference, "description": f"Not in this document: {reference}"}


def _nothing_more(why: str) -> Field:
    return Field(name="…", parent="", type="", is_required=False, description=why, rules=())


def _merged(first: Node, second: Node) -> Node:
    """Both in one: what both must have and may have is added up, of all else the second's counts."""
    both = {**first, **second}
    if "properties" in first and "properties" in second:
        both["properties"] = {**mapping(first["properties"]), **mapping(second["properties"])}
    if "required" in first and "required" in second:
        both["required"] = [*sequence(first["required"]), *sequence(second["required"])]
    return both


def _children(path: str, schema: Node) -> Iterator[_Child]:
    before = f"{path}." if path else ""
    required = sequence(schema.get("required"))
    for name, inner in mapping(schema.get("properties")).items():
        yield _Child(before, name, f"{before}{name}", inner, is_required=name in required)
    for pattern, inner in mapping(schema.get("patternProperties")).items():
        yield _Child(before, f"/{pattern}/", f"{before}/{pattern}/", inner)
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield _Child(before, "*", f"{before}*", schema["additionalProperties"])
    for number, inner in enumerate(sequence(schema.get("prefixItems"))):
        yield _Child(path, f"[{number}]", f"{path}[{number}]", inner)
    if isinstance(schema.get("items"), Mapping):
        yield _Child(path, "[]", f"{path}[]", schema["items"], kind=_Kind.ITEMS)
    for number, inner in enumerate(sequence(schema.get(_alternatives(schema))), start=1):
        yield _Child(path, f" (choice {number})" if path else f"(choice {number})", path, inner, kind=_Kind.CHOICE)


def _alternatives(schema: Node) -> str:
    return "anyOf" if "anyOf" in schema else "oneOf"


def _types(schema: Node) -> Sequence[str]:
    """What `type` says; where it is left out, what the rest of the schema tells."""
    match schema.get("type"):
        case str() as name:
            return [name]
        case list() as names:
            return [str(name) for name in names]
    if "properties" in schema or "additionalProperties" in schema:
        return ["object"]
    values = sequence(schema.get("enum")) or [schema[name] for name in ("const",) if name in schema]
    return list(dict.fromkeys(_JSON_TYPES.get(type(value), "any") for value in values)) or ["any"]


def _rules(schema: Node) -> Sequence[Rule]:
    """The limits in a fixed order; those on a list's items stand at the items."""
    found = [Rule(_amount(words, schema[name])) for name, words in _AMOUNTS.items() if name in schema]
    found += [Rule(words, list(map(shown, sequence(schema[name])))) for name, words in _LISTS.items() if name in schema]
    found += [Rule(words, [shown(schema[name])]) for name, words in _VALUES.items() if name in schema]
    found += [Rule(words) for name, words in _FLAGS.items() if schema.get(name) is True]
    if schema.get("additionalProperties") is False:
        found.append(Rule("no other fields"))
    return [rule for rule in found if rule.words]


def _amount(words: str, value: Any) -> str:
    written = f"{value:,}" if isinstance(value, int | float) else str(value)
    return words.format(written).removesuffix("s") if value == 1 else words.format(written)
