"""An outcome as the record it is put on record with: of one attempt the same record, whoever writes it and whatever it is made from."""

from dataclasses import replace
from typing import Protocol

from hookline.core.cancelling import CalledOff
from hookline.core.ids import attempt_id
from hookline.core.verdict import Answer, Reply, error_of
from hookline.schemas.records import Attempt, Outcome, Place


class Tried(Protocol):
    """A delivery: its own record, or its row in the history store."""

    @property
    def delivery_id(self) -> str: ...

    @property
    def subscription_id(self) -> str: ...

    @property
    def event_id(self) -> str: ...

    @property
    def event_type(self) -> str: ...

    @property
    def run(self) -> int: ...

    @property
    def is_test(self) -> bool: ...

    @property
    def job_id(self) -> str | None: ...


def entry(
    of: Tried,
    outcome: Outcome,
    reply: Reply | None = None,
    *,
    account_id: str,
    attempt: int,
    origin: Place,
    started_at_ms: int,
    duration_ms: int = 0,
    next_attempt_at_ms: int | None = None,
    request_headers: tuple[str, ...] = (),
    response_headers: tuple[str, ...] = (),
) -> Attempt:
    """One outcome of attempt number `attempt`; `reply` None: no request was made."""
    answer = reply if isinstance(reply, Answer) else None
    error, detail = (None, None) if reply is None else error_of(reply)
    return Attempt(
        attempt_id=attempt_id(of.delivery_id, of.run, attempt, started_at_ms),
        delivery_id=of.delivery_id,
        account_id=account_id,
        subscription_id=of.subscription_id,
        event_id=of.event_id,
        event_type=of.event_type,
        run=of.run,
        attempt=attempt,
        is_test=of.is_test,
        outcome=outcome,
        started_at_ms=started_at_ms,
        duration_ms=duration_ms,
        response_code=None if answer is None else answer.status,
        response_body=b"" if answer is None else answer.body,
        error=error,
        detail=detail,
        next_attempt_at_ms=next_attempt_at_ms,
        origin=origin,
        job_id=of.job_id,
        request_headers=request_headers,
        response_headers=response_headers,
    )


def cancelled(of: Tried, why: CalledOff, *, account_id: str, attempt: int, origin: Place, at_ms: int) -> Attempt:
    """No request is made, for it was called off: written by the dispatcher that meets it, and by the job that cancelled retries."""
    ended = entry(of, Outcome.CANCELLED, account_id=account_id, attempt=attempt, origin=origin, started_at_ms=at_ms)
    return replace(ended, error=why.word, detail=why.sentence)
