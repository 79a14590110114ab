import re
from collections.abc import Mapping
from typing import Any

import pytest

from fakes.pages import read
from fakes.parcels import with_schema
from hookline.api.docs_page import page


def test_a_reference_that_leads_nowhere_is_named() -> None:
    seen = read(page(with_schema({"properties": {"a": {"$ref": "other.json#/A"}, "b": {"$ref": "#/components/none"}}})))
    assert seen.rows("op-get-x") == [
        "a other.json#/A optional Not in this document: other.json#/A",
        "b #/components/none optional Not in this document: #/components/none",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/components/schemas/Self"},
        {"allOf": [{"$ref": "#/components/schemas/Self"}]},
        {"anyOf": [{"$ref": "#/components/schemas/Self"}, {"type": "null"}]},
        {"type": "array", "items": {"$ref": "#/components/schemas/Self"}},
        {"properties": {"a": {"$ref": "#/components/schemas/Self"}, "b": {"$ref": "#/components/schemas/Self"}}},
    ],
)
def test_a_schema_that_holds_itself_ends(schema: Mapping[str, Any]) -> None:
    document = with_schema({"$ref": "#/components/schemas/Self"}, Self=schema)
    assert re.search(r"Self \(see above\)|any", read(page(document)).within("op-get-x"))


def test_what_is_nested_too_deep_or_too_wide_is_left_out_and_said() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        deep = {"properties": {"a": deep}}
    wide = {"properties": {f"f{number}": {"type": "string"} for number in range(600)}}
    told = read(page(with_schema(deep))).rows("op-get-x")
    assert (told[7:9], len(told)) == (
        ["a.a.a.a.a.a.a.a object optional", "… optional What lies within a.a.a.a.a.a.a.a is left out."],
        9,
    )
    assert (
        read(page(with_schema(wide)))
        .rows("op-get-x")[-1]
        .endswith("There are more than 500 fields; the others are left out.")
    )


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"enum": ["a", 1, None]}, "string or integer or null optional one of a, 1, null"),
        ({"const": ""}, 'string optional always ""'),
        ({"properties": {}}, "object"),
        (True, "any"),
        ({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/A"}]}, "string or null optional At A."),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}, "string or integer or null"),
        ({"allOf": [{"$ref": "#/components/schemas/A"}], "description": "Here."}, "string optional Here."),
        ({"$ref": "#/components/schemas/with~1slash"}, "boolean"),
        ({"$ref": "#/components/schemas/with%20space"}, "number"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "array"),
        (
            {"minItems": 1, "maxLength": 262144, "multipleOf": 0.5},
            "any optional at most 262,144 characters; a multiple of 0.5; at least 1 item",
        ),
    ],
)
def test_a_type_in_words(schema: Any, told: str) -> None:
    components = {
        "A": {"type": "string", "description": "At A."},
        "with/slash": {"type": "boolean"},
        "with space": {"type": "number"},
    }
    found = read(page(with_schema({"properties": {"x": schema}}, **components))).rows("op-get-x")
    assert found[0].startswith(f"x {told}")


def test_choices_among_objects_are_opened() -> None:
    card, iban = (
        {"title": "card", "properties": {"number": {"type": "string"}}},
        {"properties": {"iban": {"type": "string"}}},
    )
    assert read(page(with_schema({"properties": {"by": {"oneOf": [card, iban]}}}))).rows("op-get-x") == [
        "by object optional",
        "by (choice 1) object optional",
        "by.number string optional",
        "by (choice 2) object optional",
        "by.iban string optional",
    ]
