import base64
import copy
import hashlib
import re
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import pytest

from fakes.pages import Page, read
from fakes.parcels import PARCELS, with_schema
from hookline.api.docs_page import STYLE_HASH, content_security_policy, page
from hookline.api.docs_style import STYLE

PAGE = page(PARCELS)
SEEN = read(PAGE)
EVIL = "\"'></code></td></style><script>alert(1)</script><img src=x onerror=alert(1)>&lt;<!-- ]]>"
NAMED = frozenset(
    [
        "content",
        "examples",
        "headers",
        "parameters",
        "paths",
        "properties",
        "responses",
        "schemas",
        "security",
        "securitySchemes",
        "webhooks",
    ]
)
GARBAGE: Sequence[Any] = (
    None,
    "x",
    "",
    3,
    -0.5,
    True,
    [],
    {},
    [None],
    ["x"],
    [{}],
    {"$ref": 1},
    {"$ref": "#/x"},
    {"x": None},
)
WRITTEN_ON = [
    *(("page", colour) for colour in ("text", "soft", "link", "good", "warn", "bad")),
    *(("shade", colour) for colour in ("text", "soft", "link")),
    *((colour, "on") for colour in ("soft", "link", "good", "warn", "bad")),
]


def test_the_page_has_its_title_its_language_and_its_landmarks() -> None:
    assert PAGE.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert SEEN.texts("title") == ["Parcels"]
    assert SEEN.texts("h1") == ["Parcels 2.4"]
    assert [len(SEEN.all(name)) for name in ("nav", "main")] == [1, 1]
    assert SEEN.all("a")[0].attributes == {"class": "skip", "href": "#content"}
    assert SEEN.all("main")[0].attributes["id"] == "content"


def test_operations_are_grouped_by_their_tags_and_linked_from_the_navigation() -> None:
    assert SEEN.texts("h2") == ["Authentication", "Parcels", "Other operations", "Events"]
    (navigation,) = SEEN.all("nav")
    operations = [
        "#op-listParcels",
        "#op-sendParcel",
        "#op-delete-parcels-id",
        "#op-get-health",
        "#event-parcel-arrived",
    ]
    assert [link.attributes["href"] for link in SEEN.all("a") if navigation in link.above] == [
        *("#tag-Parcels", *operations[:3]),
        *("#tag-Other-operations", operations[3]),
        *("#events", operations[4]),
    ]
    assert [f"#{element.attributes['id']}" for element in SEEN.all("article")] == operations


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("content", "Send parcels, and hear of them."),
        ("content", "https://api.example.com/v1 where it runs"),
        ("authentication", "key: HTTP bearer"),
        ("authentication", "The key of an account."),
        ("authentication", "token: header X-Token"),
        ("tag-Parcels", "What is sent."),
        ("op-listParcels", "List parcels"),
        ("op-listParcels", "GET /parcels"),
        ("op-listParcels", "Authentication: key with scope parcels:read"),
        ("op-sendParcel", "Authentication: key with scopes parcels:write, labels:write or token"),
        ("op-delete-parcels-id", "deprecated"),
        ("op-delete-parcels-id", "Authentication: none"),
        ("op-get-health", "Authentication: key"),
        ("op-sendParcel", "application/json object at least 2 fields"),
        ("op-sendParcel", "409 Conflict It was refused."),
        ("op-sendParcel", "default Anything else."),
        ("op-sendParcel", '{ "uid": "p-1", "to": { "street": "Ängsgatan 1" } }'),
        ("op-sendParcel", "Example: a small one"),
        ("op-sendParcel", '{ "uid": "p-2", "weight_g": 12000 }'),
        ("op-sendParcel", '{ "title": "No" }'),
        ("event-parcel-arrived", "Sent once for each parcel."),
        ("event-parcel-arrived", '{ "event": "parcel.arrived", "data": { "id": "p-1" } }'),
        ("event-parcel-arrived", "2XX Received."),
    ],
)
def test_the_page_tells(part: str, told: str) -> None:
    assert told in SEEN.within(part)


