"""The road end to end: a real Kafka, every role a process, real HTTP."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from fakes.configuration import SECRET, short_settings
from fakes.contract import CONTRACT_BODIES, verify_signature
from fakes.endpoint import endpoint
from fakes.kafka import read_until, write
from fakes.road import CODEC, Road, road, sample
from hookline.schemas.records import DeadLetter, DeathReason

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


@pytest.fixture
async def running(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Road]:
    async with road(short_settings(bootstrap, prefix), tmp_path) as started:
        yield started


async def test_all_eight_event_types_arrive_with_the_contracts_bodies(running: Road) -> None:
    async with endpoint(200) as (url, seen):
        await running.subscribe(url, *CONTRACT_BODIES, secret=SECRET)
        events = [sample(event_type) for event_type in CONTRACT_BODIES]
        await running.publish(*events)
        requests = await seen.wait_for(len(events))
    bodies = {json.loads(request.body)["event"]: request for request in requests}
    assert set(bodies) == set(CONTRACT_BODIES)
    for event in events:
        request, wanted = bodies[event.type], CONTRACT_BODIES[event.type]
        timestamp = f"{event.occurred_at:%Y-%m-%dT%H:%M:%SZ}"
        assert json.loads(request.body) == {**wanted, "timestamp": timestamp}
        assert list(json.loads(request.body)["data"]) == list(wanted["data"])
        assert verify_signature(request.body, request.headers["X-Webhook-Signature"], SECRET)
        assert Webhook(SECRET).verify(request.body, dict(request.headers))
        assert request.headers["X-Webhook-Event"] == event.type
        assert request.headers["User-Agent"].startswith("Hookline/")


async def test_a_receiver_answering_500_500_200_gets_three_attempts(running: Road) -> None:
    async with endpoint(500, 500, 200) as (url, seen):
        webhook = await running.subscribe(url, "order.created")
        await running.publish(sample("order.created"))
        requests = await seen.wait_for(3)
        (delivery,) = await running.deliveries(
            webhook["id"], lambda found: found[:1] != [] and found[0]["status"] == "succeeded"
        )
        logs = (await running.get(f"/webhooks/{webhook['id']}/logs"))["logs"]
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    for before, after, tier_ms in zip(requests, requests[1:], running.settings.retry_tiers, strict=False):
        assert after.at_ms - before.at_ms >= tier_ms
    assert delivery["id"] == requests[0].headers["webhook-id"]
    assert (delivery["event"], delivery["attempts"], delivery["response_code"]) == ("order.created", 3, 200)
    assert "delivered_at" in delivery
    assert [each["status"] for each in logs] == ["delivered", "failed", "failed"]
    assert [each["response_code"] for each in logs] == [200, 500, 500]


async def test_an_exhausted_delivery_is_in_dead_letters_and_the_api_says_so(running: Road) -> None:
    async with endpoint(503) as (url, seen):
        webhook = await running.subscribe(url, "payment.failed")
        await running.publish(sample("payment.failed"))
        await seen.wait_for(4)
        records = read_until(
            running.settings.bootstrap_servers, running.settings.topics().dead_letters, lambda found: len(found) == 1
        )
        letter = CODEC.decode(records[0].value, DeadLetter)
        (delivery,) = await running.deliveries(webhook["id"], lambda found: [each["attempts"] for each in found] == [4])
    assert letter.reason is DeathReason.EXHAUSTED
    assert delivery["status"] == "failed"
    assert "next_attempt_at" not in delivery


async def test_a_retry_that_is_due_is_shown_with_its_time(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    settings = short_settings(bootstrap, prefix, retry_tiers=(60_000,))
    async with road(settings, tmp_path) as running, endpoint(500) as (url, _seen):
        webhook = await running.subscribe(url, "user.deleted")
        await running.publish(sample("user.deleted"))
        (delivery,) = await running.deliveries(webhook["id"], lambda found: len(found) == 1)
    assert delivery["status"] == "failed"
    assert set(delivery) >= {"id", "event", "status", "response_code", "last_attempt_at", "attempts", "next_attempt_at"}


async def test_a_second_test_of_the_same_type_is_sent_again(running: Road) -> None:
    async with endpoint(200) as (url, seen):
        webhook = await running.subscribe(url, "user.created")
        ids = []
        for _ in range(2):
            async with running.api.post(f"/webhooks/{webhook['id']}/test", json={"event": "user.created"}) as answer:
                assert answer.status == 202
                ids.append((await answer.json())["delivery_id"])
        requests = await seen.wait_for(2)
    assert sorted(request.headers["webhook-id"] for request in requests) == sorted(ids)
    assert len(set(ids)) == 2


async def test_events_reach_only_subscriptions_of_their_own_account(running: Road) -> None:
    async with endpoint(200) as (url, seen):
        await running.subscribe(url, "user.created")
        ours = sample("user.created")
        await running.publish(sample("user.created", account_id="acct_other"), ours)
        await seen.wait_for(1)
        await running.publish(sample("user.created"))
        requests = await seen.wait_for(2)
    assert len(requests) == 2


async def test_a_subscription_gets_every_event_produced_after_the_api_confirmed_it(running: Road) -> None:
    async with endpoint(200) as (url, seen):
        for count in range(1, 41):
            webhook = await running.subscribe(f"{url}/{count}", "user.created")
            await running.publish(sample("user.created"))
            await seen.wait_for(count)
            async with running.api.delete(f"/webhooks/{webhook['id']}") as answer:
                assert answer.status == 204
    assert len({request.path for request in seen}) == 40


async def test_unreadable_and_oversized_records_are_in_dead_letters_and_those_behind_them_delivered(
    running: Road,
) -> None:
    topic = running.settings.topics().events("user.created")
    whole = CODEC.encode_event(sample("user.created"))
    large = sample("user.created")
    large = replace(large, data={**large.data, "username": "x" * (256 * 1024 + 1)})
    bad = {
        "truncated": whole[:-5],
        "a wrong schema": b"\xc3\x01" + bytes(8) + whole[10:],
        "oversized": CODEC.encode_event(large),
        "empty": b"",
        "null": None,
        "no Avro at all": b"{}",
    }
    async with endpoint(200) as (url, seen):
        await running.subscribe(url, "user.created")
        # One key, so one partition: the good record lies behind every bad one.
        write(running.settings.bootstrap_servers, topic, [(b"user_123", value) for value in bad.values()])
        await running.publish(sample("user.created", account_id="acct_unknown"), sample("user.created"))
        await seen.wait_for(1)
        records = read_until(
            running.settings.bootstrap_servers,
            running.settings.topics().dead_letters,
            lambda found: len(found) >= len(bad),
        )
    letters = [CODEC.decode(record.value, DeadLetter) for record in records]
    assert len(letters) == len(bad)
    assert {letter.topic for letter in letters} == {topic}
    assert sorted(letter.offset for letter in letters) == sorted({letter.offset for letter in letters})
    by_reason = {reason: [letter for letter in letters if letter.reason is reason] for reason in DeathReason}
    assert len(by_reason[DeathReason.UNREADABLE]) == 5
    (too_large,) = by_reason[DeathReason.TOO_LARGE]
    assert too_large.payload is None
    assert too_large.payload_bytes > 256 * 1024
    assert len(seen) == 1
