import pytest

from hookline.core.restarts import GiveUp, Restart, after_exit, described


@pytest.mark.parametrize(("restarts", "pause_s"), [(0, 0.2), (1, 0.4), (4, 3.2), (7, 25.6), (8, 30.0), (10_000, 30.0)])
def test_the_pause_grows_with_every_end_in_a_row(restarts: int, pause_s: float) -> None:
    verdict = after_exit(70, ran_s=1, restarts=restarts)
    assert verdict == Restart(pause_s, restarts + 1)


def test_a_program_that_ran_for_long_starts_its_row_anew() -> None:
    assert after_exit(-9, ran_s=60, restarts=9) == Restart(0.2, 1)


def test_a_wrong_setting_is_not_tried_again() -> None:
    assert after_exit(2, ran_s=1, restarts=0) == GiveUp()


def test_a_program_that_ended_well_but_unasked_is_started_again() -> None:
    assert after_exit(0, ran_s=1, restarts=0) == Restart(0.2, 1)


@pytest.mark.parametrize(("status", "words"), [(-9, "was ended by signal 9"), (70, "ended with status 70")])
def test_an_end_is_told_in_words(status: int, words: str) -> None:
    assert described(status) == words
