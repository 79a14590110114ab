"""The bodies and queries of requests, field for field in the contract's order."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from hookline.core.address import Reach
from hookline.core.endpoints import URL_CHARACTERS_MAX, complaint_about_url
from hookline.core.matching import complaint_about_events
from hookline.core.metadata import complaint_about_metadata, complaint_about_uid
from hookline.core.scopes import Scope
from hookline.core.static_headers import complaints_about_headers

_DESCRIPTION_CHARACTERS_MAX = 1_000
_NAME_CHARACTERS_MAX = 200
_SECRET_CHARACTERS_MAX = 512
# More entries than any catalogue has types: only then is each one looked at.
_EVENTS_MAX = 1_000
_RATE_LIMIT_MAX = 10_000
_TIMEOUT_MAX_S = 30
_OVERLAP_S = 24 * 3_600
_OVERLAP_MAX_S = 7 * 24 * 3_600
_LINK_S, _LINK_MAX_S = 3_600, 24 * 3_600
_WEBHOOKS_MAX = 100_000
LISTED_DEFAULT, LISTED_MAX = 100, 1_000
_CURSOR_CHARACTERS_MAX = 200
_DIGITS_MAX = 18

Description = Annotated[str, StringConstraints(max_length=_DESCRIPTION_CHARACTERS_MAX)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=_NAME_CHARACTERS_MAX, pattern=r"\S")]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=_SECRET_CHARACTERS_MAX)]
# What is in `json_schema_extra` is checked by rules of ours, whose sentences say more.
Events = Annotated[list[str], Field(max_length=_EVENTS_MAX, json_schema_extra={"minItems": 1, "uniqueItems": True})]
RateLimit = Annotated[int, Field(ge=1, le=_RATE_LIMIT_MAX)]
OverlapS = Annotated[int, Field(ge=0, le=_OVERLAP_MAX_S)]
TimeoutS = Annotated[int, Field(ge=1, le=_TIMEOUT_MAX_S)]
Status = Literal["active", "paused", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the checks of a request must know of this installation."""

    event_types: Collection[str]
    reach: Reach


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _rules(info: ValidationInfo) -> Rules:
    if not isinstance(info.context, Rules):
        raise TypeError("a request is validated with Rules as context")
    return info.context


def _check(complaint: str | None) -> None:
    if complaint is not None:
        raise ValueError(complaint)


# -- webhooks ---------------------------------------------------------------------------------------------------------


def _checked_url(url: str, info: ValidationInfo) -> str:
    _check(complaint_about_url(url, _rules(info).reach))
    return url


def _checked_events(events: list[str], info: ValidationInfo) -> list[str]:
    _check(complaint_about_events(events, _rules(info).event_types))
    return events


def _checked_uid(uid: str | None) -> str | None:
    _check(None if uid is None else complaint_about_uid(uid))
    return uid


