"""The API role on a real broker: what it answered is in Kafka, and there for whoever starts next."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fakes.api import CATALOGUE, CODEC, Caller
from fakes.configuration import short_settings
from fakes.fanout import until
from fakes.judgements import disabling
from fakes.kafka import make_topics, read, remove_topic, write
from fakes.letters import letter
from fakes.records import attempt
from fakes.replicas import new_account, replica
from hookline.api.run import run_api
from hookline.core.ids import delivery_id
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.history import open_history
from hookline.runtime.keys import new_api_key
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.log import TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.runtime.view import View, open_view
from hookline.schemas.codec import sample_event
from hookline.schemas.errors import ConfigError
from hookline.schemas.records import Attempt, Delivery, Place, Subscription, disabling_key

pytestmark = pytest.mark.kafka
DISABLED = {"status": "disabled", "disabled_reason": "gone", "disabled_at": "2023-06-20T14:15:30Z"}


@pytest.fixture
async def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = replace(short_settings(bootstrap, prefix), api_port=0, data_dir=tmp_path)
    await asyncio.to_thread(make_topics, bootstrap, made.topics())
    return made


async def new_key(settings: Settings) -> str:
    return await new_account(settings)


@asynccontextmanager
async def following(settings: Settings) -> AsyncIterator[View]:
    """The live view of another process, a fan-out's."""
    lifetime, metrics = Lifetime(), Metrics(CollectorRegistry())
    async with open_view(
        settings, topics=settings.topics(), codec=CODEC, metrics=metrics, on_fatal=lifetime.fail
    ) as view:
        yield view


def matched(view: View) -> Sequence[str]:
    return [each.subscription_id for each in view.matching("acct_1", "user.created")]


def kept(view: View, subscription_id: str) -> Subscription:
    found = view.subscription(subscription_id)
    assert found is not None
    return found


async def disabled(call: Caller, path: str) -> Any:
    """The webhook, as soon as it is shown as disabled."""
    async with asyncio.timeout(10):
        while (reply := await call("GET", path)).json["status"] != "disabled":
            await asyncio.sleep(0.01)
        return reply.json


async def test_what_was_confirmed_is_there_for_whoever_starts_next(settings: Settings) -> None:
    key = await new_key(settings)
    async with replica(settings, key) as call:
        kept, gone = await call.made(description="kept", secret="given"), await call.made()
        assert (await call("PUT", f"/webhooks/{kept['id']}", {"status": "paused"})).status == 200
        assert (await call("DELETE", f"/webhooks/{gone['id']}")).status == 204
    async with replica(settings, key) as call:
        assert (await call("GET", f"/webhooks/{kept['id']}")).json == {**kept, "status": "paused"}
        assert (await call("GET", "/webhooks")).json["total"] == 1
        assert (await call("GET", f"/webhooks/{kept['id']}/deliveries")).json == {"deliveries": []}
        assert (await call("GET", f"/webhooks/{kept['id']}/logs")).json == {"logs": []}


async def test_a_change_is_visible_in_another_process_soon(settings: Settings) -> None:
    key = await new_key(settings)
    async with replica(settings, key) as one, replica(settings, key) as other:
        made = await one.made()
        async with asyncio.timeout(5):
            while (await other("GET", f"/webhooks/{made['id']}")).status == 404:
                await asyncio.sleep(0.01)


async def test_what_a_dispatcher_disables_is_shown_and_matches_nothing_until_it_is_enabled(settings: Settings) -> None:
    key, topics = await new_key(settings), settings.topics()
    async with replica(settings, key) as call, following(settings) as fanout:
        made = await call.made(secret="given")
        path = f"/webhooks/{made['id']}"
        await until(lambda: matched(fanout) == [made["id"]])
        judged = disabling(kept(fanout, made["id"]))
        pairs = [(disabling_key(made["id"]), CODEC.encode(judged))]
        await asyncio.to_thread(write, settings.bootstrap_servers, topics.endpoint_state, pairs)
        await until(lambda: matched(fanout) == [])
        assert await disabled(call, path) == {**made, **DISABLED}
        enabled = await call("POST", f"{path}/enable")
        assert enabled.status == 200
        assert {**enabled.json, "catch_up": 0} == {**made, "catch_up": 0}
        await until(lambda: matched(fanout) == [made["id"]])
        await asyncio.to_thread(
            write, settings.bootstrap_servers, topics.endpoint_state, pairs
        )  # judged before, and late
        await fanout.wait_applied(topics.endpoint_state, 1, timeout_s=10)
        assert matched(fanout) == [made["id"]]
    async with replica(settings, key) as call, following(settings) as fanout:
        assert (await call("GET", path)).json == made
        await fanout.wait_ready()
        assert matched(fanout) == [made["id"]]


