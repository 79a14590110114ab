"""The bodies and queries of dead letters."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hookline.api.requests import PageQuery, Request
from hookline.api.responses import Answer, Moment

Reason = Literal["exhausted", "expired", "unreadable", "too_large"]
_CURSOR_CHARACTERS_MAX = 2_000  # a place for each partition
_ACCOUNT_TEXT = "Only those of this account."
_REASON_TEXT = "Only those that ended so."

LetterCursor = Annotated[
    str,
    StringConstraints(max_length=_CURSOR_CHARACTERS_MAX),
    Field(description="The `next_cursor` of the page before.", json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"}),
]


class LetterQuery(PageQuery):
    """Which dead letters. A page may be short, and have a next one, where few of many are wanted."""

    cursor: LetterCursor | None = None
    reason: Reason | None = Field(None, description=_REASON_TEXT)
    account_id: str | None = Field(None, description=_ACCOUNT_TEXT, max_length=200)


class Redrive(Request):
    """Which dead letters to send again, the newest first."""

    reason: Reason | None = Field(None, description=_REASON_TEXT)
    account_id: str | None = Field(None, description=_ACCOUNT_TEXT, max_length=200)
    cursor: LetterCursor | None = Field(None, description="The `next_cursor` of the answer before.")


class LetterShown(Answer):
    """One dead letter. What it is not of, such as a delivery, is left out."""

    id: str = Field(description="Its place: partition and offset in the topic of dead letters.")
    at: Moment = Field(description="When it died.")
    reason: Reason | None = Field(None, description="Why it ended here.")
    detail: str = Field(description="The same as a sentence.")
    topic: str | None = Field(None, description="The topic that it was read from.")
    partition: int | None = Field(None, description="Its partition there.")
    offset: int | None = Field(None, description="Its offset there.")
    payload_bytes: int | None = Field(None, description="How large it was.")
    payload: str | None = Field(
        None, description="Its bytes in base64, if they were kept: the body, or a record as it came."
    )
    delivery_id: str | None = Field(None, description="The delivery.")
    account_id: str | None = Field(None, description="Its account.")
    webhook_id: str | None = Field(None, description="Its webhook.")
    event_id: str | None = Field(None, description="Its event.")
    event: str | None = Field(None, description="The event type.")
    attempts: int | None = Field(None, description="How many requests were made.")


class LetterList(Answer):
    """A page of dead letters, the newest first."""

    letters: tuple[LetterShown, ...] = Field(description="At most as many as `limit` asks for.")
    next_cursor: str | None = Field(None, description="Leads to the next page; the last one has none.")


class Redriven(Answer):
    """How many were sent again."""

    redriven: int = Field(description="Sent again: a delivery as a run of its own, a record as it came.")
    left_out: int = Field(
        description="Not sent: too little was kept, the webhook is gone, it was delivered since or is under way, or it died again since "
        "and has a newer letter."
    )
    next_cursor: str | None = Field(
        default=None, description="Where to go on, if there are more, or if Kafka was away in the middle."
    )
