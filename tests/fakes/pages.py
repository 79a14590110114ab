"""A page of HTML as a browser's reader sees it: well formed, or an AssertionError that says what is not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})
_INLINE = frozenset({"a", "b", "code", "small", "span"})  # the others end a word
_HOLD_INLINE = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "summary", "figcaption", "pre", *_INLINE}
)  # and nothing else
Attributes = dict[str, str | None]


@dataclass(slots=True, eq=False)
class Element:
    """One element: its name, attributes, and all text within it."""

    name: str
    attributes: Attributes
    above: Sequence["Element"] = field(repr=False)
    text: str = ""

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@dataclass(slots=True)
class Page:
    """All elements in the order in which they begin."""

    elements: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Sequence[Element]:
        return [element for element in self.elements if element.name == name]

    def texts(self, name: str) -> Sequence[str]:
        return [element.words for element in self.all(name)]

    def within(self, element_id: str) -> str:
        return self._of_id(element_id).words

    def rows(self, element_id: str) -> Sequence[str]:
        """The rows of all tables within an element, in words, without their headings."""
        part = self._of_id(element_id)
        bodies = [element for element in self.all("tbody") if part in element.above]
        return [row.words for row in self.all("tr") if row.above[-1] in bodies]

    def _of_id(self, element_id: str) -> Element:
        (found,) = [element for element in self.elements if element.attributes.get("id") == element_id]
        return found


def read(text: str) -> Page:
    """The page. Every element is closed in its turn, ids are unique, and links within the page lead to one."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [], reader.open
    elements = reader.page.elements
    ids = Counter(element.attributes["id"] for element in elements if "id" in element.attributes)
    assert [identity for identity, times in ids.items() if times > 1] == []
    links = [element.attributes.get("href") or "" for element in elements if element.name == "a"]
    assert [link for link in links if not link.startswith("#") or link[1:] not in ids] == []
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), (tag, attrs)
        assert tag in _INLINE or not any(element.name in _HOLD_INLINE for element in self.open), tag
        if tag not in _INLINE:
            self.handle_data(" ")
        element = Element(tag, dict(attrs), tuple(self.open))
        self.page.elements.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop().name == tag, tag
        if tag not in _INLINE:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")
