"""The queries of questions about deliveries."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from hookline.api.requests import EventType, PageQuery, Query, check, checked_type, digits

_CODE_MAX = 999
_HOUR_S, _DAY_S = 3_600, 86_400
STATS_DAYS_MAX = 30


def _moment(text: object) -> object:
    """A time as RFC 3339 writes it, with its zone: without one nobody could say when it is."""
    if not isinstance(text, str):
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    check(None if found is not None and found.tzinfo is not None else "must be a time such as 2023-06-20T14:15:30Z")
    return text


def milliseconds(text: str | None) -> int | None:
    """A time that was checked, in milliseconds since the Unix epoch; None for none."""
    return None if text is None else round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1_000)


StateName = Literal["retrying", "postponed", "exhausted", "cancelled", "expired", "succeeded"]
Moment = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})]
Code = Annotated[int, BeforeValidator(lambda text: digits(text, 100, _CODE_MAX)), Field(ge=100, le=_CODE_MAX)]


class _TimeQuery(PageQuery):
    """What a list of the past may be narrowed to."""

    event: EventType | None = Field(None, description="Only those of this event type.")
    response_code: Code | None = Field(None, description="Only those whose last answer had this status.")
    since: Moment | None = Field(None, description="Only those from this time on.")
    until: Moment | None = Field(None, description="Only those before this time.")

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


STEPS_MS = {"hour": _HOUR_S * 1_000, "day": _DAY_S * 1_000}