@pytest.mark.parametrize(
    ("part", "row"),
    [
        ("op-listParcels", "account query string optional Whose parcels."),
        ("op-listParcels", "limit query integer optional How many at most. at least 1; at most 1,000; default 50"),
        ("op-listParcels", "status query string optional Where it is. one of packed, sent, lost; deprecated"),
        ("op-listParcels", "Link string optional The next page."),
        ("op-listParcels", "[].to.street string required at least 1 character; at most 200 characters"),
        ("op-delete-parcels-id", "id path string required pattern ^p-[0-9]+$"),
        ("op-sendParcel", "uid string required at most 64 characters; pattern ^[a-z0-9-]+$"),
        ("op-sendParcel", "to object required no other fields"),
        ("op-sendParcel", "to.country string optional always SE"),
        ("op-sendParcel", "weight_g integer or null optional more than 0; default null"),
        ("op-sendParcel", "labels array of string optional at most 10 items; no item twice"),
        ("op-sendParcel", "labels[] string optional at most 1 character"),
        ("op-sendParcel", "metadata object optional at most 50 fields"),
        ("op-sendParcel", "metadata.* string optional"),
        ("op-sendParcel", "value number or string (decimal) optional"),
        ("op-sendParcel", "id string required only in answers"),
        ("op-sendParcel", "sent_at string (date-time) or null optional"),
        ("op-sendParcel", "status string optional Where it is *now*. one of packed, sent, lost"),
        ("op-sendParcel", "within Parcel (see above) or null optional"),
        ("event-parcel-arrived", "webhook-id header string required for example d-1"),
        ("event-parcel-arrived", "data.to.street string required at least 1 character; at most 200 characters"),
    ],
)
def test_a_row_of_a_table_tells(part: str, row: str) -> None:
    assert row in SEEN.rows(part)


def test_a_long_table_is_folded_and_a_short_one_is_not() -> None:
    assert len(SEEN.rows("op-sendParcel")) > 20
    assert [text for text in SEEN.texts("summary") if text.endswith("fields")] == [
        "15 fields",
        "14 fields",
        "15 fields",
    ]


def test_answers_that_say_yes_are_open() -> None:
    answers = [element for element in SEEN.all("details") if element.attributes.get("class") == "answer"]
    assert [(element.words[:3], "open" in element.attributes) for element in answers] == [
        ("200", True),
        ("401", False),
        ("201", True),
        ("409", False),
    ]


def test_the_same_document_makes_the_same_page() -> None:
    assert page(copy.deepcopy(PARCELS)) == PAGE


def test_ids_are_unique_whatever_the_names() -> None:
    names = ["a b", "a-b", "a/b", "a-b-2", "", "é", "ü"]
    document = {"paths": {f"/{n}": {"get": {"operationId": name}} for n, name in enumerate(names)}}
    ids = [element.attributes["id"] for element in read(page(document)).all("article")]
    assert ids == ["op-a-b", "op-a-b-2", "op-a-b-3", "op-a-b-2-2", "op-get-4", "op-unnamed", "op-unnamed-2"]


def test_paragraphs_and_code_are_all_there_is_of_markdown() -> None:
    text = "One `x < 1`.\nStill **one**.\n\n# Two\n \n* [three](javascript:alert(1)) <b>bold</b> `open"
    seen = read(page({"info": {"description": text}}))
    assert [element.text.strip() for element in seen.all("p")] == [
        "One x < 1.\nStill **one**.",
        "# Two",
        "* [three](javascript:alert(1)) <b>bold</b> `open",
    ]
    assert seen.texts("code") == ["x < 1"]


def test_text_that_is_hostile_everywhere_changes_nothing_but_text() -> None:
    document = spoilt(PARCELS)
    seen = read(page(document))
    assert shape(seen) == shape(SEEN)
    assert seen.within("content").count("<script>alert(1)</script>") > 150
    assert len(re.findall("(?i)<script", page(document))) == 0


def test_backticks_open_no_door() -> None:
    seen = read(page({"info": {"title": f"`{EVIL}`", "description": f"`{EVIL}` ``{EVIL}` `"}}))
    assert {element.name for element in seen.elements} <= {element.name for element in SEEN.elements}
    assert seen.texts("code") == [EVIL, EVIL]


