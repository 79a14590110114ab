"""The bodies of answers about deliveries, in the contract's order; what the contract does not know comes behind it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hookline.api.responses import CURSOR_TEXT, Answer, Moment
from hookline.core.progress import State

_EVENT_TEXT = "The event type."
_DELIVERY_TEXT = "Its id, which the endpoint gets as `webhook-id`."
_LOG_TEXT = "Its id, `log_...`."
_CODE_TEXT = "The status of the endpoint's last answer; null where there was none."
_ATTEMPTS_TEXT = "How many requests were made."
_TIME_TEXT = "How long it took, in milliseconds."
_STATE_TEXT = "`status` told finer: whether an attempt is to come, and why none is."
_WEBHOOK_TEXT = "The webhook that it is for."
_JOB_TEXT = "The job of recovery that asked for it."


class SucceededDelivery(Answer):
    """A delivery whose endpoint answered 2xx."""

    id: str = Field(description=_DELIVERY_TEXT)
    event: str = Field(description=_EVENT_TEXT)
    status: Literal["succeeded"] = Field(description="It has succeeded.")
    response_code: int | None = Field(description=_CODE_TEXT)
    delivered_at: Moment = Field(description="When it succeeded.")
    attempts: int = Field(description=_ATTEMPTS_TEXT)
    state: State = Field(description=_STATE_TEXT)
    webhook_id: str | None = Field(None, description=_WEBHOOK_TEXT)
    job_id: str | None = Field(None, description=_JOB_TEXT)


class FailedDelivery(Answer):
    """A delivery that has not succeeded, or not yet."""

    id: str = Field(description=_DELIVERY_TEXT)
    event: str = Field(description=_EVENT_TEXT)
    status: Literal["failed"] = Field(description="It has not succeeded, or not yet.")
    response_code: int | None = Field(description=_CODE_TEXT)
    last_attempt_at: Moment | None = Field(None, description="When it was last tried.")
    attempts: int = Field(description=_ATTEMPTS_TEXT)
    next_attempt_at: Moment | None = Field(
        None, description="While an attempt is to come: it does not come before that time."
    )
    state: State = Field(description=_STATE_TEXT)
    webhook_id: str | None = Field(None, description=_WEBHOOK_TEXT)
    job_id: str | None = Field(None, description=_JOB_TEXT)


AnyDelivery = Annotated[SucceededDelivery | FailedDelivery, Field(discriminator="status")]


class DeliveryList(Answer):
    """A page of a webhook's deliveries, the newest first."""

    deliveries: tuple[AnyDelivery, ...] = Field(description="As many as `limit` asks for.")
    next_cursor: str | None = Field(None, description=CURSOR_TEXT)


class DeliveredLog(Answer):
    """An attempt that was answered with 2xx."""

    id: str = Field(description=_LOG_TEXT)
    event: str = Field(description=_EVENT_TEXT)
    status: Literal["delivered"] = Field(description="The endpoint answered with 2xx.")
    response_code: int | None = Field(description=_CODE_TEXT)
    response_time: int = Field(description=_TIME_TEXT)
    delivered_at: Moment = Field(description="When it was made.")
    job_id: str | None = Field(None, description=_JOB_TEXT)


class FailedLog(Answer):
    """An attempt that failed."""

    id: str = Field(description=_LOG_TEXT)
    event: str = Field(description=_EVENT_TEXT)
    status: Literal["failed"] = Field(description="The endpoint answered otherwise, or not at all.")
    response_code: int | None = Field(description=_CODE_TEXT)
    response_time: int = Field(description=_TIME_TEXT)
    attempted_at: Moment = Field(description="When it was made.")
    error: str | None = Field(None, description="Why it failed, in one word.")
    detail: str | None = Field(None, description="What that means, as a sentence for the endpoint's owner.")
    job_id: str | None = Field(None, description=_JOB_TEXT)


AnyLog = Annotated[DeliveredLog | FailedLog, Field(discriminator="status")]


class LogList(Answer):
    """A page of a webhook's attempts, the newest first."""

    logs: tuple[AnyLog, ...] = Field(description="As many as `limit` asks for.")
    next_cursor: str | None = Field(None, description=CURSOR_TEXT)


class TestAccepted(Answer):
    """The test is on its way."""

    __test__ = False  # for pytest this is no test

    delivery_id: str = Field(description="The delivery that is made of it.")


# -- one delivery, one event ------------------------------------------------------------------------------------------


class BodyState(StrEnum):
    """Whether the body of a delivery is there."""

    KEPT = "kept"
    NO_LONGER_KEPT = "no_longer_kept"
    UNREADABLE_NOW = "unreadable_now"


