from dataclasses import replace

from fakes.configuration import subscription
from fakes.replaying import job_for
from hookline.core.jobs import Jobs
from hookline.processors.job_keeping import outdated
from hookline.schemas.records import JobState, JobWish, Wanted

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
    found = set(outdated(jobs, now_ms=NOW_MS))
    assert found == {b"job_old", b"job_old/wish", b"job_gone/wish"}
