from dataclasses import replace

import pytest

from fakes.configuration import subscription
from fakes.replaying import job_for
from hookline.core.jobs import Jobs
from hookline.processors.job_keeping import outdated
from hookline.schemas.records import Job, JobState, JobWish, Subscription, Wanted

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS


def test_jobs_that_ended_a_month_ago_go_with_their_wishes_and_so_do_wishes_without_a_job() -> None:
    jobs = Jobs()
    to = subscription("https://example.com/")
    old = replace(job_for(to), job_id="job_old", state=JobState.DONE, finished_at_ms=NOW_MS - 30 * DAY_MS - 1)
    new = replace(job_for(to), job_id="job_new", state=JobState.DONE, finished_at_ms=NOW_MS - 30 * DAY_MS)
    runs = replace(job_for(to), job_id="job_runs", created_at_ms=0)
    for each in (old, new, runs):
        jobs.put(each)
    for job_id in ("job_old", "job_new", "job_runs", "job_gone"):
        jobs.put(JobWish(job_id=job_id, account_id=to.account_id, wanted=Wanted.PAUSE, rate=None, at_ms=0))
    found = set(outdated(jobs, now_ms=NOW_MS, sent_for_ms=3 * DAY_MS))
    assert found == {b"job_old", b"job_old/wish", b"job_gone/wish"}


def test_of_a_subscription_the_newest_fifty_that_are_over_stay_and_all_that_are_open() -> None:
    jobs = Jobs()
    to, other = subscription("https://example.com/"), subscription("https://example.com/")
    runs = replace(job_for(to), job_id="job_runs", created_at_ms=0)
    alone = replace(job_for(other), job_id="job_alone", state=JobState.DONE, finished_at_ms=NOW_MS, created_at_ms=0)
    for each in (runs, alone, *(over(to, number) for number in range(53))):
        jobs.put(each)
    jobs.put(JobWish(job_id="job_1", account_id=to.account_id, wanted=Wanted.RUN, rate=7, at_ms=0))
    found = set(outdated(jobs, now_ms=NOW_MS, sent_for_ms=0))
    assert found == {b"job_0", b"job_1", b"job_1/wish", b"job_2"}


def test_of_an_account_the_newest_thousand_that_are_over_stay_however_many_webhooks_it_makes() -> None:
    jobs = Jobs()
    for number in range(1_002):
        jobs.put(over(subscription("https://example.com/"), number))
    other = subscription("https://example.com/", account_id="acct_other")
    jobs.put(replace(over(other, 0), job_id="job_other"))
    assert set(outdated(jobs, now_ms=NOW_MS, sent_for_ms=0)) == {b"job_0", b"job_1"}


@pytest.mark.parametrize(
    ("sent", "age_ms", "goes"), [(0, 0, True), (1, 0, False), (1, 3 * DAY_MS, False), (1, 3 * DAY_MS + 1, True)]
)
def test_a_cancelled_job_stays_while_what_it_sent_may_still_be_tried(sent: int, age_ms: int, goes: bool) -> None:
    jobs = Jobs()
    to = subscription("https://example.com/")
    for number in range(51):
        jobs.put(replace(over(to, number), finished_at_ms=NOW_MS - age_ms))
    jobs.put(replace(over(to, 0), state=JobState.CANCELLED, sent=sent, finished_at_ms=NOW_MS - age_ms))
    assert list(outdated(jobs, now_ms=NOW_MS, sent_for_ms=3 * DAY_MS)) == ([b"job_0"] if goes else [])


def over(to: Subscription, number: int) -> Job:
    """A job that is done, the later made the larger its number."""
    return replace(
        job_for(to), job_id=f"job_{number}", state=JobState.DONE, finished_at_ms=NOW_MS, created_at_ms=number
    )
