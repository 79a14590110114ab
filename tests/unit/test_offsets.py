from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.offsets import (
    METADATA_CHARACTERS_MAX,
    OFFSETS_MAX,
    Progress,
    bits_of,
    read_bitmap,
    written_bitmap,
)


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


@given(
    st.lists(st.sampled_from([1, 1, 1, 2, 700, OFFSETS_MAX, 5 * OFFSETS_MAX]), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_what_is_done_beyond_the_position_is_known_as_bits(steps: list[int], random: object) -> None:
    offsets, closed = list(accumulate(steps)), set[int]()
    progress = Progress(0)
    for offset in offsets:
        progress.open(offset)
    order = list(offsets)
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis hands over a random.Random
    for offset in order:
        progress.close(offset)
        closed.add(offset)
        ahead = {each for each in closed if progress.position < each <= progress.position + OFFSETS_MAX}
        assert read_bitmap(progress.position, written_bitmap(progress.beyond(progress.position))) == ahead


@pytest.mark.parametrize(
    ("position", "done", "metadata"),
    [
        (0, [], ""),
        (0, [1], "1AQ=="),
        (0, [2], "1Ag=="),
        (0, [8], "1gA=="),
        (0, [9], "1AAE="),
        (10, [11, 12, 13], "1Bw=="),
        (10, [3, 10, 11], "1AQ=="),  # what the position covers, and the position itself, have no bit
    ],
)
def test_a_bitmap_is_written_as_it_will_be_read_for_ever(position: int, done: Sequence[int], metadata: str) -> None:
    assert written_bitmap(bits_of(position, done)) == metadata
    assert read_bitmap(position, metadata) == {offset for offset in done if offset > position}


@given(st.integers(0, 2**40), st.sets(st.integers(1, OFFSETS_MAX)))
def test_a_bitmap_reads_as_it_was_written(position: int, ahead: set[int]) -> None:
    done = {position + each for each in ahead}
    metadata = written_bitmap(bits_of(position, done))
    assert read_bitmap(position, metadata) == done
    assert len(metadata) <= METADATA_CHARACTERS_MAX


@given(st.sets(st.integers(1, 3 * OFFSETS_MAX)))
def test_what_does_not_fit_into_the_bitmap_is_left_out(done: set[int]) -> None:
    metadata = written_bitmap(bits_of(0, done))
    assert read_bitmap(0, metadata) == {offset for offset in done if offset <= OFFSETS_MAX}
    assert len(metadata) <= METADATA_CHARACTERS_MAX


def test_the_last_bit_that_fits_is_written_and_the_next_is_not() -> None:
    metadata = written_bitmap(bits_of(0, [OFFSETS_MAX, OFFSETS_MAX + 1]))
    assert read_bitmap(0, metadata) == {OFFSETS_MAX}
    assert len(metadata) == METADATA_CHARACTERS_MAX - 2  # base64 comes in fours


@given(st.text(max_size=50))
def test_any_text_can_be_read_as_a_bitmap(metadata: str) -> None:
    assert all(offset > 7 for offset in read_bitmap(7, metadata))
