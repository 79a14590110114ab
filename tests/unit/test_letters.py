"""Dead letters go back from the newest, over all partitions, page by page: none twice, none missing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.configuration import subscription
from hookline.core.letters import (
    Bounds,
    Letter,
    Page,
    holds_delivery,
    is_source_record,
    kept_bytes,
    left_after,
    needs_reviving,
    newest_first,
    outlined,
    page_of,
    revived,
    without_older,
)
from hookline.core.progress import State
from hookline.core.resending import Known
from hookline.schemas.records import DeadLetter, DeathReason, Delivery, Place

NOW_MS = 1_687_270_530_000
HELD_BYTES = 20  # that a stretch holds here
# Of each partition: the times of its letters, and how many bytes each bears.
ROWS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 12)), max_size=30).map(sorted)
TOPICS = st.dictionaries(st.integers(0, 3), ROWS, max_size=4)


class Topic:
    """Letters of a topic, which counts how it is read. A stretch holds only so many bytes."""

    def __init__(self, rows: Mapping[int, Sequence[tuple[int, int]]]) -> None:
        self.letters = {
            partition: [placed(partition, offset, *each) for offset, each in enumerate(row)]
            for partition, row in rows.items()
        }
        self.ends = {partition: len(row) for partition, row in rows.items()}
        self.starts = dict.fromkeys(rows, 0)
        self.reads: list[int] = []

    def read(self, partition: int, start: int, end: int) -> Sequence[Letter]:
        self.reads.append(end - start)
        found = self.letters[partition][start:end]
        while len(found) > 1 and sum(map(kept_bytes, found)) > HELD_BYTES:
            found = found[1:]
        return found

    def page(self, ends: Mapping[int, int], bounds: Bounds, *, chunk: int = 10) -> Page:
        letters = newest_first(ends, self.starts, self.read, chunk=chunk)
        return page_of(letters, ends, self.starts, is_wanted=is_even, bounds=bounds)

    def wanted(self) -> list[Letter]:
        return [each for row in self.letters.values() for each in row if is_even(each)]


def placed(partition: int, offset: int, at_ms: int, payload_bytes: int) -> Letter:
    record = letter(DeathReason.UNREADABLE, b"x" * payload_bytes)
    return Letter(place=Place(partition=partition, offset=offset), at_ms=at_ms, record=record)


def is_even(letter: Letter) -> bool:
    return letter.at_ms % 2 == 0


BOUNDS = st.builds(
    Bounds, letters=st.integers(1, 7), looked_at=st.integers(1, 9), held_bytes=st.integers(1, 2 * HELD_BYTES)
)
WIDE = Bounds(letters=1_000, looked_at=10_000, held_bytes=1_000_000)


@given(rows=TOPICS, bounds=BOUNDS, chunk=st.integers(1, 5))
def test_pages_show_each_letter_that_is_wanted_once_and_the_newest_first(
    rows: dict[int, list[tuple[int, int]]], bounds: Bounds, chunk: int
) -> None:
    topic, seen = Topic(rows), list[Letter]()
    ends: Mapping[int, int] = topic.ends
    while ends:
        found = topic.page(ends, bounds, chunk=chunk)
        assert len(found.letters) <= bounds.letters
        assert sum(map(kept_bytes, found.letters[:-1])) < bounds.held_bytes
        seen += found.letters
        ends = dict(found.left)
    wanted = topic.wanted()
    assert len(seen) == len(wanted)
    assert {each.place for each in seen} == {each.place for each in wanted}
    assert [each.at_ms for each in seen] == sorted((each.at_ms for each in seen), reverse=True)


@given(rows=TOPICS, bounds=BOUNDS, done=st.integers(0, 6))
def test_what_a_page_did_not_come_to_is_where_the_next_one_begins(
    rows: dict[int, list[tuple[int, int]]], bounds: Bounds, done: int
) -> None:
    topic = Topic(rows)
    page = topic.page(topic.ends, bounds)
    passed = page.letters[:done]
    rest = topic.page(left_after(page, done), WIDE).letters
    places = {each.place for each in topic.wanted()}
    assert [each.place for each in rest][: len(page.letters) - len(passed)] == [
        each.place for each in page.letters[done:]
    ]
    assert {each.place for each in rest} == places - {each.place for each in passed}
    assert len(rest) == len(places) - len(passed)


def test_who_wants_one_letter_has_few_read() -> None:
    topic = Topic({partition: [(2 * number, 0) for number in range(500)] for partition in range(8)})
    assert len(topic.page(topic.ends, Bounds(letters=1, looked_at=10_000, held_bytes=1)).letters) == 1
    assert sum(topic.reads) == 8 * 10


def test_who_wants_many_letters_has_them_read_in_long_stretches() -> None:
    topic = Topic({0: [(2 * number, 0) for number in range(5_000)]})
    topic.page(topic.ends, Bounds(letters=5_000, looked_at=10_000, held_bytes=1))
    assert (len(topic.reads), max(topic.reads)) == (29, 200)


def test_stretches_get_shorter_where_letters_are_large() -> None:
    topic = Topic({0: [(2 * number, HELD_BYTES // 5) for number in range(100)]})
    assert len(topic.page(topic.ends, WIDE).letters) == 100
    assert topic.reads[:4] == [10, 5, 10, 5]
    assert sum(topic.reads) < 200


def test_an_outlined_letter_has_all_but_its_bytes() -> None:
    whole = placed(0, 0, 1, 3)
    assert kept_bytes(whole) == 3
    assert outlined(whole) == Letter(place=whole.place, at_ms=1, record=letter(DeathReason.UNREADABLE, None))
    unknown = Letter(place=whole.place, at_ms=1, record=None)
    assert (outlined(unknown), kept_bytes(unknown)) == (unknown, 0)


def letter(reason: DeathReason, payload: bytes | None = b"{}", **more: Any) -> DeadLetter:
    return DeadLetter(
        reason=reason, detail="d", at_ms=1, topic="t", partition=0, offset=0, payload_bytes=2, payload=payload, **more
    )


IDS: dict[str, Any] = {
    "delivery_id": "delivery_1",
    "account_id": "acct_1",
    "subscription_id": "wh_1",
    "event_id": "evt_1",
    "event_type": "user.created",
    "attempts": 7,
}


def test_a_delivery_that_died_begins_anew_as_a_run_of_its_own_with_the_same_id() -> None:
    dead = Delivery(
        delivery_id="delivery_1",
        account_id="acct_1",
        subscription_id="wh_1",
        event_id="evt_1",
        event_type="user.created",
        body=b'{"n": 1}',
        config_offset=3,
        created_at_ms=1,
        source_at_ms=1,
        run=NOW_MS,
        attempt=7,
        postponed=2,
        origin=Place(partition=1, offset=2),
        job_id="job_1",
    )
    found = revived(dead, config_offset=9, now_ms=NOW_MS)
    assert (found.delivery_id, found.run, found.attempt, found.postponed) == ("delivery_1", NOW_MS + 1, 1, 0)
    assert (found.body, found.config_offset, found.origin, found.job_id) == (b'{"n": 1}', 9, None, None)


@pytest.mark.parametrize(
    ("dead", "holds"),
    [
        (letter(DeathReason.EXHAUSTED, **IDS), True),
        (letter(DeathReason.EXPIRED, **IDS), True),
        (letter(DeathReason.EXHAUSTED, None, **IDS), False),
        (letter(DeathReason.UNREADABLE), False),
        (letter(DeathReason.TOO_LARGE, None, **IDS), False),
    ],
)
def test_only_what_was_given_up_holds_a_delivery(dead: DeadLetter, holds: bool) -> None:
    assert holds_delivery(dead) is holds


def test_only_bytes_that_were_kept_can_be_read_again() -> None:
    assert is_source_record(letter(DeathReason.UNREADABLE))
    assert not is_source_record(letter(DeathReason.UNREADABLE, None))
    assert not is_source_record(letter(DeathReason.EXHAUSTED, **IDS))


def test_of_letters_those_that_can_be_sent_stay_and_of_one_delivery_the_newest() -> None:
    records = [
        letter(DeathReason.EXHAUSTED, None, **IDS),
        letter(DeathReason.EXPIRED, **IDS),
        letter(DeathReason.UNREADABLE),
        letter(DeathReason.EXHAUSTED, **IDS),
        letter(DeathReason.UNREADABLE),
        letter(DeathReason.TOO_LARGE, None, **IDS),
        letter(DeathReason.EXHAUSTED, **{**IDS, "delivery_id": "delivery_2"}),
        None,
    ]
    letters = [Letter(place=Place(partition=0, offset=9 - n), at_ms=1, record=each) for n, each in enumerate(records)]
    assert [each.place.offset for each in without_older(letters)] == [8, 7, 5, 3]


DIED_MS = 1_000
RUN = 500


@pytest.mark.parametrize(
    ("known", "is_needed"),
    [
        (None, True),
        (Known(State.SUCCEEDED, True, DIED_MS + 1, None, 0), False),
        (Known(State.EXHAUSTED, True, DIED_MS, None, 0), False),
        (Known(State.EXHAUSTED, False, DIED_MS, None, 0), True),
        (Known(State.EXPIRED, False, DIED_MS + 1, None, 0), True),
        (Known(State.RETRYING, False, DIED_MS, None, 0), True),  # history is behind: the run that ended
        (Known(State.RETRYING, False, DIED_MS + 1, None, 0), False),
        (Known(State.POSTPONED, False, DIED_MS + 1, "job_1", 0), False),
        (Known(State.POSTPONED, False, DIED_MS + 1, "job_cancelled", 0), True),
        (Known(State.RETRYING, False, DIED_MS, None, RUN), True),  # history is behind: the run that ended
        (Known(State.RETRYING, False, DIED_MS, None, RUN + 1), False),  # a newer run, whatever the clocks say
        (Known(State.POSTPONED, False, DIED_MS + 1, "job_cancelled", RUN + 1), True),
        (Known(State.EXHAUSTED, False, DIED_MS + 1, None, RUN), True),
        (Known(State.EXHAUSTED, False, DIED_MS + 1, None, RUN + 1), False),  # the newer run has a letter of its own
        (Known(State.EXPIRED, False, DIED_MS, None, RUN + 1), False),
        (Known(State.CANCELLED, False, DIED_MS + 1, "job_1", RUN + 1), True),  # and this one has none
    ],
)
def test_what_was_given_up_is_sent_again_unless_it_was_delivered_or_is_under_way(
    known: Known | None, is_needed: bool
) -> None:
    of = replace(subscription("https://example.com/hook"), created_at_ms=DIED_MS - 1_000)
    found = needs_reviving(known, of, run=RUN, at_ms=DIED_MS, is_cancelled=lambda job_id: job_id == "job_cancelled")
    assert found is is_needed
