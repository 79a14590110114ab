"""What is not tried any more, and what is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fakes.configuration import subscription
from fakes.deliveries import DELIVERY
from fakes.jobs import job, wish
from hookline.core.cancelling import CalledOff, called_off, ended_at_ms, surely_called_off
from hookline.core.jobs import Asked
from hookline.schemas.records import JobState, Wanted

TO = replace(subscription("https://example.com/"), cancelled_before_ms=1_000)


CANCELLED_AT = 7


@pytest.mark.parametrize(
    ("created_at_ms", "attempt", "postponed", "why"),
    [
        (999, 1, 0, None),  # its first attempt: it is no retry
        (999, 2, 0, CalledOff.RETRIES),
        (999, 1, 1, CalledOff.RETRIES),
        (1_000, 2, 0, None),
        (1_000, 1, 1, None),
    ],
)
def test_retries_made_before_they_were_cancelled(
    created_at_ms: int, attempt: int, postponed: int, why: CalledOff | None
) -> None:
    made = replace(DELIVERY, created_at_ms=created_at_ms, attempt=attempt, postponed=postponed)
    assert called_off(made, TO, None, at(CANCELLED_AT)) is why


@pytest.mark.parametrize(("config_offset", "why"), [(7, CalledOff.RETRIES), (8, None)])
def test_what_was_made_by_one_who_knew_of_it_is_retried_whatever_its_clock_says(
    config_offset: int, why: CalledOff | None
) -> None:
    made = replace(DELIVERY, created_at_ms=1, attempt=2, config_offset=config_offset)
    assert called_off(made, TO, None, at(CANCELLED_AT)) is why


def test_the_retries_of_a_webhook_whose_never_were_cancelled_are_made() -> None:
    to = replace(TO, cancelled_before_ms=0)
    assert called_off(replace(DELIVERY, attempt=2), to, None, at(-1)) is None


@pytest.mark.parametrize(
    ("run_began_ms", "cancelled_before_ms", "is_called_off"),
    [(99_999, 160_000, True), (100_000, 160_000, False), (160_001, 160_000, False), (0, 0, False)],
)
def test_a_run_that_may_have_begun_after_the_cancelling_by_another_clock_is_not_surely_called_off(
    run_began_ms: int, cancelled_before_ms: int, is_called_off: bool
) -> None:
    to = replace(TO, cancelled_before_ms=cancelled_before_ms)
    assert surely_called_off(to, run_began_ms=run_began_ms) is is_called_off


def at(offset: int) -> Callable[[str], int]:
    """Where the retries of the tests' webhook were cancelled."""
    return {TO.subscription_id: offset}.__getitem__


@pytest.mark.parametrize(
    ("state", "wanted", "why"),
    [
        (JobState.RUNNING, None, None),
        (JobState.RUNNING, Wanted.PAUSE, None),  # what is on its way still goes
        (JobState.RUNNING, Wanted.CANCEL, CalledOff.JOB),
        (JobState.CANCELLED, None, CalledOff.JOB),
        (JobState.DONE, None, None),
        (
            JobState.DONE,
            Wanted.CANCEL,
            CalledOff.JOB,
        ),  # what it sent waits to be tried again, and was told to be cancelled
        (JobState.FAILED, None, None),
    ],
)
def test_deliveries_of_a_job(state: JobState, wanted: Wanted | None, why: CalledOff | None) -> None:
    asked = job(TO, state=state)
    made = replace(DELIVERY, created_at_ms=2_000, job_id=asked.job_id)
    said = Asked(asked, None if wanted is None else wish(asked, wanted))
    assert called_off(made, TO, said, at(CANCELLED_AT)) is why


def test_a_job_that_nobody_knows_holds_nothing_back() -> None:
    made = replace(DELIVERY, created_at_ms=2_000, job_id="job_gone")
    assert called_off(made, TO, None, at(CANCELLED_AT)) is None


@pytest.mark.parametrize(
    ("why", "at_ms"), [(CalledOff.RETRIES, 1_000), (CalledOff.JOB, 7), (CalledOff.SUBSCRIPTION, 7)]
)
def test_cancelled_retries_have_all_one_end_whoever_meets_them(why: CalledOff, at_ms: int) -> None:
    assert ended_at_ms(why, TO, now_ms=7) == at_ms


def test_what_a_customer_did_has_a_word_and_a_sentence() -> None:
    assert {each.word for each in CalledOff} == {None, "job_cancelled", "retries_cancelled"}
    assert all((each.word is None) == (each.sentence is None) for each in CalledOff)