async def test_a_topic_that_an_older_release_did_not_make_is_waited_for_and_named(
    bootstrap: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = short_settings(bootstrap, prefix)
    topics = settings.topics()
    admin = TopicAdmin(bootstrap, size=Size.EMBEDDED)
    known_then = [each for each in topics.specifications() if each.name != topics.endpoint_state]
    await asyncio.to_thread(admin.apply, known_then)
    async with following(settings) as view:
        await until(lambda: any(topics.endpoint_state in str(vars(each)) for each in caplog.records))
        assert not view.ready
        await asyncio.to_thread(admin.apply, topics.specifications())
        async with asyncio.timeout(20):
            await view.wait_ready()


async def test_a_deleted_webhook_leaves_tombstones_of_what_was_judged(settings: Settings) -> None:
    async with replica(settings, await new_key(settings)) as call:
        made = await call.made()
        assert (await call("DELETE", f"/webhooks/{made['id']}")).status == 204
    left = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().endpoint_state)
    wanted = [(made["id"].encode(), None), (disabling_key(made["id"]), None)]
    assert [(record.key, record.value) for record in left] == wanted


async def test_a_secret_never_lies_in_kafka_in_clear(settings: Settings) -> None:
    key = await new_key(settings)
    async with replica(settings, key) as call:
        await call.made(secret="a canary in the mine")
        drawn = (await call.made())["secret"]
    topics = settings.topics()
    records = await asyncio.to_thread(read, settings.bootstrap_servers, topics.subscriptions, topics.accounts)
    everything = b"".join(record.value or b"" for record in records)
    assert len(records) == 4  # two webhooks, an account and its key
    for secret in ("a canary in the mine", drawn, drawn.removeprefix("whsec_"), key, key[20:60]):
        assert secret.encode() not in everything


async def test_a_test_delivery_waits_for_the_configuration_it_was_made_under(settings: Settings) -> None:
    async with replica(settings, await new_key(settings)) as call:
        made = await call.made()
        accepted = await call("POST", f"/webhooks/{made['id']}/test", {"event": "order.created"})
    topics = settings.topics()
    written = await asyncio.to_thread(read, settings.bootstrap_servers, topics.deliveries, topics.subscriptions)
    delivery = CODEC.decode(written[0].value, Delivery)
    assert delivery.delivery_id == accepted.json["delivery_id"]
    ends_at = (
        written[1].offset + 2
    )  # behind the webhook is the marker of its transaction, which the view may not have passed yet
    assert delivery.config_offset in {ends_at - 1, ends_at}
    assert written[0].key == made["id"].encode()


async def test_the_body_of_a_delivery_is_read_where_it_lies(settings: Settings) -> None:
    async with replica(settings, await new_key(settings)) as call, open_history(settings) as store:
        webhook = await call.made()
        accepted = (await call("POST", f"/webhooks/{webhook['id']}/test", {"event": "order.created"})).json
        path = f"/deliveries/{accepted['delivery_id']}"
        assert (await call("GET", path)).status == 404
        (record,) = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().deliveries)
        delivery = CODEC.decode(record.value, Delivery)
        await store.ingest([attempt_of(delivery, Place(partition=record.partition, offset=record.offset))], {})
        found = (await call("GET", path)).json
        assert (found["body"].encode(), found["body_state"]) == (delivery.body, "kept")
        kept_until_s = datetime.fromisoformat(found["body_kept_until"]).timestamp()
        assert kept_until_s == record.timestamp_ms // 1_000 + 7 * 86_400
        await asyncio.to_thread(remove_topic, settings.bootstrap_servers, settings.topics().deliveries)
        await asyncio.to_thread(make_topics, settings.bootstrap_servers, settings.topics())
        gone = (await call("GET", path)).json
        assert (gone["body"], gone["body_state"]) == (None, "no_longer_kept")
        assert gone["steps"] == found["steps"]


