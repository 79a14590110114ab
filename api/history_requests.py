"""The queries of questions about deliveries."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from hookline.api.requests import EventType, PageQuery, Query, check, checked_type, digits

_CODE_MIN, _CODE_MAX = 100, 999
_HOUR_S, _DAY_S = 3_600, 86_400
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NO_MOMENT = "must be a time such as 2023-06-20T14:15:30Z; a + is written %2B in a query"
STATS_DAYS_MAX = 30


def _moment(text: str) -> str:
    """A time as RFC 3339 writes it, with its zone: without one nobody could say when it is."""
    check(None if is_moment(text) else _NO_MOMENT)
    return text


def is_moment(text: str) -> bool:
    """Whether it is a time, and one that there was: not the 30th of February, for example."""
    if _MOMENT.fullmatch(text) is None:
        return False
    try:
        milliseconds(text)
    except ValueError:
        return False
    return True


def milliseconds(text: str) -> int:
    """A time that was checked, in milliseconds since the Unix epoch."""
    return round(datetime.fromisoformat(text.upper()).timestamp() * 1_000)  # Python takes a `t`, but no `z`


StateName = Literal["retrying", "postponed", "exhausted", "cancelled", "expired", "succeeded"]
# What no calendar here knows, the year 0, is kept out by its first digits.
Moment = Annotated[
    str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time", "not": {"pattern": "^0000"}})
]
Code = Annotated[
    int,
    Field(ge=_CODE_MIN, le=_CODE_MAX),
    BeforeValidator(lambda text: digits(text, _CODE_MIN, _CODE_MAX)),
]


def checked_until(until: str | None, info: ValidationInfo) -> str | None:
    """The end of a time, which must be after its beginning."""
    since = info.data.get("since")
    is_empty = since is not None and until is not None and milliseconds(until) <= milliseconds(since)
    check("must be after `since`" if is_empty else None)
    return until


class _TimeQuery(PageQuery):
    """What a list of the past may be narrowed to."""

    event: EventType | None = Field(None, description="Only those of this event type.")
    response_code: Code | None = Field(None, description="Only those whose last answer had this status.")
    since: Moment | None = Field(None, description="Only those that began at this time or later.")
    until: Moment | None = Field(None, description="Only those that began before this time.")

    _until = field_validator("until")(checked_until)

    @field_validator("event")
    @classmethod
    def _known(cls, event: str | None, info: ValidationInfo) -> str | None:
        return checked_type(event, info)


class DeliveryQuery(_TimeQuery):
    """Which deliveries."""

    status: Literal["succeeded", "failed"] | None = Field(None, description="Only those of this status.")
    state: StateName | None = Field(None, description="Only those of this state.")


class LogQuery(_TimeQuery):
    """Which attempts."""

    status: Literal["delivered", "failed"] | None = Field(None, description="Only those of this status.")


class StatsQuery(Query):
    """Of which time."""

    since: Moment | None = Field(None, description="From this time on; a day ago if left out.")
    until: Moment | None = Field(None, description="Until this time; now if left out. At most 30 days after `since`.")
    step: Literal["hour", "day"] = Field("hour", description="How long the stretches of `volume` are.")

    _until = field_validator("until")(checked_until)


STEPS_MS = {"hour": _HOUR_S * 1_000, "day": _DAY_S * 1_000}
