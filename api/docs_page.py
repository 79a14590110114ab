"""The documentation page: an OpenAPI 3.1 document as one page of HTML that needs no script and no other host.

Descriptions are plain text: paragraphs between empty lines, `code` between backticks, and nothing else of Markdown.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from itertools import chain
from typing import Any

from hookline.api.docs_chapters import Chapter, Operation, chapters
from hookline.api.docs_fields import Field, Node, Rule, Schemas, mapping, mappings, sequence
from hookline.api.docs_style import STYLE

_OPEN_ROWS_MAX = 12  # a longer table is folded, so that the page can be scanned
_OPEN_LINES_MAX = 30  # and so is a longer example
_FIELD_COLUMNS = ("Name", "Type", "Required", "Description")
# What HTML has no place for: control characters, and halves of surrogate pairs, which UTF-8 can't write.
_UNWRITABLE = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000)], "\ufffd")

STYLE_HASH = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"


class _Html(str):
    """Text that is HTML already; any other is escaped on its way into an element."""

    __slots__ = ()


def page(document: Mapping[str, Any]) -> str:
    """The whole page. The same document makes the same page, with the same ids to link to."""
    schemas = Schemas(document)
    info = mapping(document.get("info"))
    title = str(info.get("title", "API"))
    told = chapters(schemas, document)
    skip = _element("a", "Skip to the content", class_="skip", href="#content")
    beginning = _beginning(title, info, document)
    parts = chain(beginning, _authentication(schemas, document), (_chapter(schemas, each) for each in told))
    main = _element("main", *parts, id="content", tabindex="-1")
    body = "\n".join((skip, _navigation(told), main))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{_element('title', title)}\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def content_security_policy() -> str:
    """The policy to serve the page with: nothing but its own style is loaded, run, sent or framed."""
    return f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _navigation(told: Sequence[Chapter]) -> _Html:
    groups = chain.from_iterable(
        (
            _element("p", _link(chapter.id, chapter.title), class_="group"),
            _element("ul", *(_element("li", _entry(operation)) for operation in chapter.operations)),
        )
        for chapter in told
    )
    return _element(
        "nav", _element("details", _element("summary", "Contents"), *groups, class_="menu"), aria_label="Contents"
    )


def _entry(operation: Operation) -> _Html:
    return _link(operation.id, *_method(operation), _element("span", operation.title))


def _method(operation: Operation) -> Sequence[_Html]:
    if not operation.method:
        return ()
    return (_element("span", operation.method.upper(), class_=f"method {operation.method}"),)


def _beginning(title: str, info: Node, document: Node) -> Iterator[_Html]:
    version = _element("small", str(info.get("version", "")))
    yield _element("h1", title, " ", version)
    yield from _paragraphs(info.get("summary"))
    yield from _paragraphs(info.get("description"))
    for server in mappings(document.get("servers")):
        yield _element("p", "Server: ", _code(str(server.get("url", ""))), " ", _inline(server.get("description")))


def _authentication(schemas: Schemas, document: Node) -> Iterator[_Html]:
    schemes = mapping(mapping(document.get("components")).get("securitySchemes"))
    if schemes:
        parts = (_scheme(str(name), schemas.resolved(scheme)) for name, scheme in schemes.items())
        yield _element("section", _element("h2", "Authentication"), *parts, id="authentication")


def _scheme(name: str, scheme: Node) -> _Html:
    match scheme.get("type"):
        case "http":
            how = f"HTTP {scheme.get('scheme', '')}"
        case "apiKey":
            how = f"{scheme.get('in', '')} {scheme.get('name', '')}"
        case other:
            how = str(other)
    return _joined([_element("p", _code(name), f": {how}"), *_paragraphs(scheme.get("description"))])


def _chapter(schemas: Schemas, chapter: Chapter) -> _Html:
    parts = (_operation(schemas, each) for each in chapter.operations)
    heading = _element("h2", chapter.title)
    return _element("section", heading, *_paragraphs(chapter.description), *parts, id=chapter.id)


def _operation(schemas: Schemas, operation: Operation) -> _Html:
    node, is_ours = operation.node, bool(operation.method)
    return _element(
        "article",
        _element("h3", _link(operation.id, operation.title)),
        *_route(operation),
        *(() if is_ours else _paragraphs(node.get("summary"))),
        *_paragraphs(node.get("description")),
        *(_security(node) if "security" in node else ()),
        *_parameters(schemas, node, "Parameters" if is_ours else "Headers"),
        *_request(schemas, node, "Request body" if is_ours else "Payload"),
        *_responses(schemas, node, "Responses" if is_ours else "What to answer"),
        id=operation.id,
    )


def _route(operation: Operation) -> Iterator[_Html]:
    path = [*_method(operation), " ", _code(operation.path)] if operation.method else []
    old = [" ", _element("span", "deprecated", class_="method old")] if operation.node.get("deprecated") is True else []
    if path or old:
        yield _element("p", *path, *old, class_="route")


def _security(node: Node) -> Iterator[_Html]:
    ways = [_joined(_between(" and ", _needed(each))) for each in mappings(node.get("security"))]
    yield _element("p", "Authentication: ", *(_between(" or ", ways) or ["none"]))


def _needed(requirement: Node) -> Sequence[_Html]:
    """All that one way in needs: a scheme, and its scopes."""
    found = []
    for name, scopes in requirement.items():
        codes = list(map(_code, map(str, sequence(scopes))))
        word = " with scope " if len(codes) == 1 else " with scopes "
        found.append(_joined([_code(str(name)), *([word, *_between(", ", codes)] if codes else ())]))
    return found or [_joined(["none"])]


def _parameters(schemas: Schemas, node: Node, heading: str) -> Iterator[_Html]:
    columns = ("Name", "Where", "Type", "Required", "Description")
    rows = [_parameter(schemas, each, str(each.get("name", "")), each.get("in", "")) for each in node["parameters"]]
    if rows:
        yield _element("h4", heading)
        yield _table(columns, rows, "parameters")


def _parameter(schemas: Schemas, node: Node, name: str, *where: Any) -> Sequence[_Html]:
    """The cells of a parameter, or of a header of an answer, which has no `where`."""
    content = [each.get("schema") for each in mappings([*mapping(node.get("content")).values()])]
    value = schemas.value(node.get("schema", content[0] if content else None))
    own = schemas.value({key: node[key] for key in ("example", "deprecated") if key in node})
    field = replace(value, name=name, is_required=node.get("required") is True, rules=[*value.rules, *own.rules])
    first, *others = _cells(replace(field, description=str(node.get("description") or value.description)))
    return [first, *(_element("td", str(each), class_="where") for each in where), *others]


def _request(schemas: Schemas, node: Node, heading: str) -> Iterator[_Html]:
    if "requestBody" not in node:
        return
    body = schemas.resolved(node["requestBody"])
    optional = () if body.get("required") is True else (_element("span", " (optional)", class_="soft"),)
    yield _element("h4", heading, *optional)
    yield from _paragraphs(body.get("description"))
    yield from _contents(schemas, body)


def _responses(schemas: Schemas, node: Node, heading: str) -> Iterator[_Html]:
    responses = mapping(node.get("responses"))
    if responses:
        yield _element("h4", heading)
    told: dict[str, str] = {}  # by what a body is, the first status that has it: ten refusals have the same one
    for status, response in responses.items():
        node = schemas.resolved(response)
        first = told.setdefault(json.dumps(node.get("content"), default=str), str(status))
        if first == str(status) or not node.get("content"):
            yield _response(schemas, str(status), node, list(_contents(schemas, node)))
        else:
            yield _response(schemas, str(status), node, [_paragraph(f"The same body as with {first}.")])


def _response(schemas: Schemas, status: str, node: Node, contents: Sequence[_Html]) -> _Html:
    first, *others = _texts(node.get("description")) or [""]
    line = [
        _element("span", f"{status} {_phrase(status)}".strip(), class_=f"status s{status[:1]}"),
        " ",
        _inline(first),
    ]
    headers = mapping(node.get("headers")).items()
    rows = [_parameter(schemas, schemas.resolved(header), str(name)) for name, header in headers]
    table = [_element("h5", "Headers"), _table(_FIELD_COLUMNS, rows, "headers")] if rows else []
    within = [*map(_paragraph, others), *table, *contents]
    if not within:
        return _element("div", _element("p", *line), class_="answer")
    state = {"open": ""} if status.startswith("2") else {}
    return _element("details", _element("summary", *line), *within, class_="answer", **state)


def _phrase(status: str) -> str:
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return ""


def _contents(schemas: Schemas, node: Node) -> Iterator[_Html]:
    """Each media type of a body: what it is, its fields, its examples."""
    for name, content in mapping(node.get("content")).items():
        media = mapping(content)
        value = schemas.value(media.get("schema"))
        limits = [rule for rule in value.rules if rule.words != "for example"]  # they follow, and in full
        yield _element("p", _code(str(name)), f" {value.type} " if "schema" in media else "", *_rules(limits))
        yield from _paragraphs(value.description)
        rows = [_cells(field) for field in schemas.fields(media.get("schema"))]
        if rows:
            yield _table(_FIELD_COLUMNS, rows, "fields")
        for caption, example in _examples(schemas, media):
            yield _example(caption, _formatted(example, str(name)))


def _examples(schemas: Schemas, media: Node) -> Iterator[tuple[str, Any]]:
    """Every example, with what it is called; those of the schema only where the media type has none."""
    if "example" in media:
        yield "Example", media["example"]
    named = mapping(media.get("examples"))
    for name, given in named.items():
        example = schemas.resolved(given)
        yield f"Example: {example.get('summary') or name}", example.get("value", example.get("externalValue"))
    if "example" not in media and not named:
        yield from (("Example", value) for value in schemas.examples(media.get("schema")))


def _formatted(value: Any, media_type: str) -> str:
    if isinstance(value, str) and "json" not in media_type:
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _example(caption: str, text: str) -> _Html:
    block = _element("pre", _element("code", text))
    if text.count("\n") >= _OPEN_LINES_MAX:
        return _element("details", _element("summary", caption), block)
    return _element("figure", _element("figcaption", caption), block)


def _table(columns: Sequence[str], rows: Sequence[Sequence[_Html]], what: str) -> _Html:
    head = _element("thead", _element("tr", *(_element("th", each, scope="col") for each in columns)))
    body = _element("tbody", *(_element("tr", *row) for row in rows))
    table = _element("table", head, body)
    if len(rows) <= _OPEN_ROWS_MAX:
        return table
    return _element("details", _element("summary", f"{len(rows)} {what}"), table)


def _cells(field: Field) -> Sequence[_Html]:
    own = field.name.removeprefix(field.parent)
    parent = [_element("span", field.parent, class_="parent")] if field.parent else []
    return [
        _element("th", _element("code", *parent, own), scope="row"),
        _element("td", field.type, class_="type"),
        _element("td", "required", class_="need must")
        if field.is_required
        else _element("td", "optional", class_="need"),
        _element("td", _inline(field.description), " ", *_rules(field.rules)),
    ]


def _rules(rules: Sequence[Rule]) -> Sequence[_Html]:
    told = [
        _joined([rule.words, " " if rule.values else "", *_between(", ", map(_code, rule.values))]) for rule in rules
    ]
    return [_element("span", *_between("; ", told), class_="rules")] if told else []


def _texts(description: Any) -> Sequence[str]:
    """The paragraphs of a description."""
    return [text for text in re.split(r"\n\s*\n", str(description or "").strip()) if text]


def _paragraphs(description: Any) -> Sequence[_Html]:
    return list(map(_paragraph, _texts(description)))


def _paragraph(text: str) -> _Html:
    return _element("p", _inline(text))


def _inline(text: Any) -> _Html:
    """Text within a line, code between backticks."""
    return _Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", _escaped(str(text or ""))))


def _code(text: str) -> _Html:
    return _element("code", text)


def _link(to: str, *children: str) -> _Html:
    return _element("a", *children, href=f"#{to}")


def _between(word: str, parts: Iterable[_Html]) -> Sequence[str]:
    return [each for part in parts for each in (word, part)][1:]


def _element(name: str, *children: str, **attributes: str) -> _Html:
    written = "".join(
        f' {attribute.rstrip("_").replace("_", "-")}="{_escaped(value)}"' for attribute, value in attributes.items()
    )
    return _Html(f"<{name}{written}>{_joined(children)}</{name}>")


def _joined(parts: Iterable[str]) -> _Html:
    return _Html("".join(part if isinstance(part, _Html) else _escaped(part) for part in parts))


def _escaped(text: str) -> str:
    return html.escape(text.translate(_UNWRITABLE))