async def test_one_delivery_again_is_read_where_it_lies_and_written_where_dispatchers_read(settings: Settings) -> None:
    topics = settings.topics()
    async with replica(settings, await new_key(settings)) as call, open_history(settings) as store:
        webhook = await call.made()
        await call("POST", f"/webhooks/{webhook['id']}/test", {"event": "order.created"})
        (record,) = await asyncio.to_thread(read, settings.bootstrap_servers, topics.deliveries)
        first = CODEC.decode(record.value, Delivery)
        await store.ingest([attempt_of(first, Place(partition=record.partition, offset=record.offset))], {})
        path = f"/webhooks/{webhook['id']}/deliveries/{first.delivery_id}/retry"
        accepted = await call("POST", path)
        assert (accepted.status, accepted.json["delivery_id"]) == (202, first.delivery_id)
        written = await asyncio.to_thread(read, settings.bootstrap_servers, topics.deliveries)
        (again,) = [CODEC.decode(each.value, Delivery) for each in written if each.offset > record.offset]
        assert (again.run, again.created_at_ms, again.source_at_ms) == (accepted.json["run"],) * 3
        as_before = replace(
            again,
            run=0,
            created_at_ms=first.created_at_ms,
            source_at_ms=first.source_at_ms,
            config_offset=first.config_offset,
        )
        assert as_before == first
        assert again.config_offset >= first.config_offset
        assert [(each.key, each.partition) for each in written] == [(record.key, record.partition)] * 2
        await asyncio.to_thread(remove_topic, settings.bootstrap_servers, topics.deliveries)
        await asyncio.to_thread(make_topics, settings.bootstrap_servers, topics)
        gone = await call("POST", path)
        assert (gone.status, gone.json["type"]) == (410, "urn:hookline:problem:body-no-longer-kept")


async def test_a_replay_is_counted_in_the_log_and_the_history_store(settings: Settings) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    events = [
        sample_event(CATALOGUE, name, event_id=f"evt_{number}", account_id=account, occurred_at=now)
        for number, (name, account) in enumerate(
            [
                ("user.created", "acct_1"),
                ("user.created", "acct_1"),
                ("user.deleted", "acct_1"),
                ("user.created", "acct_2"),
            ]
        )
    ]
    async with replica(settings, await new_key(settings)) as call, open_history(settings) as store:
        webhook = await call.made(events=["user.created"])
        pairs = [(b"user_1", CODEC.encode_event(each)) for each in events]
        await asyncio.to_thread(write, settings.bootstrap_servers, settings.topics().events("user.created"), pairs)
        succeeded = attempt(event="evt_0", account="acct_1", webhook=webhook["id"])
        delivered = delivery_id("acct_1", "evt_0", webhook["id"])
        await store.ingest([replace(succeeded, delivery_id=delivered)], {})
        body = {"since": (now - timedelta(hours=1)).isoformat(), "dry_run": True, "rate": 1}
        counted = await call("POST", f"/webhooks/{webhook['id']}/replay", body)
        assert (counted.status, counted.json) == (
            200,
            {
                "looked_at": 2,
                "wanted": 1,
                "left_out": 1,
                "unreadable": 0,
                "by_type": {"user.created": 1},
                "is_whole": True,
                "takes_s": 1,
            },
        )


async def test_letters_wait_until_history_has_what_is_on_record(settings: Settings) -> None:
    admin_key, _ = new_api_key("", 0)
    settings, topics = replace(settings, admin_key=admin_key), settings.topics()
    async with replica(settings, await new_key(settings)) as call, open_history(settings) as store:
        webhook = await call.made()
        dead = letter(1, account_id="acct_1", subscription_id=webhook["id"])
        since = attempt(event="evt_1", account="acct_1", webhook=webhook["id"])
        since = replace(since, delivery_id=dead.delivery_id or "")
        for topic, value in ((topics.dead_letters, CODEC.encode(dead)), (topics.attempts, CODEC.encode(since))):
            await asyncio.to_thread(write, settings.bootstrap_servers, topic, [(webhook["id"].encode(), value)])
        asked = asyncio.create_task(call.with_key(admin_key)("POST", "/redrives", {}))
        done, _ = await asyncio.wait({asked}, timeout=1)
        assert done == set()
        (record,) = await asyncio.to_thread(read, settings.bootstrap_servers, topics.attempts)
        await store.ingest([since], {TopicPartition(topics.attempts, record.partition): record.offset + 1})
        reply = await asked
        assert (reply.status, reply.json) == (202, {"redriven": 0, "left_out": 1})


def attempt_of(delivery: Delivery, place: Place) -> Attempt:
    """What a dispatcher puts on record of it."""
    return replace(
        attempt(event=delivery.event_id, account=delivery.account_id, webhook=delivery.subscription_id),
        delivery_id=delivery.delivery_id,
        origin=place,
    )


async def test_a_role_without_master_keys_or_a_free_port_does_not_start(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="HOOKLINE_MASTER_KEYS is empty"):
        await run_api(replace(settings, master_keys=()), Lifetime())
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    taken = server.sockets[0].getsockname()[1]
    with pytest.raises(ConfigError, match=f"nothing can listen on 127.0.0.1:{taken}"):
        await run_api(replace(settings, api_port=taken), Lifetime())
    server.close()
    await server.wait_closed()
