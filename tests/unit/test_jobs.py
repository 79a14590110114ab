"""Jobs and wishes, in whatever order they come."""

from dataclasses import replace

import pytest

from fakes.jobs import JOB
from hookline.core.jobs import Asked, Jobs, ShownState, next_run, summed
from hookline.schemas.records import JobPosition, JobState, JobWish, Wanted


def wish(wanted: Wanted, rate: int | None = None) -> JobWish:
    return JobWish(job_id="job_1", account_id="acct_1", wanted=wanted, rate=rate, at_ms=2_000)


@pytest.mark.parametrize(
    ("state", "wanted", "shown", "is_cancelled"),
    [
        (JobState.WAITING, None, ShownState.WAITING, False),
        (JobState.RUNNING, Wanted.RUN, ShownState.RUNNING, False),
        (JobState.RUNNING, Wanted.PAUSE, ShownState.PAUSED, False),
        (JobState.RUNNING, Wanted.CANCEL, ShownState.CANCELLED, True),
        (JobState.DONE, Wanted.PAUSE, ShownState.DONE, False),
        (JobState.DONE, Wanted.CANCEL, ShownState.CANCELLED, True),  # it came to its end while that was confirmed
        (JobState.FAILED, Wanted.CANCEL, ShownState.FAILED, True),
        (JobState.CANCELLED, Wanted.CANCEL, ShownState.CANCELLED, True),
        (JobState.FAILED, Wanted.PAUSE, ShownState.FAILED, False),
    ],
)
def test_a_wish_counts_until_the_job_has_ended_and_that_to_cancel_it_for_ever(
    state: JobState, wanted: Wanted | None, shown: ShownState, is_cancelled: bool
) -> None:
    asked = Asked(replace(JOB, state=state), None if wanted is None else wish(wanted))
    assert (asked.shown, asked.is_cancelled) == (shown, is_cancelled)


def test_job_and_wish_come_in_any_order_and_are_removed_each_for_itself() -> None:
    jobs = Jobs()
    jobs.put(wish(Wanted.PAUSE, rate=7))
    assert jobs.job("job_1") is None
    jobs.put(JOB)
    assert jobs.job("job_1") == Asked(JOB, wish(Wanted.PAUSE, rate=7))
    assert jobs.jobs_of("wh_1")[0].rate == 7
    jobs.remove("job_1/wish")
    assert jobs.job("job_1") == Asked(JOB, None)
    assert jobs.jobs()[0].rate == 100
    jobs.remove("job_1")
    assert not jobs.jobs_of("wh_1")
    assert not jobs.jobs()
    jobs.remove("job_1")


def test_jobs_are_listed_in_order_of_creation() -> None:
    jobs = Jobs()
    for number in (3, 1, 2):
        jobs.put(replace(JOB, job_id=f"job_{number}", created_at_ms=number))
    assert [each.job.job_id for each in jobs.jobs_of("wh_1")] == ["job_1", "job_2", "job_3"]


@pytest.mark.parametrize("state", [JobState.DONE, JobState.CANCELLED, JobState.FAILED])
def test_those_that_are_over_are_not_open_and_one_that_goes_on_after_all_is(state: JobState) -> None:
    jobs = Jobs()
    other = replace(JOB, job_id="job_2", subscription_id="wh_2", created_at_ms=0)
    for each in (JOB, other, replace(JOB, state=state)):
        jobs.put(each)
    jobs.put(wish(Wanted.PAUSE))
    assert [each.job.job_id for each in jobs.open_jobs()] == ["job_2"]
    assert not jobs.open_jobs_of("wh_1")
    assert len(jobs.jobs_of("wh_1")) == 1
    jobs.put(replace(JOB, state=JobState.RUNNING))  # a record of a former owner that comes late
    assert [each.job.job_id for each in jobs.open_jobs()] == ["job_2", "job_1"]
    assert jobs.open_jobs_of("wh_1") == [Asked(replace(JOB, state=JobState.RUNNING), wish(Wanted.PAUSE))]
    jobs.remove("job_1")
    jobs.remove("job_2")
    assert not jobs.open_jobs()


def test_one_position_for_all_says_the_same_of_the_progress() -> None:
    positions = (
        JobPosition(topic="events.order", partition=0, start=10, position=20, end=30),
        JobPosition(topic="events.order", partition=1, start=0, position=0, end=20),
    )
    (one,) = summed(positions)
    assert Asked(replace(JOB, positions=(one,)), None).share_done == 0.25
    assert summed(()) == ()


def test_progress_is_the_part_of_the_log_that_was_read() -> None:
    positions = (
        JobPosition(topic="events.order", partition=0, start=10, position=20, end=30),
        JobPosition(topic="events.order", partition=1, start=0, position=0, end=20),
    )
    assert Asked(replace(JOB, positions=positions), None).share_done == 0.25
    assert Asked(JOB, None).share_done == 0.0
    assert Asked(replace(JOB, state=JobState.DONE), None).share_done == 1.0


def test_a_run_is_larger_than_the_one_before_even_if_the_clock_was_set_back() -> None:
    assert next_run(5_000) == 5_000
    assert next_run(5_000, last=9_000) == 9_001
