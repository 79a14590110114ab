"""For how long nothing has moved, and what of that counts."""

from collections.abc import Hashable, Mapping, Sequence

import pytest

from hookline.core.standstill import Standstill

_LOOK = tuple[float, Mapping[str, Hashable]]


def longest(looks: Sequence[_LOOK]) -> tuple[str, float]:
    standstill = Standstill(gap_max_s=15)
    for now_s, signs in looks:
        standstill.look(signs, now_s=now_s)
    return standstill.longest()


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        ([], ("", 0)),
        ([(0, {"a": 1})], ("", 0)),
        ([(0, {"a": 1}), (5, {"a": 1}), (10, {"a": 1})], ("a", 10)),
        ([(0, {"a": 1}), (5, {"a": 2}), (10, {"a": 2})], ("a", 5)),
        ([(0, {"a": 1}), (5, {"a": 2})], ("", 0)),
        ([(0, {"a": 1}), (5, {}), (10, {"a": 1})], ("", 0)),
        ([(0, {"a": 1, "b": 1}), (5, {"a": 2, "b": 1}), (10, {"a": 2, "b": 1})], ("b", 10)),
    ],
)
def test_only_time_in_which_the_same_work_showed_the_same_sign_counts(
    looks: Sequence[_LOOK], found: tuple[str, float]
) -> None:
    assert longest(looks) == found


def test_a_process_that_was_not_there_itself_blames_nobody() -> None:
    assert longest([(0, {"a": 1}), (5, {"a": 1}), (100, {"a": 1}), (105, {"a": 1})]) == ("a", 10)


def test_what_is_forgotten_begins_anew() -> None:
    standstill = Standstill(gap_max_s=15)
    standstill.look({"a": 1}, now_s=0)
    standstill.look({"a": 1}, now_s=5)
    standstill.forget()
    standstill.look({"a": 1}, now_s=6)
    standstill.look({"a": 1}, now_s=8)
    assert standstill.longest() == ("a", 2)
