"""The replay role on a real Kafka and a real store: what jobs send, and what they leave."""

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import short_settings, subscription
from fakes.kafka import make_topics, read, write
from fakes.replaying import (
    HOUR_MS,
    NOW_MS,
    ask,
    commit_all,
    configure,
    dispatchers_that_keep_up,
    event_ids,
    events,
    job_for,
    on_record,
    outcome,
    publish,
    replayer,
    sent,
    until_over,
)
from fakes.road import CODEC
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, JobKind, JobState, Outcome, Place

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path)
    make_topics(bootstrap, made.topics())
    return made


async def test_a_replay_sends_what_a_subscription_never_got_and_nothing_else(settings: Settings) -> None:
    to, other = subscription("http://127.0.0.1:1/", "order.*"), events(5, account_id="acct_other")
    got, failed, waits, missed = events(5), events(5), events(5), events(5)
    unwanted = events(5, "user.created")
    configure(settings, to)
    publish(settings, [*other, *got, *failed, *waits, *missed, *unwanted], at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    await on_record(
        settings,
        *(outcome(each, to, at_ms=NOW_MS - HOUR_MS) for each in got),
        *(outcome(each, to, Outcome.FAILED, at_ms=NOW_MS - HOUR_MS) for each in failed),
        *(outcome(each, to, Outcome.FAILED, at_ms=NOW_MS - HOUR_MS, next_ms=NOW_MS) for each in waits),
    )
    job = job_for(to)
    async with replayer(settings):
        ask(settings, job)
        ended = await until_over(settings, job)
    found = sent(settings)
    assert sorted(event_ids(found)) == sorted(event_ids([*failed, *missed]))
    assert {(each.run, each.job_id, each.attempt, each.origin) for each in found} == {(job.run, job.job_id, 1, None)}
    assert {each.subscription_id for each in found} == {to.subscription_id}
    assert (ended.state, ended.sent, ended.left_out, ended.lost) == (JobState.DONE, 10, 10, 0)
    assert ended.looked_at == 25  # of `events.order`, whoever they are for
    assert all(each.position == each.end for each in ended.positions)
