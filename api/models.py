"""The bodies of requests and answers, field for field in the contract's order.

An answer leaves out what was not set; `response_code` is set to null where there was none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from hookline.core.address import Reach
from hookline.core.endpoints import complaint_about_url
from hookline.core.matching import complaint_about_events

_DESCRIPTION_CHARACTERS_MAX = 1_000
_SECRET_CHARACTERS_MAX = 512
# More entries than any catalogue has types: only then is each one looked at.
_EVENTS_MAX = 1_000
_RATE_LIMIT_MAX = 10_000
_TIMEOUT_MAX_S = 30
_OVERLAP_S = 24 * 3_600
_OVERLAP_MAX_S = 7 * 24 * 3_600

Description = Annotated[str, StringConstraints(max_length=_DESCRIPTION_CHARACTERS_MAX)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=_SECRET_CHARACTERS_MAX)]
Events = Annotated[list[str], Field(max_length=_EVENTS_MAX)]
RateLimit = Annotated[int, Field(ge=1, le=_RATE_LIMIT_MAX)]
OverlapS = Annotated[int, Field(ge=0, le=_OVERLAP_MAX_S)]
TimeoutS = Annotated[int, Field(ge=1, le=_TIMEOUT_MAX_S)]
Status = Literal["active", "paused", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the checks of a body must know of this installation."""

    event_types: Collection[str]
    reach: Reach


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


# -- requests ---------------------------------------------------------------------------------------------------------


def _checked_url(url: str, info: ValidationInfo) -> str:
    complaint = complaint_about_url(url, _rules(info).reach)
    if complaint is not None:
        raise ValueError(complaint)
    return url


def _checked_events(events: list[str], info: ValidationInfo) -> list[str]:
    complaint = complaint_about_events(events, _rules(info).event_types)
    if complaint is not None:
        raise ValueError(complaint)
    return events


def _rules(info: ValidationInfo) -> Rules:
    if not isinstance(info.context, Rules):
        raise TypeError("a request is validated with Rules as context")
    return info.context


class NewWebhook(_Request):
    """The body of `POST /webhooks`."""

    url: str
    events: Events
    description: Description | None = None
    secret: Secret | None = None
    rate_limit: RateLimit | None = None
    timeout_s: TimeoutS | None = None

    _url = field_validator("url")(_checked_url)
    _events = field_validator("events")(_checked_events)


class WebhookChange(_Request):
    """The body of `PATCH` and `PUT /webhooks/{id}`: what is left out keeps its value; a description, limit or timeout of null takes it away.

    `id` and `created_at` may be sent back as they were read. What we judged (from `disabled_reason` on) may be sent back as well,
    and says nothing: it may have changed since. `secret` is there only to say that it may not be sent.
    """

    url: str = ""
    events: Events = []
    description: Description | None = None
    status: Status = "active"
    id: str = ""
    created_at: str = ""
    rate_limit: RateLimit | None = None
    timeout_s: TimeoutS | None = None
    disabled_reason: object = None
    disabled_at: object = None
    failing_since: object = None
    disables_at: object = None
    secret: object = None

    _url = field_validator("url")(_checked_url)
    _events = field_validator("events")(_checked_events)

    @field_validator("secret")
    @classmethod
    def _no_secret(cls, _secret: object) -> None:
        raise ValueError("can't be changed here: POST it to /webhooks/{id}/secret/rotate")


class NewSecret(_Request):
    """The body of `POST /webhooks/{id}/secret/rotate`; without a secret one is made."""

    secret: Secret | None = None
    overlap_s: OverlapS = _OVERLAP_S


class TestRequest(_Request):
    """The body of `POST /webhooks/{id}/test`."""

    __test__ = False  # for pytest this is no test

    event: str

    @field_validator("event")
    @classmethod
    def _known(cls, event: str, info: ValidationInfo) -> str:
        if event not in _rules(info).event_types:
            raise ValueError(f"is no event type; there are: {', '.join(_rules(info).event_types)}")
        return event


# -- answers ----------------------------------------------------------------------------------------------------------


class Webhook(_Answer):
    """One webhook. `secret` is set only in the answer that made it, the others from `rate_limit` on only where there is one."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str | None = None
    created_at: str
    status: Status
    rate_limit: int | None = None
    timeout_s: int | None = None
    disabled_reason: str | None = None
    disabled_at: str | None = None
    failing_since: str | None = None
    disables_at: str | None = None
    secret: str | None = None


class SecretShown(_Answer):
    """The signing secret; while it is being changed also the new one, and when that takes over."""

    secret: str
    next_secret: str | None = None
    next_secret_from: str | None = None


class SecretRotated(_Answer):
    """`secret` if it was made here; `next_secret_from` if both sign until then."""

    secret: str | None = None
    next_secret_from: str | None = None


class ListedWebhook(_Answer):
    """One webhook in the list, as short as in the contract."""

    id: str
    url: str
    events: tuple[str, ...]
    status: Status
    created_at: str


class WebhookList(_Answer):
    """A page of an account's webhooks; `total` counts those of all pages, `next_cursor` leads to the next one."""

    webhooks: tuple[ListedWebhook, ...]
    total: int
    next_cursor: str | None = None


class SucceededDelivery(_Answer):
    """A delivery whose endpoint answered 2xx."""

    id: str
    event: str
    status: Literal["succeeded"]
    response_code: int | None
    delivered_at: str
    attempts: int


class FailedDelivery(_Answer):
    """A delivery that has not succeeded; `next_attempt_at` is set while an attempt is to come, and means "not before"."""

    id: str
    event: str
    status: Literal["failed"]
    response_code: int | None
    last_attempt_at: str | None = None
    attempts: int
    next_attempt_at: str | None = None


class DeliveryList(_Answer):
    deliveries: tuple[SucceededDelivery | FailedDelivery, ...]


class DeliveredLog(_Answer):
    """An attempt that was answered with 2xx. `response_time` is in ms."""

    id: str
    event: str
    status: Literal["delivered"]
    response_code: int | None
    response_time: int
    delivered_at: str


class FailedLog(_Answer):
    """An attempt that failed; `error` is one word, `detail` a sentence for the endpoint's owner."""

    id: str
    event: str
    status: Literal["failed"]
    response_code: int | None
    response_time: int
    attempted_at: str
    error: str | None = None
    detail: str | None = None


class LogList(_Answer):
    logs: tuple[DeliveredLog | FailedLog, ...]


class TestAccepted(_Answer):
    __test__ = False

    delivery_id: str