class Header(Answer):
    """A header of a request or of an answer."""

    name: str = Field(description="Its name.")
    value: str = Field(description="Its value, without what is secret.")


class Step(Answer):
    """One record of a delivery: a request, or why none was made."""

    id: str = Field(description=_LOG_TEXT)
    outcome: Literal["succeeded", "failed", "postponed", "cancelled", "expired"] = Field(
        description="What came of it; `postponed`, `cancelled` and `expired` are without a request."
    )
    attempt: int = Field(description="Which attempt it was, from 1.")
    run: int = Field(description="0 as it was fanned out; another number for each time that it was sent again.")
    at: Moment = Field(description="When it began.")
    response_time: int = Field(description=_TIME_TEXT)
    response_code: int | None = Field(description=_CODE_TEXT)
    response_body: str | None = Field(
        None, description="The first 4 KiB of the answer; `***` stands for secrets in it."
    )
    error: str | None = Field(None, description="Why it failed, in one word.")
    detail: str | None = Field(None, description="What that means, as a sentence for the endpoint's owner.")
    next_attempt_at: Moment | None = Field(None, description="The next attempt did not come before that time.")
    job_id: str | None = Field(None, description=_JOB_TEXT)
    request_headers: tuple[Header, ...] | None = Field(
        None, description="What was sent: signatures are shortened, and `***` stands for values of your own."
    )
    response_headers: tuple[Header, ...] | None = Field(
        None, description="What the answer bore, at most 2 KiB; `***` stands for secrets in it."
    )


class Delivery(Answer):
    """One delivery with all that is on record of it."""

    id: str = Field(description=_DELIVERY_TEXT)
    webhook_id: str = Field(description=_WEBHOOK_TEXT)
    event: str = Field(description=_EVENT_TEXT)
    event_id: str = Field(description="The event that it tells of.")
    status: Literal["succeeded", "failed"] = Field(description="As in the list.")
    state: State = Field(description=_STATE_TEXT)
    response_code: int | None = Field(description=_CODE_TEXT)
    attempts: int = Field(description=_ATTEMPTS_TEXT)
    is_test: bool = Field(description="Whether it was asked for with `test`.")
    delivered_at: Moment | None = Field(None, description="When it succeeded.")
    last_attempt_at: Moment | None = Field(None, description="When it was last tried.")
    next_attempt_at: Moment | None = Field(None, description="While an attempt is to come: not before that time.")
    body: str | None = Field(description="What is sent, byte for byte; null unless its state is `kept`.")
    body_state: BodyState = Field(
        description="Kafka keeps bodies for a time (`kept`, `no_longer_kept`); `unreadable_now`: it did not answer, ask again."
    )
    body_kept_until: Moment | None = Field(
        None, description="Until then at least the body can be read, and sent again."
    )
    steps: tuple[Step, ...] = Field(description="Every request, and why some were not made; the oldest first.")
    job_id: str | None = Field(None, description="The job of recovery that asked for its newest run.")


class EventShown(Answer):
    """Where one event went."""

    id: str = Field(description="The event's id.")
    event: str = Field(description=_EVENT_TEXT)
    deliveries: tuple[AnyDelivery, ...] = Field(
        description="One for each webhook that it went to, the newest first, as many as `limit` asks for."
    )
    next_cursor: str | None = Field(None, description=CURSOR_TEXT)


# -- numbers ----------------------------------------------------------------------------------------------------------


class VolumeRow(Answer):
    """Requests of one stretch of time."""

    at: Moment = Field(description="When it begins.")
    succeeded: int = Field(description="Requests that were answered with 2xx.")
    failed: int = Field(description="The others.")


class ResponseTimes(Answer):
    """How long answers took, in milliseconds: half of them at most `p50`, and so on. From buckets: up to 19 % off."""

    p50: int | None = Field(description="Half took no longer.")
    p95: int | None = Field(description="95 of 100 took no longer.")
    p99: int | None = Field(description="99 of 100 took no longer.")


class StatsShown(Answer):
    """Numbers of requests, tests left out."""

    since: Moment = Field(description="From then on, a whole hour.")
    until: Moment = Field(description="Until then, a whole hour.")
    succeeded: int = Field(description="Requests that were answered with 2xx.")
    failed: int = Field(description="The others.")
    success_rate: float | None = Field(description="From 0 to 1; null without a request.")
    response_time: ResponseTimes = Field(description="Of requests that were answered.")
    errors: Mapping[str, int] = Field(description="Failed ones by why: `timeout`, `dns`, `status_5xx` and so on.")
    volume: tuple[VolumeRow, ...] = Field(description="Over time; stretches without a request are left out.")
