"""An account is erased by the command, on a real Kafka: out of the configuration, out of the history, and for ever."""

import asyncio
import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.audit import audit_entry
from fakes.commands import command
from fakes.configuration import short_settings
from fakes.fanout import CODEC
from fakes.history_roles import history, log_of, rebuild, record, rows, stop, until_read
from fakes.kafka import make_topics, read, remove_topic
from fakes.records import lives
from fakes.replicas import new_account, replica
from hookline.cli.accounts import write_account
from hookline.cli.up_account import Identity, announce
from hookline.runtime.clock import SystemClock
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.keys import new_api_key
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError
from hookline.schemas.records import Account

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
NOW_MS, DAY_MS = SystemClock().now_ms(), 86_400_000
GONE, STAYS = "acct_0", "acct_1"
RECORDS = lives(1_200, seed=9, at_ms=NOW_MS - 6 * DAY_MS, days=4, webhooks=6)
ENTRIES = [audit_entry(number, account=f"acct_{number % 2}", at_ms=NOW_MS - number * 1_000) for number in range(20)]


@pytest.fixture
def settings(bootstrap: str, prefix: str, store_settings: Settings) -> Settings:
    """Of an empty store, and of topics of its own."""
    made = short_settings(
        bootstrap,
        prefix,
        api_port=0,
        data_dir=store_settings.data_dir,
        history_url=store_settings.history_url,
        admin_key=new_api_key("", 0)[0],
    )
    make_topics(bootstrap, made.topics())
    return made


