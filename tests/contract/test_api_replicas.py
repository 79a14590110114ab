"""Two API processes on one broker: no change of one is lost to the other, and what one confirmed both soon know."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fakes.api import CODEC, Caller, Reply
from fakes.configuration import short_settings, subscription
from fakes.judgements import disabling
from fakes.kafka import make_topics, read, write
from fakes.replaying import NOW_MS, ask, job_for
from fakes.replicas import new_account, replicas
from hookline.core.jobs import KEPT_MAX, OPEN_MAX
from hookline.runtime.keys import new_api_key
from hookline.runtime.settings import Settings
from hookline.schemas.records import Job, JobState, JobWish, disabling_key, wish_key

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
INCREMENTS = 1_000
EDITORS = 4  # at each replica
SINCE = "2023-06-20T14:15:30Z"
WEBHOOK = {"url": "https://example.com/hook", "events": ["user.created"]}


@pytest.fixture
async def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    admin_key, _ = new_api_key("", 0)
    made = short_settings(bootstrap, prefix, api_port=0, data_dir=tmp_path, admin_key=admin_key, requests_per_minute=0)
    await asyncio.to_thread(make_topics, bootstrap, made.topics())
    return made


def statuses(replies: list[Reply]) -> dict[int, int]:
    found = [reply.status for reply in replies]
    return {status: found.count(status) for status in set(found)}


async def test_a_thousand_increments_through_both_are_as_many_as_were_confirmed(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as (one, other):
        made = await one.made(metadata={"n": 0})
        path, tries = f"/webhooks/{made['id']}", iter(range(INCREMENTS))
        counted: dict[int, int] = {}

        async def edit(call: Caller) -> None:
            for _ in tries:
                read = await call("GET", path)
                if read.status == 404:  # this replica has not heard of it yet
                    continue
                body = {"metadata": {"n": read.json["metadata"]["n"] + 1}}
                changed = await call("PATCH", path, body, headers={"If-Match": read.headers["ETag"]})
                counted[changed.status] = counted.get(changed.status, 0) + 1

        began_s = time.monotonic()
        await asyncio.gather(*(edit(call) for call in (one, other) for _ in range(EDITORS)))
        took_s = time.monotonic() - began_s
        final = (await one("GET", path)).json["metadata"]["n"]
        print(f"{sum(counted.values())} tries in {took_s:.1f} s, answers {counted}, n = {final}")
        assert counted.keys() <= {200, 412}
        assert final == counted[200] > INCREMENTS // 20
        assert (await one("GET", path)).headers["ETag"] == f'"{final + 1}"'


async def test_a_uid_is_had_by_one_webhook_whoever_asks_at_once(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as callers:
        for number in range(5):
            body = {**WEBHOOK, "uid": f"order-{number}"}
            replies = await asyncio.gather(*(call("POST", "/webhooks", body) for call in callers * 4))
            assert statuses(list(replies)) == {201: 1, 409: 7}
            assert {each.json["type"] for each in replies if each.status == 409} == {"urn:hookline:problem:uid-taken"}


async def test_an_account_has_exactly_its_cap_however_many_ask_both(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as callers:
        replies = await asyncio.gather(*(call("POST", "/webhooks", WEBHOOK) for call in callers * 65))
        assert statuses(list(replies)) == {201: 100, 409: 30}
        assert (await callers[0]("GET", "/webhooks")).json["total"] == 100


async def test_a_webhook_has_exactly_its_open_jobs_however_many_ask_both(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as callers:
        path = f"/webhooks/{(await callers[0].made())['id']}"
        await asyncio.gather(*(until_found(call, path) for call in callers))
        asked = [("replay", {"since": SINCE}), ("recover", {"since": SINCE}), ("cancel-retries", None)]
        bodies = [(call, *asked[number % 3]) for number, call in enumerate(callers * 9)]
        replies = await asyncio.gather(*(call("POST", f"{path}/{what}", body) for call, what, body in bodies))
        assert statuses(list(replies)) == {202: OPEN_MAX, 409: 8}
        assert {each.json["type"] for each in replies if each.status == 409} == {"urn:hookline:problem:too-many-jobs"}
        made = [each.json["id"] for each in replies if each.status == 202]
        listed = (await callers[1]("GET", f"{path}/jobs")).json["jobs"]
        assert sorted(each["id"] for each in listed) == sorted(made)
    written = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().jobs)
    jobs = [CODEC.decode(record.value, Job) for record in written]
    assert [record.key for record in written] == [each.job_id.encode() for each in jobs]
    assert len({each.run for each in jobs}) == OPEN_MAX


async def test_a_webhook_has_exactly_as_many_jobs_as_are_kept_however_many_ask_both(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as callers:
        made = await callers[0].made()
        path = f"/webhooks/{made['id']}"
        await asyncio.gather(*(until_found(call, path) for call in callers))
        of = replace(subscription("https://example.com/"), subscription_id=made["id"], account_id="acct_0")
        over = [job_for(of, state=JobState.DONE, finished_at_ms=NOW_MS) for _ in range(KEPT_MAX - 2)]
        await asyncio.to_thread(ask, settings, *over)
        replies = await asyncio.gather(*(call("POST", f"{path}/replay", {"since": SINCE}) for call in callers * 4))
        assert statuses(list(replies)) == {202: 2, 409: 6}


async def test_a_wish_of_one_is_known_to_the_other_and_overwrites_no_job(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as (one, other):
        path = f"/webhooks/{(await one.made())['id']}"
        await until_found(other, path)
        job = (await other("POST", f"{path}/replay", {"since": SINCE, "rate": 9})).json
        await until_found(one, f"/jobs/{job['id']}")
        replies = await asyncio.gather(*(call("POST", f"/jobs/{job['id']}/pause") for call in (one, other) * 4))
        assert statuses(list(replies)) == {200: 8}
        assert {each.json["state"] for each in replies} == {"paused"}
        shown = await other("PATCH", f"/jobs/{job['id']}", {"rate": 4})
        assert (shown.json["state"], shown.json["rate"]) == ("paused", 4)
    made, *wishes = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().jobs)
    assert made.key == job["id"].encode()
    assert CODEC.decode(made.value, Job).state is JobState.WAITING
    assert {each.key for each in wishes} == {wish_key(job["id"])}
    assert [CODEC.decode(each.value, JobWish).rate for each in wishes] == [9, 4]


async def until_found(call: Caller, path: str) -> None:
    """Return once this replica has heard of it."""
    async with asyncio.timeout(10):
        while (await call("GET", path)).status == 404:
            await asyncio.sleep(0.01)


async def test_one_idempotency_key_makes_one_webhook_through_both(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as callers:
        replies = await asyncio.gather(
            *(call("POST", "/webhooks", WEBHOOK, headers={"Idempotency-Key": "one"}) for call in callers * 6)
        )
        assert statuses(list(replies)) == {201: 12}
        assert len({(each.json["id"], each.json["secret"]) for each in replies}) == 1
        assert (await callers[0]("GET", "/webhooks")).json["total"] == 1


async def test_a_change_is_seen_at_once_where_it_was_answered_and_within_a_second_elsewhere(settings: Settings) -> None:
    key = await new_account(settings)
    async with replicas(settings, key) as (one, other):
        took_s = []
        for number in range(30):
            made = await one.made(uid=f"n{number}")
            assert (await one("GET", f"/webhooks/{made['id']}")).status == 200
            began_s = time.monotonic()
            async with asyncio.timeout(10):
                while (await other("GET", f"/webhooks/{made['id']}")).status == 404:
                    pass
            took_s.append(time.monotonic() - began_s)
        print(f"seen elsewhere after {max(took_s) * 1_000:.0f} ms at the latest")
        assert sorted(took_s)[15] < 1  # one of them may meet a machine that is busy


async def test_a_revoked_key_is_refused_by_both(settings: Settings) -> None:
    await new_account(settings)
    async with replicas(settings, settings.admin_key) as (one, other):
        made = (await one("POST", "/accounts/acct_1/keys", {"name": "backend"})).json
        bearer = {"Authorization": f"Bearer {made['key']}"}
        async with asyncio.timeout(5):
            while (await other("GET", "/webhooks", headers=bearer)).status == 401:
                await asyncio.sleep(0.01)
        assert (await one("DELETE", f"/accounts/acct_1/keys/{made['id']}")).status == 204
        assert (await one("GET", "/webhooks", headers=bearer)).status == 401
        began_s = time.monotonic()
        async with asyncio.timeout(10):  # a busy machine is late; where revoking is not heard of it would be for ever
            while (await other("GET", "/webhooks", headers=bearer)).status != 401:
                pass
        print(f"refused elsewhere after {(time.monotonic() - began_s) * 1_000:.0f} ms")


async def test_a_410_that_comes_during_a_rotation_loses_no_rotation(settings: Settings) -> None:
    key, draw = await new_account(settings), Random(7)  # noqa: S311 - a test's order
    async with replicas(settings, key) as callers:
        made = [(await callers[0].made())["id"] for _ in range(20)]

        async def rotated(webhook_id: str, call: Caller) -> tuple[str, Any]:
            async with asyncio.timeout(30):
                while (
                    reply := await call("POST", f"/webhooks/{webhook_id}/secret/rotate", {"overlap_s": 60})
                ).status == 404:
                    await asyncio.sleep(0.01)
            return webhook_id, reply

        async def gone(webhook_id: str) -> None:
            await asyncio.sleep(draw.random() / 10)
            await asyncio.to_thread(_judged_gone, settings, webhook_id)

        found = await asyncio.gather(
            *(rotated(each, draw.choice(callers)) for each in made), *(gone(each) for each in made)
        )
        for webhook_id, reply in found[: len(made)]:
            assert reply.status == 200, reply.text
            shown = (await callers[0]("GET", f"/webhooks/{webhook_id}/secret")).json
            assert shown["next_secret"] == reply.json["secret"]
            assert (await callers[0]("GET", f"/webhooks/{webhook_id}")).json["status"] == "disabled"


def _judged_gone(settings: Settings, webhook_id: str) -> None:
    """What a dispatcher writes on a 410; it judged the first version, and that still counts after a rotation."""
    judged = disabling(
        replace(subscription("https://example.com/hook", account_id="acct_1"), subscription_id=webhook_id)
    )
    topic = settings.topics().endpoint_state
    write(settings.bootstrap_servers, topic, [(disabling_key(webhook_id), CODEC.encode(judged))])
