"""Pages of lists, and the cursors that lead from one to the next."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from hookline.api.answers import status_of
from hookline.api.problems import no_cursor
from hookline.api.requests import PageQuery, WebhookQuery
from hookline.core.matching import wants
from hookline.schemas.records import Disabling, Subscription

Listed = tuple[Subscription, Disabling | None]
_Row = TypeVar("_Row")


class Place(NamedTuple):
    """Where a page ended; the list's order is the same."""

    at_ms: int
    row_id: str


class Page(NamedTuple):
    """Which rows of a list are asked for. `of` is the list: a cursor of another one means nothing in it."""

    of: str
    limit: int
    after: Place | None


def page_of(of: str, asked: PageQuery) -> Page:
    """The page that a query asks for; Refused if the cursor is none of this list."""
    after = None if asked.cursor is None else _read(of, asked.cursor)
    if asked.cursor is not None and after is None:
        raise no_cursor()
    return Page(of, asked.limit, after)


def paged(rows: Sequence[_Row], page: Page, place: Callable[[_Row], Place]) -> tuple[Sequence[_Row], str | None]:
    """The page of these rows, which are in order of their places, and the cursor of the next one if there is one."""
    return cut(rows if page.after is None else [each for each in rows if place(each) > page.after], page, place)


def cut(
    rows: Sequence[_Row], page: Page, place: Callable[[_Row], tuple[int, str]]
) -> tuple[Sequence[_Row], str | None]:
    """The page of rows that begin where it does, and the cursor of the next one if there are more of them."""
    shown = rows[: page.limit]
    return shown, cursor_of(page.of, *place(shown[-1])) if len(rows) > len(shown) else None


def is_listed(listed: Listed, asked: WebhookQuery) -> bool:
    """Whether the filters let this webhook through."""
    subscription, disabling = listed
    if asked.status is not None and status_of(subscription, disabling) != asked.status:
        return False
    if asked.uid is not None and subscription.uid != asked.uid:
        return False
    return asked.event is None or wants(subscription.events, asked.event)


def place_of(listed: Listed) -> Place:
    """A webhook's place in the list."""
    return Place(listed[0].created_at_ms, listed[0].subscription_id)


def cursor_of(of: str, at_ms: int, row_id: str) -> str:
    """The cursor of this list's page that begins after this place."""
    return base64.urlsafe_b64encode(f"{of}:{at_ms}:{row_id}".encode()).decode().rstrip("=")


def _read(of: str, cursor: str) -> Place | None:
    """The place that a cursor stands for; None if it stands for none in this list."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, _, place = text.partition(":")
    at, colon, row_id = place.partition(":")
    is_one = name == of and at.isascii() and at.isdecimal() and colon and row_id
    return Place(int(at), row_id) if is_one else None