@pytest.fixture
def embedded(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    """Of topics of its own, and of an embedded store that nobody has made yet."""
    made = short_settings(bootstrap, prefix, api_port=0, data_dir=tmp_path / "new", admin_key=new_api_key("", 0)[0])
    make_topics(bootstrap, made.topics())
    return made


async def erase(settings: Settings, account: str = GONE) -> subprocess.CompletedProcess[str]:
    return await command(settings, "accounts", "erase", account, "--yes")


async def assert_only_others_are_left(settings: Settings) -> None:
    found = await rows(settings)
    assert {each[4] for each in found["attempts"]} == {STAYS}
    assert {each[3] for each in found["deliveries"]} == {STAYS}
    assert {each[0] for each in found["subscriptions"]} == {STAYS}
    assert {each[0] for each in found["request_counts"]} == {STAYS}
    assert len(found["delivery_times"]) == len(found["deliveries"])
    assert {each[7:] for each in found["audit"] if each[0] == GONE} == {(None, None)}
    assert [(each[0], each[3]) for each in found["erasures"]] == [(GONE, True)]


async def test_a_filled_store_loses_the_account_and_a_rebuild_brings_nothing_back(settings: Settings) -> None:
    for account in (GONE, STAYS):
        await new_account(settings, account)
    record(settings, RECORDS[:800], ENTRIES)
    async with open_history(settings) as store, history(settings) as process:
        await until_read(store, settings, attempts=800, entries=len(ENTRIES))
        before = await rows(settings)
        ran = await erase(settings)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines()[-1] == "The history store holds nothing of it."
        await assert_only_others_are_left(settings)
        after = await rows(settings)
        for table, whose in (("attempts", 4), ("deliveries", 3), ("subscriptions", 0), ("request_counts", 0)):
            assert after[table] == [each for each in before[table] if each[whose] != GONE]
        record(settings, RECORDS[800:])
        await until_read(store, settings, attempts=len(RECORDS), entries=len(ENTRIES) + 1)
        await assert_only_others_are_left(settings)
        await stop(process)
    live = await rows(settings)
    assert len(live["attempts"]) == sum(each.account_id != GONE for each in RECORDS)
    await rebuild(settings)
    assert await rows(settings) == live


async def test_a_store_that_is_made_anew_from_kafka_never_gets_anything_of_it(embedded: Settings) -> None:
    await new_account(embedded, GONE)
    await erase(embedded)
    record(embedded, RECORDS, ENTRIES)
    async with history(embedded) as process:
        async with asyncio.timeout(60):
            while not (embedded.data_dir / "history.sqlite").exists():
                await asyncio.sleep(0.05)
        async with open_history(embedded) as store:
            await until_read(store, embedded, attempts=len(RECORDS), entries=len(ENTRIES) + 1)
            await stop(process)
    await assert_only_others_are_left(embedded)


async def test_a_history_that_is_killed_in_the_middle_of_it_goes_on_when_it_starts(settings: Settings) -> None:
    await new_account(settings, GONE)
    record(settings, RECORDS, ENTRIES)
    async with open_history(settings) as store:
        async with history(settings) as process:
            await until_read(store, settings, attempts=len(RECORDS), entries=len(ENTRIES))
            erasing = asyncio.create_task(erase(settings))
            await until_begun(store)
            process.kill()
        begun = await store.erasure(GONE)
        assert begun is not None
        assert not begun.is_done
        told = await erasing
        assert (told.returncode, "no history role runs" in told.stderr) == (3, True), told.stderr
        async with history(settings) as process:
            await until_done(store)
            again = await erase(settings)
            assert (again.returncode, again.stderr) == (0, "")
            await stop(process)
    await assert_only_others_are_left(settings)


async def until_begun(store: HistoryStore) -> None:
    """Wait until some of it is gone, and not all."""
    async with asyncio.timeout(60):
        while (found := await store.erasure(GONE)) is None or found.subscriptions_left > 2:
            await asyncio.sleep(0.001)


async def until_done(store: HistoryStore) -> None:
    async with asyncio.timeout(60):
        while (found := await store.erasure(GONE)) is None or not found.is_done:
            await asyncio.sleep(0.05)


async def test_processes_that_share_the_partitions_share_the_erasure(settings: Settings) -> None:
    await new_account(settings, GONE)
    async with open_history(settings) as store, history(settings) as one, history(settings) as other:
        record(settings, RECORDS[:900], ENTRIES)
        await until_read(store, settings, attempts=600, entries=1)
        erasing = asyncio.create_task(erase(settings))
        record(settings, RECORDS[900:])
        ran = await erasing
        assert ran.returncode == 0, ran.stderr
        await until_read(store, settings, attempts=len(RECORDS), entries=len(ENTRIES) + 1)
        await asyncio.gather(stop(one), stop(other))
    await assert_only_others_are_left(settings)
    together = await rows(settings)
    await rebuild(settings)
    assert await rows(settings) == together


async def test_to_the_api_an_erased_account_is_gone_with_all_that_was_its_own(embedded: Settings) -> None:
    key, other = await new_account(embedded, GONE), await new_account(embedded, STAYS)
    async with replica(embedded, embedded.admin_key) as admin, replica(embedded, key) as call:
        webhook = await call.made()
        link = (await admin("POST", f"/accounts/{GONE}/links", {})).json["token"]
        ran = await erase(embedded)
        assert (ran.returncode, "no history role runs, and of the history all is left" in ran.stderr) == (3, True)
        async with asyncio.timeout(10):
            while (await call("GET", "/account")).status != 401:
                await asyncio.sleep(0.02)
        async with asyncio.timeout(10):
            while (await admin("GET", f"/accounts/{GONE}")).status != 404:
                await asyncio.sleep(0.02)
        for method, path, body in (
            ("PATCH", f"/accounts/{GONE}", {"name": "Again"}),
            ("GET", f"/accounts/{GONE}/keys", None),
            ("POST", f"/accounts/{GONE}/keys", {"name": "again"}),
            ("POST", f"/accounts/{GONE}/links", {}),
        ):
            assert (await admin(method, path, body)).status == 404, path
        named = {"Hookline-Account": GONE}
        assert (await admin("GET", f"/webhooks/{webhook['id']}", headers=named)).status == 404
        assert (await admin("GET", "/account", headers={"Authorization": f"Bearer {link}"})).status == 401
        assert [each["id"] for each in (await admin("GET", "/accounts")).json["accounts"]] == [STAYS]
        assert (await admin("GET", "/account", headers={"Authorization": f"Bearer {other}"})).status == 200


async def test_the_command_says_what_kafka_still_holds_and_until_when(embedded: Settings) -> None:
    await new_account(embedded, GONE)
    ran = await erase(embedded)
    lines, prefix = ran.stdout.splitlines(), embedded.topic_prefix
    told = dict(line.removeprefix(f"  {prefix}webhooks.").split(maxsplit=1) for line in lines if line.startswith("  "))
    assert told.keys() == {
        *("deliveries", "redeliveries", "replays", "attempts", "dead-letters", "audit"),
        *("retry.200ms", "retry.400ms", "retry.600ms", "postponed.100ms", "postponed.300ms"),
        *("accounts", "endpoint-state", "jobs", "subscriptions"),
    }
    assert told["accounts"] == told["endpoint-state"] == told["subscriptions"] == "once Kafka compacts it"
    assert told["jobs"] == "once Kafka compacts it, of each job 30 days after its end at the latest"
    assert told["deliveries"] < told["attempts"] < told["audit"]
    again = await erase(embedded)
    assert (again.returncode, again.stdout) == (ran.returncode, ran.stdout)
    written = [CODEC.decode_any(each.value) for each in read(embedded.bootstrap_servers, embedded.topics().audit)]
    assert [(each.operation, each.subject) for each in written] == [("account.erase", GONE)]  # type: ignore[union-attr]


async def test_an_account_that_is_not_there_is_an_error_and_without_a_yes_nothing_happens(embedded: Settings) -> None:
    await new_account(embedded, GONE)
    unknown = await erase(embedded, "acct_never")
    assert (unknown.returncode, unknown.stderr) == (2, "hookline: there is no account acct_never\n")
    empty = await erase(embedded, "")  # to whom administrators' keys belong
    assert (empty.returncode, "the account's id is empty" in empty.stderr) == (2, True)
    refused = await command(embedded, "accounts", "erase", GONE, given="n\n")
    assert refused.returncode == 1
    assert len(read(embedded.bootstrap_servers, embedded.topics().accounts)) == 2


async def test_neither_an_import_nor_a_command_brings_an_erased_account_back(embedded: Settings) -> None:
    key, topics = await new_account(embedded, GONE), embedded.topics()
    async with replica(embedded, key) as call:
        await call.made()
    living = (await command(embedded, "config", "export")).stdout
    await erase(embedded)
    marked = (await command(embedded, "config", "export")).stdout
    for options in ((), ("--replace",)):
        ran = await command(embedded, "config", "import", "-", "--json", *options, given=living)
        assert json.loads(ran.stdout) == {"written": 0, "same": 0, "newer": 0, "erased": 3}, ran.stderr
    assert (await command(embedded, "config", "export")).stdout == marked
    with pytest.raises(ConfigError, match=r"acct_0 was erased, and is not made again$"):
        await write_account(Account(account_id=GONE, name="x", created_at_ms=0), new_api_key(GONE, 0)[1], embedded)
    of_up = replace(Identity.drawn(0), account_id=GONE)
    with pytest.raises(ConfigError, match=r"acct_0 was erased, and is not made again; .*account\.json.*--fresh"):
        await announce(of_up, embedded)
    # On another Kafka, where the account lives on: there it goes as well.
    for topic in (topics.accounts, topics.subscriptions, topics.endpoint_state):
        remove_topic(embedded.bootstrap_servers, topic)
    make_topics(embedded.bootstrap_servers, topics)
    await command(embedded, "config", "import", "-", given=living)
    ran = await command(embedded, "config", "import", "-", "--json", given=marked)
    assert json.loads(ran.stdout) == {"written": 1, "same": 0, "newer": 0, "erased": 0}, ran.stderr
    assert (await command(embedded, "config", "export")).stdout == marked


async def test_history_says_on_readyz_that_it_does_not_know_yet_what_is_erased(settings: Settings) -> None:
    record(settings, RECORDS[:20])
    remove_topic(settings.bootstrap_servers, settings.topics().accounts)
    async with open_history(settings) as store, history(settings) as process:
        async with asyncio.timeout(60):
            while "accounts" not in log_of(settings).read_text(encoding="utf-8"):
                await asyncio.sleep(0.05)
        assert await store.offsets(settings.topics().attempts) == {}
        make_topics(settings.bootstrap_servers, settings.topics())
        await until_read(store, settings, attempts=20)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
