"""The bodies and queries of requests, field for field in the contract's order."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from hookline.core.address import Reach
from hookline.core.endpoints import URL_CHARACTERS_MAX, complaint_about_url
from hookline.core.matching import complaint_about_events
from hookline.core.metadata import (
    KEY_CHARACTERS_MAX,
    KEYS_MAX,
    UID_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    complaint_about_metadata,
    complaint_about_uid,
)
from hookline.core.scopes import Scope
from hookline.core.static_headers import HEADERS_MAX, NAME_CHARACTERS_MAX, VALUE_BYTES_MAX, complaints_about_headers

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
_KEY_MAX_S = 10 * 366 * 86_400
LISTED_DEFAULT, LISTED_MAX = 100, 1_000
_CURSOR_CHARACTERS_MAX = 200
_DIGITS_MAX = 18

# Formats of JSON schemas that stand for what the catalogue of this installation has.
EVENT_TYPE, EVENT_PATTERN = "event-type", "event-pattern"


def whole(number: object) -> object:
    """JSON knows one kind of number: 5.0 is 5."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


Description = Annotated[str, StringConstraints(max_length=_DESCRIPTION_CHARACTERS_MAX)]
# Not blank. What `\s` means differs between Rust, which checks it, JavaScript, which schemas are read with, and Python.
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=_NAME_CHARACTERS_MAX, pattern=r"[^\s\x1c-\x1f\x85\uFEFF]")
]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=_SECRET_CHARACTERS_MAX)]
RateLimit = Annotated[int, Field(ge=1, le=_RATE_LIMIT_MAX), BeforeValidator(whole)]
OverlapS = Annotated[int, Field(ge=0, le=_OVERLAP_MAX_S), BeforeValidator(whole)]
TimeoutS = Annotated[int, Field(ge=1, le=_TIMEOUT_MAX_S), BeforeValidator(whole)]
ExpiresInS = Annotated[int, Field(ge=1, le=_KEY_MAX_S), BeforeValidator(whole)]
WebhooksMax = Annotated[int, Field(ge=0, le=_WEBHOOKS_MAX), BeforeValidator(whole)]
ValidS = Annotated[int, Field(ge=1, le=_LINK_MAX_S), BeforeValidator(whole)]
Status = Literal["active", "paused", "disabled"]

