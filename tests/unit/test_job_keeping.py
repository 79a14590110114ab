from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from fakes.configuration import subscription
from fakes.fanout import CODEC, TOPICS
from fakes.replaying import job_for
from hookline.processors.job_keeping import outdated
from hookline.runtime.log import KafkaRecord
from hookline.runtime.metrics import Metrics
from hookline.runtime.view import View
from hookline.schemas.records import Job, JobState, JobWish, Subscription, Wanted, wish_key

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS
TO = subscription("https://example.com/")
OLD = replace(job_for(TO), job_id="job_old", state=JobState.DONE, finished_at_ms=NOW_MS - 30 * DAY_MS - 1)
NEWER_SCHEMA = b"\xc3\x01" + bytes(8)


def view_of(records: Iterable[tuple[bytes, bytes]]) -> View:
    """A view that has read these records of the topic of jobs."""
    view = View(topics=TOPICS, codec=CODEC, metrics=Metrics(CollectorRegistry()))
    view.received([KafkaRecord(TOPICS.jobs, 0, offset, 0, key, value) for offset, (key, value) in enumerate(records)])
    return view


def job(record: Job) -> tuple[bytes, bytes]:
    return record.job_id.encode(), CODEC.encode(record)


def wish(job_id: str) -> tuple[bytes, bytes]:
    record = JobWish(job_id=job_id, account_id=TO.account_id, wanted=Wanted.PAUSE, rate=None, at_ms=0)
    return wish_key(job_id), CODEC.encode(record)


def test_jobs_that_ended_a_month_ago_go_with_their_wishes_and_so_do_wishes_without_a_job() -> None:
    new = replace(OLD, job_id="job_new", finished_at_ms=NOW_MS - 30 * DAY_MS)
    runs = replace(job_for(TO), job_id="job_runs", created_at_ms=0)
    wishes = [wish(each) for each in ("job_old", "job_new", "job_runs", "job_gone")]
    view = view_of([*map(job, (OLD, new, runs)), *wishes])
    assert set(outdated(view, now_ms=NOW_MS, sent_for_ms=3 * DAY_MS)) == {b"job_old", b"job_old/wish", b"job_gone/wish"}


def test_nothing_of_a_job_goes_that_a_newer_release_wrote() -> None:
    view = view_of([job(OLD), wish("job_old"), (b"job_old", NEWER_SCHEMA), (b"job_new", NEWER_SCHEMA), wish("job_new")])
    assert set(outdated(view, now_ms=NOW_MS, sent_for_ms=3 * DAY_MS)) == set()


def test_of_a_subscription_the_newest_fifty_that_are_over_stay_and_all_that_are_open() -> None:
    other = subscription("https://example.com/")
    runs = replace(job_for(TO), job_id="job_runs", created_at_ms=0)
    alone = replace(job_for(other), job_id="job_alone", state=JobState.DONE, finished_at_ms=NOW_MS, created_at_ms=0)
    view = view_of([*map(job, (runs, alone, *(over(TO, number) for number in range(53)))), wish("job_1")])
    found = set(outdated(view, now_ms=NOW_MS, sent_for_ms=0))
    assert found == {b"job_0", b"job_1", b"job_1/wish", b"job_2"}


def test_of_an_account_the_newest_thousand_that_are_over_stay_however_many_webhooks_it_makes() -> None:
    many = [over(subscription("https://example.com/"), number) for number in range(1_002)]
    other = replace(over(subscription("https://example.com/", account_id="acct_other"), 0), job_id="job_other")
    assert set(outdated(view_of(map(job, (*many, other))), now_ms=NOW_MS, sent_for_ms=0)) == {b"job_0", b"job_1"}


@pytest.mark.parametrize(
    ("sent", "age_ms", "goes"), [(0, 0, True), (1, 0, False), (1, 3 * DAY_MS, False), (1, 3 * DAY_MS + 1, True)]
)
def test_a_cancelled_job_stays_while_what_it_sent_may_still_be_tried(sent: int, age_ms: int, goes: bool) -> None:
    many = [replace(over(TO, number), finished_at_ms=NOW_MS - age_ms) for number in range(51)]
    many[0] = replace(many[0], state=JobState.CANCELLED, sent=sent)
    found = list(outdated(view_of(map(job, many)), now_ms=NOW_MS, sent_for_ms=3 * DAY_MS))
    assert found == ([b"job_0"] if goes else [])


def over(to: Subscription, number: int) -> Job:
    """A job that is done, the later made the larger its number."""
    return replace(
        job_for(to), job_id=f"job_{number}", state=JobState.DONE, finished_at_ms=NOW_MS, created_at_ms=number
    )
