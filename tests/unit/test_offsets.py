from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.offsets import Progress


def test_nothing_done_commits_nothing() -> None:
    progress = Progress(5)
    progress.open(5)
    assert progress.position == 5


@pytest.mark.parametrize(("closed", "position"), [([1], 0), ([0], 1), ([1, 0], 2), ([0, 2], 1), ([2, 1, 0], 3)])
def test_the_position_is_the_first_open_offset(closed: Sequence[int], position: int) -> None:
    progress = Progress(0)
    for offset in range(3):
        progress.open(offset)
    for offset in closed:
        progress.close(offset)
    assert progress.position == position


def test_offsets_that_never_came_are_no_hindrance() -> None:
    progress = Progress(0)
    for offset in (3, 7):
        progress.open(offset)
    progress.close(3)
    progress.close(7)
    assert progress.position == 8
    assert progress.is_idle()


@given(st.lists(st.integers(0, 30), unique=True).map(sorted), st.randoms(use_true_random=False))
def test_the_position_never_passes_an_open_offset(offsets: list[int], random: object) -> None:
    progress, still_open = Progress(0), set(offsets)
    for offset in offsets:
        progress.open(offset)
    order = list(offsets)
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis hands over a random.Random
    for offset in order:
        progress.close(offset)
        still_open.discard(offset)
        assert all(progress.position <= each for each in still_open)
    assert progress.position == (offsets[-1] + 1 if offsets else 0)
    assert progress.span() == 0
