"""Sending again what was sent, or could have been: the same delivery id, a run of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from hookline.core.cancelling import may_be_called_off
from hookline.core.fanout import delivery_of
from hookline.core.progress import State
from hookline.schemas.records import Delivery, Event, Subscription

_TO_COME = frozenset({State.RETRYING, State.POSTPONED})  # an attempt is still to come, unless it was called off


class Known(NamedTuple):
    """What history knows of a delivery: its furthest run's state, since when it is in that, which job asked for that run, and the run.

    `job_id` None: no job did. `is_delivered`: by any run.
    """

    state: State
    is_delivered: bool
    at_ms: int
    job_id: str | None
    run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a replay would do. `left_out`: delivered already, or still to be tried. Not `is_whole`: counting ended at a bound."""

    looked_at: int
    wanted: int
    left_out: int
    unreadable: int
    by_type: Mapping[str, int]
    is_whole: bool


def resent(kept: Delivery, *, run: int, config_offset: int, now_ms: int, job_id: str | None = None) -> Delivery:
    """The delivery once more, from its first attempt on; `kept` is any record of it that bears its body."""
    return replace(
        kept,
        config_offset=config_offset,
        created_at_ms=now_ms,
        source_at_ms=now_ms,
        run=run,
        attempt=1,
        postponed=0,
        origin=None,
        job_id=job_id,
    )


def replayed(
    event: Event, subscription: Subscription, *, body: bytes, run: int, config_offset: int, now_ms: int, job_id: str
) -> Delivery:
    """An event of the log for one subscription, with the id that its fan-out gave it, or would have given."""
    made = delivery_of(event, subscription, body=body, config_offset=config_offset, now_ms=now_ms, source_at_ms=now_ms)
    return replace(made, run=run, job_id=job_id)


def needs_sending(
    known: Known | None, subscription: Subscription, *, everything: bool, is_cancelled: Callable[[str], bool]
) -> bool:
    """Whether a replay sends a delivery of which history knows this; None: nothing. `is_cancelled` is asked with a job's id.

    What waits to be tried counts as sent, unless the dispatchers may end it as cancelled when it is due (`core.cancelling`): its
    job was cancelled, its retries were, or it was made for a webhook of the same id that is deleted. In doubt it is sent.
    """
    if everything or known is None:
        return True
    if known.is_delivered:
        return False
    if known.state in _TO_COME:
        is_of_cancelled = known.job_id is not None and is_cancelled(known.job_id)
        is_of_deleted = known.at_ms < subscription.created_at_ms
        return is_of_cancelled or is_of_deleted or may_be_called_off(subscription, recorded_at_ms=known.at_ms)
    return True
