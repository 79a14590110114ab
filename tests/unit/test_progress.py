"""How far a delivery has come, from its records in any order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.records import AT_MS, attempt, lives
from hookline.core.progress import STEPS_MAX, Progress, State, Step, joined, progress
from hookline.runtime.history_rows import delivery_row, progress_of, steps_of
from hookline.runtime.history_tables import DELIVERIES
from hookline.schemas.records import Attempt, Outcome, Place

ALIVE = lives(40, seed=3)


def all_of(*attempts: Attempt) -> Progress:
    whole = progress(attempts[0])
    for each in attempts[1:]:
        whole = joined(whole, progress(each))
    return whole


@pytest.mark.parametrize(
    ("outcome", "next_ms", "state"),
    [
        (Outcome.SUCCEEDED, None, State.SUCCEEDED),
        (Outcome.FAILED, AT_MS + 1, State.RETRYING),
        (Outcome.FAILED, None, State.EXHAUSTED),
        (Outcome.POSTPONED, AT_MS + 1, State.POSTPONED),
        (Outcome.CANCELLED, None, State.CANCELLED),
        (Outcome.EXPIRED, None, State.EXPIRED),
    ],
)
def test_a_record_alone_says_the_state(outcome: Outcome, next_ms: int | None, state: State) -> None:
    assert progress(attempt(1, outcome, next_ms=next_ms)).state is state


@given(st.lists(st.sampled_from(ALIVE), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(attempts: list[Attempt], random: object) -> None:
    shuffled = attempts + attempts[::2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's own
    assert all_of(*shuffled) == all_of(*attempts)


@given(
    st.lists(st.sampled_from(ALIVE), min_size=1, max_size=6), st.lists(st.sampled_from(ALIVE), min_size=1, max_size=6)
)
def test_what_is_joined_in_parts_is_the_same(some: list[Attempt], others: list[Attempt]) -> None:
    assert joined(all_of(*some), all_of(*others)) == all_of(*some, *others)


@given(st.lists(st.sampled_from(ALIVE), min_size=1, max_size=9))
def test_a_row_holds_all_of_it(attempts: list[Attempt]) -> None:
    whole = all_of(*attempts)
    row = dict(zip((each.name for each in DELIVERIES.columns), delivery_row(attempts[0], whole), strict=True))
    assert progress_of(type("Row", (), row)) == whole


def test_every_record_is_a_step_also_of_the_same_moment() -> None:
    records = [
        attempt(1, Outcome.POSTPONED),
        attempt(1, Outcome.FAILED),
        attempt(1, Outcome.FAILED, run=7),
        attempt(2, Outcome.FAILED, at_ms=AT_MS + 1),
    ]
    assert all_of(*records).steps == (
        Step(AT_MS, 0, 1, False),
        Step(AT_MS, 0, 1, True),
        Step(AT_MS, 7, 1, True),
        Step(AT_MS + 1, 0, 2, True),
    )


def test_the_newest_steps_are_kept() -> None:
    records = [attempt(1, Outcome.FAILED, at_ms=AT_MS + number) for number in range(STEPS_MAX + 5)]
    assert [each.at_ms for each in all_of(*records).steps] == [each.started_at_ms for each in records[5:]]


def test_the_origin_and_the_job_are_those_of_the_newest_run() -> None:
    first = replace(attempt(1, Outcome.FAILED), origin=Place(partition=3, offset=500))
    again = replace(
        first, run=8, started_at_ms=AT_MS + 9, job_id="job_1", origin=Place(partition=1, offset=5, in_replays=True)
    )
    late = replace(first, attempt=2, started_at_ms=AT_MS + 20)  # of the first run, which had not ended
    assert all_of(late, again, first).origin == (8, True, 1, 5, "job_1")
    assert all_of(first, late).origin == (0, False, 3, 500, "")
    assert all_of(late, again, first).first_at_ms == AT_MS


def test_what_one_run_delivered_stays_delivered_but_shows_the_newest_run() -> None:
    delivered = attempt(1)
    cancelled = attempt(1, Outcome.CANCELLED, at_ms=AT_MS + 9, run=7)
    whole = all_of(cancelled, delivered)
    assert (whole.state, whole.is_delivered) == (State.CANCELLED, True)
    assert all_of(delivered, cancelled) == whole
    assert not progress(cancelled).is_delivered


def test_of_two_copies_of_a_runs_first_record_the_one_that_is_kept_for_longer_is_the_origin() -> None:
    one = replace(attempt(1, Outcome.FAILED), origin=Place(partition=3, offset=5))
    repeat = replace(attempt(2, at_ms=AT_MS + 9), origin=Place(partition=3, offset=70))
    assert all_of(one, repeat).origin == all_of(repeat, one).origin == (0, False, 3, 70, "")


def test_steps_are_read_as_they_were_written() -> None:
    assert steps_of("17.0.1-,18.42.2") == (Step(17, 0, 1, False), Step(18, 42, 2, True))
