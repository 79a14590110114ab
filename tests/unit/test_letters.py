"""Dead letters go back from the newest, over all partitions, page by page: none twice, none missing."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.letters import Letter, holds_delivery, is_source_record, newest_first, page_of, revived
from hookline.schemas.records import DeadLetter, DeathReason, Delivery, Place

NOW_MS = 1_687_270_530_000
TIMES = st.dictionaries(st.integers(0, 3), st.lists(st.integers(0, 50), max_size=30).map(sorted), max_size=4)


def topic(times: Mapping[int, Sequence[int]]) -> dict[int, list[Letter]]:
    return {
        partition: [
            Letter(place=Place(partition=partition, offset=offset), at_ms=at_ms, record=None)
            for offset, at_ms in enumerate(row)
        ]
        for partition, row in times.items()
    }


@given(times=TIMES, limit=st.integers(1, 7), chunk=st.integers(1, 5), looked_at_max=st.integers(1, 9))
def test_pages_show_each_letter_that_is_wanted_once_and_the_newest_first(
    times: dict[int, list[int]], limit: int, chunk: int, looked_at_max: int
) -> None:
    letters = topic(times)
    ends, seen = {partition: len(row) for partition, row in letters.items()}, list[Letter]()
    starts = dict.fromkeys(ends, 0)
    while ends:
        found = page_of(
            newest_first(ends, starts, lambda partition, start, end: letters[partition][start:end], chunk=chunk),
            ends,
            starts,
            is_wanted=lambda letter: letter.at_ms % 2 == 0,
            limit=limit,
            looked_at_max=looked_at_max,
        )
        assert len(found.letters) <= limit
        seen += found.letters
        ends = dict(found.left)
    wanted = [each for row in letters.values() for each in row if each.at_ms % 2 == 0]
    assert sorted(each.at_ms for each in seen) == sorted(each.at_ms for each in wanted)
    assert {each.place for each in seen} == {each.place for each in wanted}
    assert [each.at_ms for each in seen] == sorted((each.at_ms for each in seen), reverse=True)


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
