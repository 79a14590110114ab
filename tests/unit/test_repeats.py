from dataclasses import replace

from fakes.deliveries import DELIVERY
from hookline.core.repeats import Copy, Repeats


def test_a_copy_of_an_open_record_waits_for_it() -> None:
    repeats = Repeats(keys_max=10)
    assert repeats.arrive(DELIVERY, 1) is Copy.FIRST
    assert repeats.arrive(DELIVERY, 2) is Copy.OF_OPEN
    assert list(repeats.finish(DELIVERY)) == [2]


def test_a_copy_of_a_finished_record_is_done() -> None:
    repeats = Repeats(keys_max=10)
    repeats.arrive(DELIVERY, 1)
    repeats.finish(DELIVERY)
    assert repeats.arrive(DELIVERY, 3) is Copy.OF_DONE


def test_another_attempt_or_run_is_no_copy() -> None:
    repeats = Repeats(keys_max=10)
    repeats.arrive(DELIVERY, 1)
    repeats.finish(DELIVERY)
    assert repeats.arrive(replace(DELIVERY, attempt=2), 2) is Copy.FIRST
    assert repeats.arrive(replace(DELIVERY, run=1), 3) is Copy.FIRST


def test_a_postponed_record_comes_back_as_the_same_attempt() -> None:
    repeats = Repeats(keys_max=10)
    repeats.arrive(DELIVERY, 1)
    repeats.postpone(DELIVERY)
    assert repeats.arrive(DELIVERY, 2) is Copy.OF_DONE
    assert repeats.arrive(replace(DELIVERY, postponed=1), 3) is Copy.FIRST


def test_copies_forked_while_postponed_are_joined_once_the_attempt_was_made() -> None:
    repeats = Repeats(keys_max=10)
    repeats.arrive(replace(DELIVERY, postponed=1), 1)
    repeats.finish(replace(DELIVERY, postponed=1))
    assert repeats.arrive(replace(DELIVERY, postponed=2), 2) is Copy.OF_DONE


def test_what_was_committed_before_is_known_but_not_its_postponed_successor() -> None:
    repeats = Repeats(keys_max=10)
    repeats.remember(DELIVERY)
    assert repeats.arrive(DELIVERY, 1) is Copy.OF_DONE
    assert repeats.arrive(replace(DELIVERY, postponed=1), 2) is Copy.FIRST


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    repeats = Repeats(keys_max=2)
    for number in range(3):
        repeats.remember(replace(DELIVERY, attempt=number + 1))
    assert repeats.arrive(DELIVERY, 1) is Copy.FIRST
    assert repeats.arrive(replace(DELIVERY, attempt=3), 2) is Copy.OF_DONE


def test_a_later_step_of_an_open_attempt_is_in_turn_once_the_first_is_postponed() -> None:
    repeats = Repeats(keys_max=10)
    repeats.arrive(DELIVERY, 1)
    assert repeats.arrive(DELIVERY, 2) is Copy.OF_OPEN
    assert repeats.arrive(replace(DELIVERY, postponed=2), 3) is Copy.AFTER_OPEN
    assert repeats.arrive(replace(DELIVERY, postponed=1), 4) is Copy.AFTER_OPEN
    assert repeats.postpone(DELIVERY) == ([2], 4)
    assert repeats.postpone(replace(DELIVERY, postponed=1)) == ([], 3)
    assert list(repeats.finish(replace(DELIVERY, postponed=2))) == []


def test_an_earlier_step_closes_with_the_open_one() -> None:
    repeats = Repeats(keys_max=10)
    repeats.arrive(replace(DELIVERY, postponed=1), 1)
    assert repeats.arrive(DELIVERY, 2) is Copy.OF_OPEN
    copies, following = repeats.postpone(replace(DELIVERY, postponed=1))
    assert (list(copies), following) == ([2], None)


def test_a_resend_is_no_repeat_while_the_first_run_is_open() -> None:
    repeats = Repeats(keys_max=10)
    repeats.arrive(DELIVERY, 1)
    assert repeats.arrive(replace(DELIVERY, run=1), 2) is Copy.FIRST


def test_each_step_of_an_attempt_is_remembered_by_itself() -> None:
    repeats = Repeats(keys_max=10)
    repeats.remember(replace(DELIVERY, postponed=1))
    assert repeats.arrive(replace(DELIVERY, postponed=1), 1) is Copy.OF_DONE
    assert repeats.arrive(DELIVERY, 2) is Copy.FIRST