# What is in `json_schema_extra` is checked by rules of ours, whose sentences say more.
Url = Annotated[
    str, Field(json_schema_extra={"format": "uri", "maxLength": URL_CHARACTERS_MAX, "pattern": "^https?://"})
]
EventType = Annotated[str, Field(json_schema_extra={"format": EVENT_TYPE})]
EventPattern = Annotated[str, Field(json_schema_extra={"format": EVENT_PATTERN})]
Events = Annotated[
    list[EventPattern], Field(max_length=_EVENTS_MAX, json_schema_extra={"minItems": 1, "uniqueItems": True})
]
Uid = Annotated[
    str,
    Field(
        json_schema_extra={
            "pattern": f"^[A-Za-z0-9._:-]{{1,{UID_CHARACTERS_MAX}}}$",
            "not": {"pattern": r"^(wh_|\.\.?$)"},
        }
    ),
]
Metadata = Annotated[
    dict[str, Any],
    Field(
        json_schema_extra={
            "maxProperties": KEYS_MAX,
            "propertyNames": {"minLength": 1, "maxLength": KEY_CHARACTERS_MAX},
            "additionalProperties": {"type": ["string", "number", "boolean"], "maxLength": VALUE_CHARACTERS_MAX},
        }
    ),
]
Headers = Annotated[
    dict[str, str],
    Field(
        json_schema_extra={
            "maxProperties": HEADERS_MAX,
            "propertyNames": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "maxLength": NAME_CHARACTERS_MAX},
            "additionalProperties": {
                "type": "string",
                "pattern": "^([!-~]([ \\t!-~]*[!-~])?)?$",
                "maxLength": VALUE_BYTES_MAX,
            },
        }
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the checks of a request must know of this installation."""

    event_types: Collection[str]
    reach: Reach


def _without_defaults(schema: dict[str, Any]) -> None:
    """A body of changes: what is left out keeps its value, so no default of ours holds."""
    for each in schema["properties"].values():
        each.pop("default", None)


class Request(BaseModel):
    """What every body and query of a request is: fixed, and with no field but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _rules(info: ValidationInfo) -> Rules:
    if not isinstance(info.context, Rules):
        raise TypeError("a request is validated with Rules as context")
    return info.context


def check(complaint: str | None) -> None:
    if complaint is not None:
        raise ValueError(complaint)


# -- webhooks ---------------------------------------------------------------------------------------------------------


def _checked_url(url: str, info: ValidationInfo) -> str:
    check(complaint_about_url(url, _rules(info).reach))
    return url


def checked_events(events: list[str], info: ValidationInfo) -> list[str]:
    check(complaint_about_events(events, _rules(info).event_types))
    return events


def _checked_uid(uid: str | None) -> str | None:
    check(None if uid is None else complaint_about_uid(uid))
    return uid


def _checked_metadata(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    check(None if metadata is None else complaint_about_metadata(metadata))
    return metadata


def _checked_headers(headers: dict[str, str] | None) -> dict[str, str] | None:
    complaints = [] if headers is None else complaints_about_headers(headers)
    if complaints:
        raise ValueError("; ".join(f"{name} {complaint}".strip() for name, complaint in complaints))
    return headers


class NewWebhook(Request):
    """A webhook to make."""

    url: Url = Field(
        description="The endpoint: `https`, a public host, no user name, no fragment. Its query is kept encrypted and never shown."
    )
    events: Events = Field(
        description="Event types, `order.*` for all below a word, or `*` for all there are; each once."
    )
    description: Description | None = Field(None, description="What it is for, in your own words.")
    secret: Secret | None = Field(None, description="The signing secret; one is made if it is left out.")
    rate_limit: RateLimit | None = Field(
        None, description="Requests a second at most; what comes faster waits its turn."
    )
    timeout_s: TimeoutS | None = Field(
        None, description="Seconds that one attempt may take, from looking up the name to the end of the answer."
    )
    uid: Uid | None = Field(
        None, description="Your own id for it, unique in the account; it can stand where the id can."
    )
    metadata: Metadata | None = Field(
        None, description="A flat object of your own. A whole number in it is between -2**53 and 2**53."
    )
    headers: Headers | None = Field(
        None,
        description="Headers that go with every request, at most 16 KiB of values; kept encrypted. "
        "Refused are those that Hookline sets, and those of connections and of proxies.",
    )

    _url = field_validator("url")(_checked_url)
    _events = field_validator("events")(checked_events)
    _uid = field_validator("uid")(_checked_uid)
    _metadata = field_validator("metadata")(_checked_metadata)
    _headers = field_validator("headers")(_checked_headers)


_JUDGED = Field(
    None, description="Passed over: it may have changed since it was read.", json_schema_extra={"readOnly": True}
)


class WebhookChange(Request):
    """What is to change. What is left out keeps its value; null takes an optional field away.

    A webhook may be sent back as it was read: `id` and `created_at` as they are, and what was judged of the endpoint is passed over.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    url: Url = Field(
        "", description="The endpoint. Sent back as it is shown, with `***` for its query, it stays what it is."
    )
    events: Events = Field([], description="Event types, `order.*` for all below a word, or `*` for all there are.")
    description: Description | None = Field(None, description="What it is for, in your own words.")
    status: Status = Field(
        "active", description="`active` enables as well. `disabled` means as it is, and only while it is disabled."
    )
    id: str = Field("", description="Can't be changed.", json_schema_extra={"readOnly": True})
    created_at: str = Field("", description="Can't be changed.", json_schema_extra={"readOnly": True})
    rate_limit: RateLimit | None = Field(None, description="Requests a second at most.")
    timeout_s: TimeoutS | None = Field(None, description="Seconds that one attempt may take.")
    uid: Uid | None = Field(None, description="Your own id for it, unique in the account.")
    metadata: Metadata | None = Field(None, description="A flat object of your own; all of it.")
    headers: Headers | None = Field(None, description="All of them; a value of `***` keeps the one that is there.")
    disabled_reason: object = _JUDGED
    disabled_at: object = _JUDGED
    failing_since: object = _JUDGED
    disables_at: object = _JUDGED
    catch_up: object = _JUDGED
    secret: SkipJsonSchema[object] = None  # is there only to say that it may not be sent

    _url = field_validator("url")(_checked_url)
    _events = field_validator("events")(checked_events)
    _uid = field_validator("uid")(_checked_uid)
    _metadata = field_validator("metadata")(_checked_metadata)
    _headers = field_validator("headers")(_checked_headers)

    @field_validator("secret")
    @classmethod
    def _no_secret(cls, _secret: object) -> None:
        raise ValueError("can't be changed here: POST it to /webhooks/{id}/secret/rotate")


class NewSecret(Request):
    """A new signing secret; without one, one is made."""

    secret: Secret | None = Field(default=None, description="One of your own; without it one is made.")
    overlap_s: OverlapS = Field(default=_OVERLAP_S, description="Seconds for which both secrets sign; 0: none.")


class TestRequest(Request):
    """A test delivery to make."""

    __test__ = False  # for pytest this is no test

    event: EventType = Field(description="The event type whose sample is sent.")

    @field_validator("event")
    @classmethod
    def _known(cls, event: str, info: ValidationInfo) -> str:
        check(_complaint_about_type(event, _rules(info)))
        return event


def _complaint_about_type(event: str, rules: Rules) -> str | None:
    return None if event in rules.event_types else f"is no event type; there are: {', '.join(rules.event_types)}"


# -- accounts and keys ------------------------------------------------------------------------------------------------


_NAME_TEXT = "What people call it."
_WEBHOOKS_MAX_TEXT = "Webhooks it may have; null: as many as the installation lets an account have."
_CHECKS_TEXT = (
    "Whether an endpoint must agree (CloudEvents' OPTIONS handshake) before a webhook is made or moved to it."
)
_SIGNS_TEXT = "Whether `webhook-signature` bears a public-key signature (v1a) as well."
_EXPIRES_TEXT = "Seconds until it is no longer accepted; null: for ever."


class NewAccount(Request):
    """An account to make."""

    name: Name = Field(description=_NAME_TEXT)
    webhooks_max: WebhooksMax | None = Field(None, description=_WEBHOOKS_MAX_TEXT)
    checks_ownership: bool = Field(False, description=_CHECKS_TEXT)
    signs_ed25519: bool = Field(False, description=_SIGNS_TEXT)


class AccountChange(Request):
    """What is to change; what is left out keeps its value."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: Name = Field("-", description=_NAME_TEXT)
    webhooks_max: WebhooksMax | None = Field(None, description=_WEBHOOKS_MAX_TEXT)
    checks_ownership: bool = Field(False, description=_CHECKS_TEXT)
    signs_ed25519: bool = Field(False, description=_SIGNS_TEXT)


class NewKey(Request):
    """An API key to make."""

    name: Name = Field(description=_NAME_TEXT)
    scope: Literal["read", "write"] = Field("write", description="`write` includes `read`.")
    expires_in_s: ExpiresInS | None = Field(None, description=_EXPIRES_TEXT)


class NewAdminKey(Request):
    """An API key for administration to make."""

    name: Name = Field(description=_NAME_TEXT)
    expires_in_s: ExpiresInS | None = Field(None, description=_EXPIRES_TEXT)


class NewLink(Request):
    """A link into the console to make."""

    scope: Literal["read", "write"] = Field(default="write", description="What it may do; `write` includes `read`.")
    valid_s: ValidS = Field(default=_LINK_S, description="Seconds for which it lets in.")


# -- queries ----------------------------------------------------------------------------------------------------------


def digits(text: object, least: int, most: int) -> object:
    """A query's number: digits alone, for pydantic would take 1_0 and +5 as well."""
    if not isinstance(text, str):
        return text
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else least - 1
    check(None if least <= number <= most else f"must be a whole number from {least} to {most}")
    return number


Limit = Annotated[
    int,
    Field(ge=1, le=LISTED_MAX, description="How many are on one page at most."),
    BeforeValidator(lambda text: digits(text, 1, LISTED_MAX)),
]
Cursor = Annotated[
    str,
    StringConstraints(max_length=_CURSOR_CHARACTERS_MAX),
    Field(description="The `next_cursor` of the page before.", json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"}),
]


class Query(Request):
    """What every query is."""


class PageQuery(Query):
    """One page of a list."""

    limit: Limit = LISTED_DEFAULT
    cursor: Cursor | None = None


class WebhookQuery(PageQuery):
    """Which webhooks."""

    status: Status | None = Field(None, description="Only those of this status.")
    event: EventType | None = Field(None, description="Only those that want this event type, also by a pattern.")
    uid: str | None = Field(None, description="Only the one with this id of yours.")

    @field_validator("event")
    @classmethod
    def _known(cls, event: str | None, info: ValidationInfo) -> str | None:
        return checked_type(event, info)


class AuditQuery(PageQuery):
    """Which changes."""

    subject: str | None = Field(None, description="Only those of what has this id.", max_length=_NAME_CHARACTERS_MAX)


def checked_type(event: str | None, info: ValidationInfo) -> str | None:
    """An event type that there is, or None."""
    check(None if event is None else _complaint_about_type(event, _rules(info)))
    return event


def scopes_of(scope: str) -> str:
    """The scopes that a key with this one has, as its record names them."""
    return f"{Scope.READ} {Scope.WRITE}" if scope == Scope.WRITE else scope


def without_nulls(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is there, for answers that leave out the rest."""
    return {name: value for name, value in values.items() if value is not None}
