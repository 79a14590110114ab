"""Erased accounts in the history store: nothing of them stays, nothing comes back, and all others' rows are as they were."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import history_roles
from fakes.audit import audit_entry
from fakes.records import AT_MS, attempt, lives
from fakes.stores import dumped
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.history_erasing import Erasure
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, AuditEntry

GONE = "acct_0"
PARTITION = TopicPartition("webhooks.attempts", 0)
RECORDS = lives(1_600, seed=8, days=12, webhooks=4)  # more of each webhook than go at once
OTHERS = [each for each in RECORDS if each.account_id != GONE]
ENTRIES = [
    replace(audit_entry(number, account=f"acct_{number % 2}"), before='{"url":"https://old.example"}')
    for number in range(40)
]
Rows = dict[str, list[tuple[object, ...]]]


async def rows(settings: Settings) -> Rows:
    """All rows but those that say which accounts are erased."""
    found: Rows = {name: list(each) for name, each in (await dumped(settings)).items()}
    del found["erasures"]
    return found


async def rows_that_came_bit_by_bit(settings: Settings) -> Rows:
    """The same, without the kinds that deliveries had on their way."""
    assert {row[0] for row in (await rows(settings))["kinds"]} == {"wh_1", "wh_3"}
    found = await history_roles.rows(settings)
    del found["erasures"]
    return found


@pytest.fixture
async def wanted(tmp_path: Path) -> Rows:
    """The rows of a store that never had anything of the account, but who of it changed what."""
    emptied = [replace(each, before=None, after=None) if each.account_id == GONE else each for each in ENTRIES]
    settings = Settings(data_dir=tmp_path / "others")
    async with open_history(settings) as store:
        await take_in(store, OTHERS, emptied)
    return await rows(settings)


def without_days(found: Rows) -> Rows:
    return {**found, "kinds": sorted((row[:-1] for row in found["kinds"]), key=repr)}


async def take_in(store: HistoryStore, attempts: Sequence[Attempt], entries: Sequence[AuditEntry] = ()) -> None:
    await store.ingest([*attempts, *entries], {PARTITION: 1})


async def erase_all(store: HistoryStore, account: str = GONE) -> int:
    """Remove all there is of a marked account; in how many parts."""
    parts = 0
    while await store.erase_some(account):
        parts += 1
    return parts


async def test_nothing_of_it_stays_and_all_others_are_untouched_row_for_row(
    store: HistoryStore, store_settings: Settings, wanted: Rows
) -> None:
    await take_in(store, RECORDS, ENTRIES)
    assert await rows(store_settings) != wanted
    await store.mark_erased({GONE: AT_MS})
    assert await erase_all(store) > 5
    assert await rows(store_settings) == wanted
    assert await erase_all(store) == 0


async def test_what_comes_after_the_mark_is_not_taken_in_but_read(
    store: HistoryStore, store_settings: Settings, wanted: Rows
) -> None:
    await take_in(store, RECORDS[:600], ENTRIES[:7])
    await store.mark_erased({GONE: AT_MS})
    await take_in(store, RECORDS[600:], ENTRIES[7:])
    assert await store.offsets(PARTITION.topic) == {0: 1}
    await erase_all(store)
    assert await rows_that_came_bit_by_bit(store_settings) == without_days(wanted)


async def test_who_changed_what_stays_and_what_it_was_does_not(store: HistoryStore) -> None:
    await take_in(store, (), ENTRIES)
    await store.mark_erased({GONE: AT_MS})
    await erase_all(store)
    found = await store.audit(account_id=GONE, subject=None, before=None, limit=100)
    assert [(each.audit_id, each.actor, each.operation, each.subject) for each in found] == [
        (each.audit_id, each.actor, each.operation, each.subject) for each in ENTRIES[::-1] if each.account_id == GONE
    ]
    assert {(each.before, each.after) for each in found} == {(None, None)}
    others = await store.audit(account_id="acct_1", subject=None, before=None, limit=100)
    assert list(others) == [each for each in ENTRIES[::-1] if each.account_id != GONE]


async def test_an_emptied_store_that_is_filled_again_gets_nothing_of_it(
    store: HistoryStore, store_settings: Settings, wanted: Rows
) -> None:
    await take_in(store, RECORDS, ENTRIES)
    await store.mark_erased({GONE: AT_MS})
    await erase_all(store)
    await store.empty()
    async with open_history(store_settings) as rebuilding:
        await take_in(rebuilding, RECORDS, ENTRIES)
    assert await rows(store_settings) == wanted


@pytest.mark.parametrize("parts", [0, 1, 3, 6, 9])
async def test_a_removal_that_was_cut_off_goes_on_in_another_process(
    store_settings: Settings, wanted: Rows, parts: int
) -> None:
    async with open_history(store_settings) as store:
        await take_in(store, RECORDS, ENTRIES)
        await store.mark_erased({GONE: AT_MS})
        for _ in range(parts):
            assert await store.erase_some(GONE) > 0
        begun = await store.erasure(GONE)
        assert begun is not None
        assert (begun.is_done, begun.subscriptions_left in {0, 1, 2}) == (False, True)
    async with open_history(store_settings) as store:
        await store.mark_erased({GONE: AT_MS})
        await erase_all(store)
        assert await store.erasure(GONE) == Erasure(is_done=True, subscriptions_left=0)
    assert await rows(store_settings) == wanted


async def test_processes_that_remove_at_once_do_no_harm(store_settings: Settings, wanted: Rows) -> None:
    async with open_history(store_settings) as one, open_history(store_settings) as other:
        await take_in(one, RECORDS, ENTRIES)
        await asyncio.gather(*(each.mark_erased({GONE: AT_MS}) for each in (one, other, one)))
        await asyncio.gather(*(erase_all(each) for each in (one, other, one)))
    assert await rows(store_settings) == wanted


async def test_a_record_that_comes_in_as_its_account_is_marked_does_not_survive(
    store_settings: Settings, wanted: Rows
) -> None:
    async with open_history(store_settings) as reading, open_history(store_settings) as erasing:
        await take_in(reading, RECORDS[:50])  # its process knows of no mark, and has all that it remembers
        batches = [RECORDS[start : start + 40] for start in range(50, len(RECORDS), 40)]
        is_erased = asyncio.Event()

        async def read() -> None:
            """Everything, again and again; the last time after all was removed."""
            while True:
                is_last = is_erased.is_set()
                for each in batches:
                    await take_in(reading, each)
                    await asyncio.sleep(0.01)  # else nobody else ever gets SQLite's lock
                if is_last:
                    return

        task = asyncio.create_task(read())
        while not len(await erasing.logs(account_id=GONE, subscription_id="wh_0", limit=200)) > 60:
            await asyncio.sleep(0)
        await erasing.mark_erased({GONE: AT_MS})
        await erase_all(erasing)
        done = await erasing.erasure(GONE)
        is_erased.set()
        await task
        await take_in(reading, (), ENTRIES)
        assert done == Erasure(is_done=True, subscriptions_left=0)
    assert await rows_that_came_bit_by_bit(store_settings) == without_days(wanted)


async def test_an_account_is_marked_once_and_another_later(store: HistoryStore) -> None:
    await take_in(store, [attempt(account="acct_2", webhook="wh_2"), attempt(account="acct_3", webhook="wh_3")])
    assert await store.erasure("acct_2") is None
    await store.mark_erased({"acct_2": AT_MS})
    await erase_all(store, "acct_2")
    await store.mark_erased({"acct_2": AT_MS + 5, "acct_3": AT_MS + 4})
    assert await store.erasure("acct_2") == Erasure(is_done=True, subscriptions_left=0)
    assert await store.erasure("acct_3") == Erasure(is_done=False, subscriptions_left=1)
    await take_in(store, [attempt(account="acct_3", webhook="wh_3", event="evt_2")])
    assert len(await store.logs(account_id="acct_3", subscription_id="wh_3", limit=9)) == 1
    await erase_all(store, "acct_3")
    assert await store.logs(account_id="acct_3", subscription_id="wh_3", limit=9) == []
