"""Recovery as a customer asks for it: the API and the replay role on a real Kafka and a real store."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.api import Caller
from fakes.configuration import short_settings, subscription
from fakes.kafka import make_topics, read
from fakes.replaying import HOUR_MS, NOW_MS, commit_all, event_ids, events, on_record, outcome, publish, replayer, sent
from fakes.replicas import new_account, replica
from fakes.road import CODEC
from hookline.core.ids import delivery_id
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, Event, Outcome, Subscription

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
BODY = {"since": "2023-06-20T14:15:30Z", "rate": 1_000}


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path, api_port=0)
    make_topics(bootstrap, made.topics())
    return made


async def over(call: Caller, job: Any) -> Any:
    """The job once it has ended, as the API shows it."""
    async with asyncio.timeout(60):
        while "finished_at" not in (shown := (await call("GET", f"/jobs/{job['id']}")).json):
            await asyncio.sleep(0.05)
    return shown


async def known(settings: Settings, webhook: Any, some: Sequence[Event], kind: Outcome, **more: Any) -> None:
    """What is on record of these events' deliveries."""
    to = _named(webhook["id"])
    await on_record(settings, *(outcome(each, to, kind, at_ms=NOW_MS - HOUR_MS, **more) for each in some))


def _named(webhook_id: str) -> Subscription:
    return replace(subscription("http://127.0.0.1:1/", "*", account_id="acct_1"), subscription_id=webhook_id)


async def test_a_replay_that_was_counted_first_sends_what_was_counted(settings: Settings) -> None:
    got, missed = events(5, account_id="acct_1"), events(7, account_id="acct_1")
    publish(settings, [*got, *events(5, account_id="acct_2"), *missed], at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    async with replica(settings, await new_account(settings)) as call, replayer(settings):
        webhook = await call.made(events=["order.*"])
        await known(settings, webhook, got, Outcome.SUCCEEDED)
        path = f"/webhooks/{webhook['id']}/replay"
        counted = (await call("POST", path, {**BODY, "dry_run": True})).json
        assert (counted["looked_at"], counted["wanted"], counted["left_out"]) == (12, 7, 5)
        made = (await call("POST", path, BODY)).json
        shown = await over(call, made)
        assert (shown["state"], shown["progress"]["share"], shown["progress"]["sent"]) == ("done", 1.0, 7)
        assert shown["progress"]["looked_at"] == 7 + shown["progress"]["left_out"]
        assert (await call("POST", f"/jobs/{made['id']}/pause")).status == 409
    lying = sent(settings)
    assert sorted(event_ids(lying)) == sorted(event_ids(missed))
    assert {each.job_id for each in lying} == {made["id"]}
    assert {each.delivery_id for each in lying} == {
        delivery_id("acct_1", each.event_id, webhook["id"]) for each in missed
    }


async def test_a_job_that_is_paused_at_once_sends_nothing_until_it_goes_on(settings: Settings) -> None:
    missed = events(5, account_id="acct_1")
    publish(settings, missed, at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    async with replica(settings, await new_account(settings)) as call:
        webhook = await call.made(events=["order.*"])
        made = (await call("POST", f"/webhooks/{webhook['id']}/replay", BODY)).json
        assert (await call("POST", f"/jobs/{made['id']}/pause")).json["state"] == "paused"
        async with replayer(settings):
            ended = (
                await call("POST", f"/webhooks/{webhook['id']}/replay", {**BODY, "events": ["order.created"]})
            ).json
            await over(call, ended)  # the role is at work, and has passed the other one over
            assert {each.job_id for each in sent(settings)} == {ended["id"]}
            await asyncio.to_thread(commit_all, settings)  # what the other one has sent is no longer on its way
            assert (await call("POST", f"/jobs/{made['id']}/resume")).status == 200
            assert (await over(call, made))["state"] == "done"


async def test_cancelled_retries_are_on_record_as_cancelled(settings: Settings) -> None:
    waiting = events(4, account_id="acct_1")
    async with replica(settings, await new_account(settings)) as call, replayer(settings):
        webhook = await call.made(events=["order.*"])
        await known(settings, webhook, waiting, Outcome.FAILED, next_ms=NOW_MS + HOUR_MS)
        made = (await call("POST", f"/webhooks/{webhook['id']}/cancel-retries")).json
        shown = await over(call, made)
        assert (shown["state"], shown["progress"]["sent"]) == ("done", 4)
    lying = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().attempts)
    found = [CODEC.decode(each.value, Attempt) for each in lying]
    assert {(each.outcome, each.error) for each in found} == {(Outcome.CANCELLED, "retries_cancelled")}
    assert sorted(each.event_id for each in found) == sorted(event_ids(waiting))
    assert len({each.started_at_ms for each in found}) == 1
