"""What may still be wanted of a job."""

from dataclasses import replace

import pytest

from fakes.jobs import JOB as WAITING_JOB
from hookline.core.jobs import Asked
from hookline.core.wishes import is_final, is_open, wish
from hookline.schemas.records import JobState, JobWish, Wanted

JOB = replace(WAITING_JOB, state=JobState.RUNNING)
FRESH = Asked(JOB, None)


def wished(wanted: Wanted, rate: int | None = 100) -> JobWish:
    return JobWish(job_id="job_1", account_id="acct_1", wanted=wanted, rate=rate, at_ms=2_000)


@pytest.mark.parametrize("wanted", [Wanted.PAUSE, Wanted.CANCEL])
def test_a_wish_names_the_job_and_the_rate_that_holds(wanted: Wanted) -> None:
    assert wish(FRESH, now_ms=2_000, wanted=wanted) == wished(wanted)
    slower = Asked(JOB, wished(Wanted.RUN, rate=7))
    assert wish(slower, now_ms=2_000, wanted=wanted) == wished(wanted, rate=7)


def test_another_rate_leaves_what_was_wanted() -> None:
    paused = Asked(JOB, wished(Wanted.PAUSE))
    assert wish(paused, now_ms=2_000, rate=7) == wished(Wanted.PAUSE, rate=7)


def test_what_is_so_already_is_no_wish() -> None:
    assert wish(FRESH, now_ms=2_000, wanted=Wanted.RUN) is None
    assert wish(FRESH, now_ms=2_000, rate=100) is None
    assert wish(Asked(JOB, wished(Wanted.PAUSE, rate=7)), now_ms=3_000, wanted=Wanted.PAUSE, rate=7) is None


@pytest.mark.parametrize("state", JobState)
def test_a_job_is_final_once_it_has_ended_or_is_to_end(state: JobState) -> None:
    is_over = state not in {JobState.WAITING, JobState.RUNNING}
    job = replace(JOB, state=state)
    for asked, final in ((Asked(job, None), is_over), (Asked(job, wished(Wanted.PAUSE)), is_over)):
        assert (is_final(asked), is_open(asked)) == (final, not final)
    assert is_final(Asked(job, wished(Wanted.CANCEL)))