def _checked_metadata(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    _check(None if metadata is None else complaint_about_metadata(metadata))
    return metadata


def _checked_headers(headers: dict[str, str] | None) -> dict[str, str] | None:
    complaints = [] if headers is None else complaints_about_headers(headers)
    if complaints:
        raise ValueError("; ".join(f"{name} {complaint}".strip() for name, complaint in complaints))
    return headers


class NewWebhook(_Request):
    """A webhook to make."""

    url: str = Field(
        json_schema_extra={"maxLength": URL_CHARACTERS_MAX, "pattern": "^https?://"},
        description="The endpoint. Its query is kept encrypted and never shown.",
    )
    events: Events = Field(description="Event types, `order.*` for all below a word, or `*`.")
    description: Description | None = None
    secret: Secret | None = Field(None, description="The signing secret; one is made if it is left out.")
    rate_limit: RateLimit | None = Field(None, description="Requests a second at most.")
    timeout_s: TimeoutS | None = Field(None, description="Seconds that one attempt may take.")
    uid: str | None = Field(None, description="Your own id for it, unique in the account.")
    metadata: dict[str, Any] | None = Field(None, description="A flat object of your own.")
    headers: dict[str, str] | None = Field(None, description="Headers that go with every request; kept encrypted.")

    _url = field_validator("url")(_checked_url)
    _events = field_validator("events")(_checked_events)
    _uid = field_validator("uid")(_checked_uid)
    _metadata = field_validator("metadata")(_checked_metadata)
    _headers = field_validator("headers")(_checked_headers)


class WebhookChange(_Request):
    """What is to change; what is left out keeps its value, and null takes an optional field away.

    `id` and `created_at` may be sent back as they were read. What we judged (from `disabled_reason` on) may be sent back as well,
    and says nothing: it may have changed since. `secret` is there only to say that it may not be sent.
    """

    url: str = Field(
        "",
        json_schema_extra={"maxLength": URL_CHARACTERS_MAX, "pattern": "^https?://"},
        description="As shown, with *** for its query, it stays what it is.",
    )
    events: Events = []
    description: Description | None = None
    status: Status = "active"
    id: str = ""
    created_at: str = ""
    rate_limit: RateLimit | None = None
    timeout_s: TimeoutS | None = None
    uid: str | None = None
    metadata: dict[str, Any] | None = None
    headers: dict[str, str] | None = Field(None, description="All of them; a value of *** keeps the one that is there.")
    disabled_reason: SkipJsonSchema[object] = None
    disabled_at: SkipJsonSchema[object] = None
    failing_since: SkipJsonSchema[object] = None
    disables_at: SkipJsonSchema[object] = None
    secret: SkipJsonSchema[object] = None

    _url = field_validator("url")(_checked_url)
    _events = field_validator("events")(_checked_events)
    _uid = field_validator("uid")(_checked_uid)
    _metadata = field_validator("metadata")(_checked_metadata)
    _headers = field_validator("headers")(_checked_headers)

    @field_validator("secret")
    @classmethod
    def _no_secret(cls, _secret: object) -> None:
        raise ValueError("can't be changed here: POST it to /webhooks/{id}/secret/rotate")


class NewSecret(_Request):
    """A new signing secret; without one, one is made."""

    secret: Secret | None = None
    overlap_s: OverlapS = Field(default=_OVERLAP_S, description="Seconds for which both secrets sign; 0: none.")


class TestRequest(_Request):
    """A test delivery to make."""

    __test__ = False  # for pytest this is no test

    event: str = Field(description="The event type whose sample is sent.")

    @field_validator("event")
    @classmethod
    def _known(cls, event: str, info: ValidationInfo) -> str:
        _check(_complaint_about_type(event, _rules(info)))
        return event


def _complaint_about_type(event: str, rules: Rules) -> str | None:
    return None if event in rules.event_types else f"is no event type; there are: {', '.join(rules.event_types)}"


# -- accounts and keys ------------------------------------------------------------------------------------------------


class NewAccount(_Request):
    """An account to make."""

    name: Name = Field(description="What people call it.")
    webhooks_max: Annotated[int, Field(ge=0, le=_WEBHOOKS_MAX)] | None = Field(
        None, description="Webhooks it may have; null: as many as the installation lets an account have."
    )
    checks_ownership: bool = Field(
        False,
        description="Whether an endpoint must agree (CloudEvents' OPTIONS handshake) before a webhook is made or moved to it.",
    )
    signs_ed25519: bool = Field(
        False,
        description="Whether `webhook-signature` bears a public-key signature (v1a) as well.",
    )


class AccountChange(_Request):
    """What is to change; what is left out keeps its value."""

    name: Name = "-"
    webhooks_max: Annotated[int, Field(ge=0, le=_WEBHOOKS_MAX)] | None = None
    checks_ownership: bool = False
    signs_ed25519: bool = False


class NewKey(_Request):
    """An API key to make."""

    name: Name = Field(description="What people call it.")
    scope: Literal["read", "write"] = Field("write", description="`write` includes `read`.")
    expires_in_s: Annotated[int, Field(ge=1, le=10 * 366 * 86_400)] | None = Field(
        None, description="Seconds until it is no longer accepted; null: for ever."
    )


class NewAdminKey(_Request):
    """An API key for administration to make."""

    name: Name
    expires_in_s: Annotated[int, Field(ge=1, le=10 * 366 * 86_400)] | None = None


class NewLink(_Request):
    """A link into the console to make."""

    scope: Literal["read", "write"] = "write"
    valid_s: Annotated[int, Field(ge=1, le=_LINK_MAX_S)] = _LINK_S


# -- queries ----------------------------------------------------------------------------------------------------------


def _limit(text: object) -> object:
    """A query's number: digits alone, for pydantic would take 1_0 and +5 as well."""
    if not isinstance(text, str):
        return text
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else 0
    _check(None if 1 <= number <= LISTED_MAX else f"must be a whole number from 1 to {LISTED_MAX}")
    return number


Limit = Annotated[
    int,
    BeforeValidator(_limit),
    Field(ge=1, le=LISTED_MAX, description="How many are on one page at most."),
]
Cursor = Annotated[
    str,
    StringConstraints(max_length=_CURSOR_CHARACTERS_MAX),
    Field(description="The `next_cursor` of the page before."),
]


class LimitQuery(_Request):
    """How many."""

    limit: Limit = LISTED_DEFAULT


class PageQuery(_Request):
    """One page of a list."""

    limit: Limit = LISTED_DEFAULT
    cursor: Cursor | None = None


class WebhookQuery(PageQuery):
    """Which webhooks."""

    status: Status | None = Field(None, description="Only those of this status.")
    event: str | None = Field(None, description="Only those that want this event type, also by a pattern.")
    uid: str | None = Field(None, description="Only the one with this id of yours.")

    @field_validator("event")
    @classmethod
    def _known(cls, event: str | None, info: ValidationInfo) -> str | None:
        _check(None if event is None else _complaint_about_type(event, _rules(info)))
        return event


class AuditQuery(PageQuery):
    """Which changes."""

    subject: str | None = Field(None, description="Only those of what has this id.", max_length=_NAME_CHARACTERS_MAX)


def scopes_of(scope: str) -> str:
    """The scopes that a key with this one has, as its record names them."""
    return f"{Scope.READ} {Scope.WRITE}" if scope == Scope.WRITE else scope


def without_nulls(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is there, for answers that leave out the rest."""
    return {name: value for name, value in values.items() if value is not None}
