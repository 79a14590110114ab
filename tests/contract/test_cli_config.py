"""The configuration out of Kafka and back into it, and secrets sealed anew, by the commands an operator runs."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.api import Caller
from fakes.commands import command
from fakes.configuration import MASTER_KEY, short_settings
from fakes.judgements import disabling
from fakes.kafka import make_topics, read, remove_topic, write
from fakes.replicas import new_account, replica
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.keys import new_api_key
from hookline.runtime.settings import MasterKey, Settings
from hookline.schemas.codec import Codec
from hookline.schemas.records import Subscription, disabling_key

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
CODEC = Codec(load_catalogue())
NEWER = b"\xc3\x01" + bytes(8) + b"what only a newer release can read"
NEW_KEY = MasterKey("k2", bytes(range(100, 132)))
EVERYTHING_ANEW = {"webhooks": 3, "rewrapped": 3, "forgotten": 0, "keys": {"k2": 3}, "unopened": []}


@pytest.fixture
async def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    admin_key, _ = new_api_key("", 0)
    made = short_settings(bootstrap, prefix, api_port=0, data_dir=tmp_path, admin_key=admin_key)
    await asyncio.to_thread(make_topics, bootstrap, made.topics())
    return made


async def made_some(call: Caller) -> list[str]:
    """Webhooks of every kind."""
    plain = await call.made(secret="canary-signs", description="plain")
    full = await call.made(
        url="https://example.com/hook?token=canary-query",
        headers={"X-Token": "canary-header"},
        uid="full",
        metadata={"n": 1},
        events=["*"],
    )
    turning = await call.made()
    assert (await call("POST", f"/webhooks/{turning['id']}/secret/rotate", {"overlap_s": 3_600})).status == 200
    return [plain["id"], full["id"], turning["id"]]


async def everything(call: Caller, webhooks: list[str]) -> list[Any]:
    found = [(await call("GET", f"/webhooks/{each}")).json for each in webhooks]
    found += [(await call("GET", f"/webhooks/{each}/secret")).json for each in webhooks]
    return [*found, (await call("GET", "/account")).json]


async def test_a_configuration_that_was_deleted_is_all_there_after_its_import(settings: Settings) -> None:
    key, topics, bootstrap = await new_account(settings), settings.topics(), settings.bootstrap_servers
    async with replica(settings, key) as call:
        webhooks = await made_some(call)
        judged = disabling(_subscription(settings, webhooks[0]))
        pairs = [(disabling_key(webhooks[0]), CODEC.encode(judged))]
        await asyncio.to_thread(write, bootstrap, topics.endpoint_state, pairs)
        async with asyncio.timeout(10):
            while (await call("GET", f"/webhooks/{webhooks[0]}")).json["status"] != "disabled":
                await asyncio.sleep(0.02)
        before = await everything(call, webhooks)
    exported = await command(settings, "config", "export")
    assert exported.returncode == 0, exported.stderr
    assert "canary" not in exported.stdout
    for topic in (topics.subscriptions, topics.accounts, topics.endpoint_state):
        await asyncio.to_thread(remove_topic, bootstrap, topic)
    await asyncio.to_thread(make_topics, bootstrap, topics)
    imported = await command(settings, "config", "import", "-", "--json", given=exported.stdout)
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout) == {"written": 6, "same": 0, "newer": 0, "erased": 0}
    async with replica(settings, key) as call:
        assert await everything(call, webhooks) == before
    again = await command(settings, "config", "import", "-", given=exported.stdout)
    assert again.stdout == "0 written, 6 were there already, 0 are newer in Kafka.\n"


async def test_an_import_does_not_write_over_what_is_newer(settings: Settings) -> None:
    key = await new_account(settings)
    async with replica(settings, key) as call:
        made = await call.made(description="then")
        exported = await command(settings, "config", "export")
        assert (await call("PATCH", f"/webhooks/{made['id']}", {"description": "now"})).status == 200
        kept = await command(settings, "config", "import", "-", "--json", given=exported.stdout)
        assert json.loads(kept.stdout)["newer"] == 1
        assert (await call("GET", f"/webhooks/{made['id']}")).json["description"] == "now"
        replaced = await command(settings, "config", "import", "-", "--replace", "--json", given=exported.stdout)
        assert json.loads(replaced.stdout)["written"] == 1
        async with asyncio.timeout(5):
            while (await call("GET", f"/webhooks/{made['id']}")).json["description"] != "then":
                await asyncio.sleep(0.02)


async def test_what_came_back_from_an_older_file_is_enabled_like_any_other(settings: Settings) -> None:
    key, bootstrap, topics = await new_account(settings), settings.bootstrap_servers, settings.topics()
    async with replica(settings, key) as call:
        made = await call.made(description="then")
        exported = await command(settings, "config", "export")
        for number in range(3):
            changed = await call("PATCH", f"/webhooks/{made['id']}", {"description": f"now {number}"})
        judged = disabling(replace(_subscription(settings, made["id"]), version=4))
        await asyncio.to_thread(
            write, bootstrap, topics.endpoint_state, [(disabling_key(made["id"]), CODEC.encode(judged))]
        )
        for written in (1, 0):  # the second time all of it is there
            ran = await command(settings, "config", "import", "-", "--replace", "--json", given=exported.stdout)
            assert json.loads(ran.stdout)["written"] == written, ran.stderr
        async with asyncio.timeout(5):
            while (shown := await call("GET", f"/webhooks/{made['id']}")).json["description"] != "then":
                await asyncio.sleep(0.02)
        assert (shown.json["status"], shown.headers["ETag"], changed.headers["ETag"]) == (
            "disabled",
            '"5-disabled"',
            '"4"',
        )
        enabled = await call("POST", f"/webhooks/{made['id']}/enable")
        assert (enabled.status, enabled.json["status"], enabled.headers["ETag"]) == (200, "active", '"6"')


async def test_nothing_is_exported_while_something_is_there_that_only_a_newer_release_can_read(
    settings: Settings,
) -> None:
    key, bootstrap, topics = await new_account(settings), settings.bootstrap_servers, settings.topics()
    async with replica(settings, key) as call:
        made = await call.made()
    for topic, record_key in ((topics.subscriptions, made["id"]), (topics.endpoint_state, f"{made['id']}/disabled")):
        await asyncio.to_thread(write, bootstrap, topic, [(record_key.encode(), NEWER)])
        refused = await command(settings, "config", "export")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"a newer release wrote {made['id']}" in refused.stderr
        await asyncio.to_thread(write, bootstrap, topic, [(record_key.encode(), None)])
    assert (await command(settings, "config", "export")).returncode == 0


async def test_what_is_no_export_is_refused_whole(settings: Settings) -> None:
    exported = await command(settings, "config", "export")
    for given, said in (("", "line 1 is not"), (exported.stdout + "rubbish\n", "line 3 follows the export's end")):
        refused = await command(settings, "config", "import", "-", given=given)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert said in refused.stderr
    missing = await command(settings, "config", "import", "/nowhere/at/all")
    assert (missing.returncode, "can't be read" in missing.stderr) == (2, True)


async def test_everything_is_sealed_anew_under_a_new_master_key_while_the_api_serves(settings: Settings) -> None:
    key = await new_account(settings)
    ring = replace(settings, master_keys=(NEW_KEY, MASTER_KEY))
    async with replica(settings, key) as call:
        webhooks = await made_some(call)
        before = await everything(call, webhooks)
    async with replica(ring, key) as call:
        editions = [(await call("GET", f"/webhooks/{each}")).headers["ETag"] for each in webhooks]
        ran = await command(ring, "secrets", "rewrap", "--json")
        assert json.loads(ran.stdout) == EVERYTHING_ANEW, ran.stderr
        assert [(await call("GET", f"/webhooks/{each}")).headers["ETag"] for each in webhooks] == editions
        assert await everything(call, webhooks) == before
        again = await command(ring, "secrets", "rewrap")
        assert again.stdout.startswith("0 of 3 webhooks were sealed anew under k2.")
    async with replica(replace(settings, master_keys=(NEW_KEY,)), key) as call:
        assert await everything(call, webhooks) == before


async def test_without_the_old_master_key_nothing_is_sealed_anew(settings: Settings) -> None:
    async with replica(settings, await new_account(settings)) as call:
        await call.made()
    ran = await command(replace(settings, master_keys=(NEW_KEY,)), "secrets", "rewrap")
    assert (ran.returncode, "k1" in ran.stderr) == (2, True)


async def test_after_a_master_key_was_lost_nothing_needs_it_once_the_secrets_are_new(settings: Settings) -> None:
    key, ring = await new_account(settings), replace(settings, master_keys=(NEW_KEY,))
    body = {"url": "https://example.com/hook", "events": ["user.created"]}
    header = {"Idempotency-Key": "order-1"}
    async with replica(settings, key) as call:
        made = (await call("POST", "/webhooks", body, headers=header)).json
    async with replica(ring, key) as call:
        await call("POST", f"/webhooks/{made['id']}/secret/rotate", {"overlap_s": 0})
        ran = await command(ring, "secrets", "rewrap")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.startswith("1 of 1 webhooks were sealed anew under k2.\n1 of them no longer know the request")
        assert ran.stdout.endswith("by the master keys that they need: k2: 1.\n")
        async with asyncio.timeout(5):
            while (
                reply := await call("POST", "/webhooks", body, headers=header)
            ).status == 503:  # until it has read that
                await asyncio.sleep(0.02)
        assert (reply.status, reply.json["type"]) == (422, "urn:hookline:problem:idempotency-key-reused")


async def test_one_webhook_that_does_not_open_holds_up_no_other(settings: Settings) -> None:
    ring = replace(settings, master_keys=(NEW_KEY, MASTER_KEY))
    async with replica(settings, await new_account(settings)) as call:
        webhooks = await made_some(call)
    damaged = replace(_subscription(settings, webhooks[0]), subscription_id="wh_damaged")
    pairs = [(b"wh_damaged", CODEC.encode(damaged))]
    await asyncio.to_thread(write, settings.bootstrap_servers, settings.topics().subscriptions, pairs)
    ran = await command(ring, "secrets", "rewrap", "--json")
    assert (ran.returncode, "wh_damaged: its secret does not open" in ran.stderr) == (2, True)
    assert json.loads(ran.stdout) | {"unopened": []} == {
        "webhooks": 4,
        "rewrapped": 3,
        "forgotten": 0,
        "keys": {"k1": 1, "k2": 3},
        "unopened": [],
    }


async def test_a_key_that_was_revoked_since_the_export_is_told_of_when_it_comes_back(settings: Settings) -> None:
    key = await new_account(settings)
    exported = await command(settings, "config", "export")
    name = key.split("_")[1].encode()
    await asyncio.to_thread(write, settings.bootstrap_servers, settings.topics().accounts, [(name, None)])
    imported = await command(settings, "config", "import", "-", given=exported.stdout)
    assert imported.stdout.startswith("1 written")
    assert "1 API keys that were not in Kafka are accepted now" in imported.stderr
    again = await command(settings, "config", "import", "-", given=exported.stdout)
    assert "API keys" not in again.stderr


async def test_an_account_that_a_command_made_is_served_and_audited(settings: Settings) -> None:
    made = await command(settings, "accounts", "create", "Acme", "--json")
    assert made.returncode == 0, made.stderr
    account = json.loads(made.stdout)
    async with replica(settings, account["api_key"]) as call:
        assert (await call("GET", "/account")).json["account"]["name"] == "Acme"
    written = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().audit)
    assert len(written) == 2
    assert account["api_key"][20:60].encode() not in b"".join(each.value or b"" for each in written)


async def test_the_drawn_key_of_an_administrator_is_one(settings: Settings) -> None:
    drawn = (await command(settings, "accounts", "admin-key")).stdout.strip()
    async with replica(replace(settings, admin_key=drawn), drawn) as call:
        assert (await call("GET", "/accounts")).json == {"accounts": [], "total": 0}


def _subscription(settings: Settings, webhook_id: str) -> Subscription:
    records = read(settings.bootstrap_servers, settings.topics().subscriptions)
    return CODEC.decode(next(each.value for each in records if each.key == webhook_id.encode()), Subscription)
