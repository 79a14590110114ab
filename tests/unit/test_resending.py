"""Sending again keeps the delivery's id and begins a run of its own."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fakes.configuration import subscription
from hookline.core.fanout import fan_out
from hookline.core.progress import State
from hookline.core.resending import needs_sending, replayed, resent
from hookline.schemas.records import Event, Place

EVENT = Event(event_id="evt_1", account_id="acct_1", type="order.created", occurred_at=datetime.now(UTC), data={})
WEBHOOK = subscription("http://localhost/", "*", account_id="acct_1")


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
    assert needs_sending(state, everything=False) == (state in needs)
    assert needs_sending(state, everything=True)