def test_types_and_references_are_escaped_too() -> None:
    schema = {
        "properties": {"a": {"type": EVIL}, "b": {"$ref": EVIL}, "c": {"$ref": f"#/{EVIL}"}, "d": {"type": [EVIL]}}
    }
    seen = read(page(with_schema(schema)))
    assert {element.name for element in seen.elements} <= {element.name for element in SEEN.elements}
    assert seen.within("content").count("<script>") == 2 * 2 + 2


def test_what_html_can_not_hold_is_replaced() -> None:
    text = page({"info": {"title": "a\x00b\ud800c\x1bd", "description": "\x85\x7f"}})
    assert "a\ufffdb\ufffdc\ufffdd" in text
    assert text.encode().decode() == text
    assert re.search(r"[^\n\t -~\xa0-\U0010ffff]", text) is None


def test_a_document_that_is_wrong_somewhere_still_makes_a_page() -> None:
    for garbage, put in zip(cycle(GARBAGE), places(PARCELS)[::3], strict=False):  # a third: all take 40 s
        read(page(put(garbage)))


def test_references_that_chase_each_other_end() -> None:
    there, back = {"$ref": "#/components/responses/B"}, {"$ref": "#/components/responses/A"}
    document = {
        "paths": {"/x": {"get": {"responses": {"200": there}}}},
        "components": {"responses": {"A": there, "B": back}},
    }
    assert "200 OK" in read(page(document)).within("op-get-x")


def test_nothing_is_loaded_and_nothing_is_run() -> None:
    names = {element.name for element in SEEN.elements}
    attributes = {name for element in SEEN.elements for name in element.attributes}
    assert names & {"script", "link", "img", "iframe", "object", "form", "base"} == set()
    assert attributes == {
        "aria-label",
        "charset",
        "class",
        "content",
        "href",
        "id",
        "lang",
        "name",
        "open",
        "scope",
        "tabindex",
    }
    assert [word for word in ("url(", "@import", "expression") if word in STYLE] == []


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" == STYLE_HASH
    assert content_security_policy() == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ground", "colour"), WRITTEN_ON)
def test_text_can_be_told_from_what_it_stands_on(scheme: int, ground: str, colour: str) -> None:
    values = [re.findall(rf"--{name}: (#[0-9a-f]{{6}})", STYLE)[scheme] for name in (ground, colour)]
    darker, lighter = sorted(map(luminance, values))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def spoilt(value: Any, key: str = "") -> Any:
    """The document with hostile text at the end of every text and of every name that is a document's own."""
    match value:
        case dict():
            return {(name + EVIL if key in NAMED else name): spoilt(inner, name) for name, inner in value.items()}
        case list():
            return [spoilt(inner, key if key == "security" else "") for inner in value]
        case str() if key == "$ref":
            return value + EVIL.replace("/", "~1")
        case str() if key != "type":
            return value + EVIL
        case _:
            return value


def places(document: Any) -> Sequence[Callable[[Any], Any]]:
    """For each place in a document a function that makes a copy with something else there."""
    match document:
        case dict():
            items = list(document.items())
        case list():
            items = list(enumerate(document))
        case _:
            return []
    here = [lambda other, name=name: _with(document, name, other) for name, _ in items]
    return [
        *here,
        *(
            lambda other, name=name, put=put: _with(document, name, put(other))
            for name, inner in items
            for put in places(inner)
        ),
    ]


def _with(container: Any, name: Any, other: Any) -> Any:
    found = copy.copy(container)
    found[name] = other
    return found


def shape(seen: Page) -> Sequence[tuple[str, Sequence[str]]]:
    return [(element.name, sorted(element.attributes)) for element in seen.elements]


def test_a_body_that_many_answers_have_is_shown_once_for_each_operation() -> None:
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": {"only_once": {}}}}}}
    responses = {status: {"description": "no", **body} for status in ("400", "401", "403")}
    found = page({"paths": {"/a": {"get": {"responses": responses}}, "/b": {"get": {"responses": responses}}}})
    assert (found.count("only_once"), found.count("The same body as with 400.")) == (2, 4)
