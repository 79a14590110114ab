"""The bodies and queries of recovery and of its jobs."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from hookline.api import requests
from hookline.api.history_requests import Moment, checked_until
from hookline.api.requests import EventPattern, PageQuery, Request
from hookline.api.responses import CURSOR_TEXT, Answer
from hookline.api.responses import Moment as Told
from hookline.core.jobs import RATE_MAX, RATE_USUAL, ShownState

Rate = Annotated[int, Field(ge=1, le=RATE_MAX), BeforeValidator(requests.whole)]
_SINCE_TEXT = "From this time on, which is past: a time with its zone."
_UNTIL_TEXT = "Before this time; now if it is left out. After `since`, and not in the future."
_RATE_TEXT = "Deliveries a second at most. The endpoint's own limits hold beside it."
_KIND_TEXT = "`replay`, `recover` or `cancel_retries`: what it was asked for with."


class RecoverRequest(Request):
    """Deliveries that failed for good, to be sent again."""

    since: Moment = Field(description=_SINCE_TEXT)
    until: Moment | None = Field(None, description=_UNTIL_TEXT)
    rate: Rate = Field(RATE_USUAL, description=_RATE_TEXT)

    _until = field_validator("until")(checked_until)


class ReplayRequest(Request):
    """Events that happened, to be sent to this webhook."""

    since: Moment = Field(description=_SINCE_TEXT)
    until: Moment | None = Field(None, description=_UNTIL_TEXT)
    events: requests.Events | None = Field(
        None, description="Only these event types or patterns, of those that the webhook wants; each once."
    )
    everything: bool = Field(False, description="Also what was delivered already, or is still being tried.")
    rate: Rate = Field(RATE_USUAL, description=_RATE_TEXT)
    dry_run: bool = Field(False, description="Only count what would be sent.")

    _until = field_validator("until")(checked_until)

    @field_validator("events")
    @classmethod
    def _known(cls, events: list[str] | None, info: ValidationInfo) -> list[str] | None:
        return None if events is None else requests.checked_events(events, info)


class JobChange(Request):
    """What is to change of a job."""

    rate: Rate = Field(description=_RATE_TEXT)


class JobQuery(PageQuery):
    """Which jobs."""

    state: Literal["waiting", "running", "paused", "done", "cancelled", "failed"] | None = Field(
        None, description="Only those of this state."
    )


class RetryAccepted(Answer):
    """The delivery is on its way once more."""

    delivery_id: str = Field(description="The same delivery: its id does not change.")
    run: int = Field(description="Marks this sending among the delivery's `steps`.")


class ReplayCounted(Answer):
    """What a replay would do."""

    looked_at: int = Field(description="Your events of that time, of the types asked for, that the log still has.")
    wanted: int = Field(description="So many would be sent.")
    left_out: int = Field(description="Delivered already, or still being tried.")
    unreadable: int = Field(description="Records of that time that name your account, and can't be read.")
    by_type: Mapping[str, int] = Field(description="Those that would be sent, by event type.")
    is_whole: bool = Field(description="If not, counting ended at a bound, and there may be more of all.")
    takes_s: int = Field(description="Seconds that sending them takes at this rate, if the endpoint keeps up.")


class Progress(Answer):
    """How far a job is."""

    share: float = Field(
        description="How much is done, from 0 to 1. Only a replay knows before its end: others show 0."
    )
    looked_at: int = Field(description="Your events, or deliveries, that it has looked at.")
    sent: int = Field(description="Sent, or cancelled if that is what it does.")
    left_out: int = Field(description="Left out: delivered already, or still being tried.")
    lost: int = Field(description="Their bodies are no longer kept, so they can't be sent.")


class JobShown(Answer):
    """One job. What it has not, or is not for, is left out."""

    id: str = Field(description="Its id, `job_...`.")
    webhook_id: str = Field(description="The webhook that it is for, which may be deleted by now.")
    kind: Literal["replay", "recover", "cancel_retries"] = Field(description=_KIND_TEXT)
    state: ShownState = Field(description="How far it is, and whether it is held up.")
    since: Told | None = Field(None, description="It is for what happened from then on.")
    until: Told = Field(description="It is for what happened before then.")
    events: tuple[EventPattern, ...] | None = Field(
        None, description="Only these; left out: all that the webhook wants."
    )
    everything: bool | None = Field(None, description="Of a replay: whether it sends what was delivered already, too.")
    rate: int = Field(description="So many a second at most.")
    created_at: Told = Field(description="When it was asked for.")
    finished_at: Told | None = Field(None, description="When it ended.")
    progress: Progress = Field(description="How far it is, in numbers.")
    detail: str | None = Field(None, description="Why it failed, or what there is to know of it.")


class JobList(Answer):
    """A page of a webhook's jobs, the newest first."""

    jobs: tuple[JobShown, ...] = Field(description="At most as many as `limit` asks for.")
    next_cursor: str | None = Field(None, description=CURSOR_TEXT)
