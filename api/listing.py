"""Which of an account's webhooks a list shows: filters, pages, and the cursor that leads to the next one."""

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hookline.api.answers import status_of
from hookline.api.problems import FieldError, invalid
from hookline.core.matching import wants
from hookline.schemas.records import Disabling, Subscription

_LISTED_DEFAULT, _LISTED_MAX = 100, 1_000
_NUMBER = re.compile(r"[0-9]{1,6}")
_STATUSES = ("active", "paused", "disabled")
_PARAMETERS = ("limit", "cursor", "status", "event")
_CURSOR_CHARACTERS_MAX = 200
_NO_CURSOR = "is no cursor of this list; take `next_cursor` of the page before, or leave it out"

Listed = tuple[Subscription, Disabling | None]


class Place(NamedTuple):
    """Where a page ended; the list's order is the same."""

    created_at_ms: int
    subscription_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the query asks for."""

    limit: int
    after: Place | None
    status: str | None
    event: str | None

    def page(self, webhooks: Sequence[Listed]) -> tuple[Sequence[Listed], int, str | None]:
        """The page of these webhooks, how many there are on all pages, and the cursor of the next one if there is one."""
        found = [each for each in webhooks if self._is_wanted(*each)]
        left = found if self.after is None else [each for each in found if _place(each[0]) > self.after]
        shown = left[: self.limit]
        return shown, len(found), _cursor(_place(shown[-1][0])) if len(left) > len(shown) else None

    def _is_wanted(self, subscription: Subscription, disabling: Disabling | None) -> bool:
        if self.status is not None and status_of(subscription, disabling) != self.status:
            return False
        return self.event is None or wants(subscription.events, self.event)


def asked_of(query: Mapping[str, str], event_types: Collection[str]) -> Asked:
    """The query of `GET /webhooks`; Refused names what is wrong in it."""
    errors = [FieldError(name[:64], "is no parameter of this list") for name in query if name not in _PARAMETERS]
    limit = _number(query.get("limit", str(_LISTED_DEFAULT)))
    if not 1 <= limit <= _LISTED_MAX:
        errors.append(FieldError("limit", f"must be a whole number from 1 to {_LISTED_MAX}"))
    after = _read(query["cursor"]) if "cursor" in query else None
    if "cursor" in query and after is None:
        errors.append(FieldError("cursor", _NO_CURSOR))
    status, event = query.get("status"), query.get("event")
    if status is not None and status not in _STATUSES:
        errors.append(FieldError("status", f"must be one of: {', '.join(_STATUSES)}"))
    if event is not None and event not in event_types:
        errors.append(FieldError("event", f"is no event type; there are: {', '.join(event_types)}"))
    if errors:
        raise invalid(errors, what="query")
    return Asked(limit=limit, after=after, status=status, event=event)


def _number(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0


def _place(subscription: Subscription) -> Place:
    return Place(subscription.created_at_ms, subscription.subscription_id)


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place.created_at_ms}:{place.subscription_id}".encode()).decode().rstrip("=")


def _read(cursor: str) -> Place | None:
    """The place that a cursor stands for; None if it stands for none."""
    if len(cursor) > _CURSOR_CHARACTERS_MAX:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    created, colon, subscription_id = text.partition(":")
    is_one = created.isascii() and created.isdecimal() and colon and subscription_id
    return Place(int(created), subscription_id) if is_one else None
