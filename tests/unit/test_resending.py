"""Sending again keeps the delivery's id and begins a run of its own."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fakes.configuration import subscription
from hookline.core.fanout import fan_out
from hookline.core.progress import State
from hookline.core.resending import Known, needs_sending, replayed, resent
from hookline.schemas.records import Event, Place

EVENT = Event(event_id="evt_1", account_id="acct_1", type="order.created", occurred_at=datetime.now(UTC), data={})
WEBHOOK = replace(subscription("http://localhost/", "*", account_id="acct_1"), created_at_ms=1_000)
# So long after retries were cancelled a dispatcher may not have heard of it, or another clock may say that it was before.
UNHEARD_MS = 60_000


def test_a_replay_has_the_id_that_the_fan_out_gives_and_its_job_s_run() -> None:
    (fanned,) = fan_out(EVENT, [WEBHOOK], body=b"{}", config_offset=3, now_ms=5, source_at_ms=4)
    sent = replayed(EVENT, WEBHOOK, body=b"{}", run=9_000, config_offset=7, now_ms=9_001, job_id="job_1")
    assert sent == replace(fanned, run=9_000, config_offset=7, created_at_ms=9_001, source_at_ms=9_001, job_id="job_1")


def test_what_is_sent_again_begins_anew_and_holds_its_own_body() -> None:
    (fanned,) = fan_out(EVENT, [WEBHOOK], body=b"{}", config_offset=3, now_ms=5, source_at_ms=4)
    failed = replace(fanned, attempt=7, postponed=2, origin=Place(partition=1, offset=2))
    again = resent(failed, run=9_000, config_offset=7, now_ms=9_001)
    assert (again.attempt, again.postponed, again.origin, again.run) == (1, 0, None, 9_000)
    assert (again.delivery_id, again.body) == (fanned.delivery_id, b"{}")


@pytest.mark.parametrize("state", [None, *State])
def test_what_was_delivered_or_is_still_tried_is_left_out_unless_everything_is_asked_for(state: State | None) -> None:
    needs = {None, State.EXHAUSTED, State.CANCELLED, State.EXPIRED}
    known = None if state is None else Known(state, state is State.SUCCEEDED, 1_000, "job_1", 0)
    assert needs_sending(known, WEBHOOK, everything=False, is_cancelled=lambda _: False) == (state in needs)
    assert needs_sending(known, WEBHOOK, everything=True, is_cancelled=lambda _: False)


@pytest.mark.parametrize("state", [State.RETRYING, State.POSTPONED])
@pytest.mark.parametrize(
    ("job_id", "cancelled_before_ms", "is_needed"),
    [
        ("job_gone", 0, True),
        ("job_1", 100_001, True),
        (None, 100_001, True),
        (None, 100_001 - UNHEARD_MS, True),
        ("job_1", 100_000 - UNHEARD_MS, False),
        (None, 0, False),
    ],
)
def test_what_waits_is_sent_if_it_was_called_off_or_may_have_been_and_would_end_when_it_is_due(
    state: State, job_id: str | None, cancelled_before_ms: int, is_needed: bool
) -> None:
    of = replace(WEBHOOK, cancelled_before_ms=cancelled_before_ms)
    known = Known(state, False, 100_000, job_id, 0)
    found = needs_sending(known, of, everything=False, is_cancelled=lambda each: each == "job_gone")
    assert found is is_needed


@pytest.mark.parametrize("state", [State.RETRYING, State.POSTPONED])
@pytest.mark.parametrize(("at_ms", "is_needed"), [(999, True), (1_000, False)])
def test_what_waits_for_a_webhook_of_the_same_id_that_was_deleted_is_sent(
    state: State, at_ms: int, is_needed: bool
) -> None:
    known = Known(state, False, at_ms, None, 0)
    assert needs_sending(known, WEBHOOK, everything=False, is_cancelled=lambda _: False) is is_needed


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.CANCELLED, State.EXHAUSTED, State.RETRYING])
def test_what_any_run_delivered_is_left_out_whatever_became_of_the_last(state: State) -> None:
    known = Known(state, True, 1_000, "job_gone", 0)
    of = replace(WEBHOOK, cancelled_before_ms=2_000)
    assert not needs_sending(known, of, everything=False, is_cancelled=lambda _: True)
