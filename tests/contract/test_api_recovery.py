"""Recovering, replaying and cancelling: the jobs that are made of it, and when the answer is no."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes.api import Api, judge, running_api
from fakes.clock import SetClock
from fakes.judgements import disabling
from fakes.recovery import job_written, jobs, posted
from hookline.api.answers import timestamp
from hookline.core.jobs import KEPT_MAX, OPEN_MAX, RATE_MAX, RATE_USUAL
from hookline.processors.job_view import is_nobodys
from hookline.schemas.records import Job, JobKind, JobState

SINCE, SINCE_MS = "2023-06-20T14:15:30Z", 1_687_270_530_000
UNTIL, UNTIL_MS = "2023-06-21T16:15:30.250+02:00", 1_687_356_930_250
PROBLEM = "urn:hookline:problem:"
NOTHING_DONE = {"share": 0.0, "looked_at": 0, "sent": 0, "left_out": 0, "lost": 0}


# -- what is written --------------------------------------------------------------------------------------------------


async def test_a_replay_is_a_job_that_waits(api: Api) -> None:
    made = await api.call.made(events=["user.*", "order.created"])
    body = {"since": SINCE, "until": UNTIL, "events": ["user.created"], "everything": True, "rate": 5}
    reply = await posted(api, made, "replay", body)
    (job,) = jobs(api)
    assert reply.status == 202
    assert reply.headers["Location"] == f"/jobs/{job.job_id}"
    assert reply.json == {
        "id": job.job_id,
        "webhook_id": made["id"],
        "kind": "replay",
        "state": "waiting",
        "since": SINCE,
        "until": "2023-06-21T14:15:30Z",
        "events": ["user.created"],
        "everything": True,
        "rate": 5,
        "created_at": timestamp(job.created_at_ms),
        "progress": NOTHING_DONE,
    }
    assert job == Job(
        job_id=job.job_id,
        account_id=api.account_id,
        subscription_id=made["id"],
        kind=JobKind.REPLAY,
        state=JobState.WAITING,
        run=job.created_at_ms,
        since_ms=SINCE_MS,
        until_ms=UNTIL_MS,
        events=("user.created",),
        everything=True,
        rate=5,
        created_at_ms=job.created_at_ms,
        at_ms=job.created_at_ms,
    )
    assert job.job_id.startswith("job_")
    assert (await api.call("GET", reply.headers["Location"])).json == reply.json


async def test_what_is_left_out_is_now_and_all_that_the_webhook_wants(api: Api) -> None:
    made = await api.call.made()
    before_ms = api.parts.clock.now_ms()
    reply = await posted(api, made, "replay", {"since": SINCE})
    (job,) = jobs(api)
    assert before_ms <= job.until_ms <= api.parts.clock.now_ms()
    assert (job.events, job.everything, job.rate) == ((), False, RATE_USUAL)
    assert "events" not in reply.json
    assert reply.json["everything"] is False


async def test_a_recovery_is_a_job_of_its_kind(api: Api) -> None:
    made = await api.call.made()
    reply = await posted(api, made, "recover", {"since": SINCE, "until": UNTIL, "rate": 7})
    (job,) = jobs(api)
    assert (job.kind, job.since_ms, job.until_ms, job.rate) == (JobKind.RECOVER, SINCE_MS, UNTIL_MS, 7)
    assert (reply.status, reply.json["kind"], reply.json["since"]) == (202, "recover", SINCE)
    assert reply.json.keys().isdisjoint({"events", "everything"})


async def test_cancelling_retries_changes_the_webhook_and_makes_a_job(api: Api) -> None:
    made = await api.call.made()
    reply = await posted(api, made, "cancel-retries")
    (job,) = jobs(api)
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    assert (subscription.version, subscription.judged_from) == (2, 1)
    assert subscription.cancelled_before_ms == job.until_ms <= job.created_at_ms
    assert (job.kind, job.since_ms, job.state) == (JobKind.CANCEL_RETRIES, 0, JobState.WAITING)
    assert (reply.status, reply.json["kind"]) == (202, "cancel_retries")
    assert reply.headers["Location"] == f"/jobs/{job.job_id}"
    assert reply.headers["ETag"] == '"2"'
    assert "since" not in reply.json
    shown = (await api.call("GET", f"/webhooks/{made['id']}")).json
    assert shown == {name: value for name, value in made.items() if name != "secret"}


async def test_cancelling_retries_enables_nothing_and_heeds_if_match(api: Api) -> None:
    made = await api.call.made()
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    reply = await posted(api, made, "cancel-retries", headers={"If-Match": '"1"'})
    assert (reply.status, reply.headers["ETag"]) == (412, '"1-disabled"')
    assert jobs(api) == []
    reply = await posted(api, made, "cancel-retries", headers={"If-Match": '"1-disabled"'})
    assert (reply.status, reply.headers["ETag"]) == (202, '"2-disabled"')


async def test_a_clock_that_is_set_back_brings_no_retry_back() -> None:
    clock = SetClock()
    clock.s = UNTIL_MS / 1_000
    async with running_api(clock=clock) as api:
        made = await api.call.made()
        await posted(api, made, "cancel-retries")
        clock.s -= 5
        await posted(api, made, "cancel-retries")
        first, second = jobs(api)
        assert (first.until_ms, second.until_ms) == (UNTIL_MS, UNTIL_MS + 1)  # which says that it happened again
        assert second.run > first.run


async def test_a_webhook_that_was_made_by_a_clock_that_was_ahead_has_jobs_that_are_its_own() -> None:
    clock = SetClock()
    clock.s = UNTIL_MS / 1_000
    async with running_api(clock=clock) as api:
        made = await api.call.made()
        clock.s -= 600
        for what in ("replay", "recover", "cancel-retries"):
            assert (await posted(api, made, what, {"since": SINCE})).status == 202
        assert [is_nobodys(each, api.view) for each in jobs(api)] == [False] * 3
        assert {each.created_at_ms for each in jobs(api)} == {UNTIL_MS}


async def test_no_two_jobs_of_a_webhook_have_the_same_run() -> None:
    clock = SetClock()
    clock.s = UNTIL_MS / 1_000
    async with running_api(clock=clock) as api:
        made = await api.call.made()
        for what in ("replay", "recover", "replay"):
            assert (await posted(api, made, what, {"since": SINCE})).status == 202
        assert [each.run - UNTIL_MS for each in jobs(api)] == [0, 1, 2]


async def test_every_job_is_in_the_audit_with_its_change(api: Api) -> None:
    made = await api.call.made()
    replies = [
        await posted(api, made, "replay", {"since": SINCE}),
        await posted(api, made, "recover", {"since": SINCE}),
        await posted(api, made, "cancel-retries"),
    ]
    told = api.audited[1:]
    assert [each.operation for each in told] == [*["job.create"] * 2, "webhook.cancel-retries", "job.create"]
    assert [each.subject for each in told if each.operation == "job.create"] == [each.json["id"] for each in replies]
    assert told[2].subject == made["id"]
    assert {each.account_id for each in told} == {api.account_id}
    assert told[0].before is None
    assert f'"webhook_id":"{made["id"]}"' in (told[0].after or "")


@pytest.mark.parametrize("what", ["replay", "recover", "cancel-retries"])
async def test_a_webhook_that_is_paused_or_disabled_may_have_jobs_that_wait(api: Api, what: str) -> None:
    made = await api.call.made()
    await api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"})
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    assert (await posted(api, made, what, {"since": SINCE})).status == 202


# -- the answer is no -------------------------------------------------------------------------------------------------


def soon(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({}, "since"),
    ({"since": None}, "since"),
    ({"since": 1_687_270_530}, "since"),
    ({"since": "2023-06-20T14:15:30"}, "since"),
    ({"since": "2023-02-30T14:15:30Z"}, "since"),
    ({"since": "yesterday"}, "since"),
    ({"since": soon(3_600)}, "since"),
    ({"since": soon(3_600), "until": soon(7_200)}, "since"),
    ({"since": SINCE, "until": soon(3_600)}, "until"),
    ({"since": SINCE, "until": SINCE}, "until"),
    ({"since": UNTIL, "until": SINCE}, "until"),
    ({"since": "1969-01-01T00:00:00Z", "until": "1969-12-31T23:59:59.999Z"}, "until"),
    ({"since": SINCE, "rate": 0}, "rate"),
    ({"since": SINCE, "rate": RATE_MAX + 1}, "rate"),
    ({"since": SINCE, "rate": 1.5}, "rate"),
    ({"since": SINCE, "rate": "9"}, "rate"),
    ({"since": SINCE, "rate": True}, "rate"),
    ({"since": SINCE, "colour": "red"}, "colour"),
]
WRONG_REPLAYS: list[tuple[Mapping[str, Any], str]] = [
    ({"since": SINCE, "events": []}, "events"),
    ({"since": SINCE, "events": ["user.create"]}, "events"),
    ({"since": SINCE, "events": ["user.created", "user.created"]}, "events"),
    ({"since": SINCE, "events": "user.created"}, "events"),
    ({"since": SINCE, "events": [1]}, "events[0]"),
    ({"since": SINCE, "everything": 1}, "everything"),
    ({"since": SINCE, "dry_run": "yes"}, "dry_run"),
    ({"since": SINCE, "dry_run": None}, "dry_run"),
]


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        *(("recover", *each) for each in [*WRONG, ({"since": SINCE, "dry_run": True}, "dry_run")]),
        *(("replay", *each) for each in WRONG + WRONG_REPLAYS),
        *(("replay", {**body, "dry_run": True}, field) for body, field in WRONG[-12:]),
    ],
)
async def test_what_is_wrong_is_named(api: Api, what: str, body: Mapping[str, Any], field: str) -> None:
    made = await api.call.made()
    reply = await posted(api, made, what, body)
    assert (reply.status, reply.json["type"]) == (422, f"{PROBLEM}invalid-field"), reply.text
    assert [each["field"] for each in reply.json["errors"]] == [field]
    assert jobs(api) == []


@pytest.mark.parametrize("is_dry", [False, True])
async def test_events_that_the_webhook_does_not_want_are_named(api: Api, is_dry: bool) -> None:
    made = await api.call.made(events=["user.*"])
    body = {"since": SINCE, "events": ["user.created", "order.*"], "dry_run": is_dry}
    reply = await posted(api, made, "replay", body)
    assert (reply.status, reply.json["type"]) == (422, f"{PROBLEM}events-not-wanted")
    (said,) = reply.json["errors"]
    assert said == {
        "field": "events",
        "detail": "has 'order.*', which fits no event type that the webhook wants; "
        "it wants: user.created, user.deleted, user.updated",
    }
    assert jobs(api) == []


@pytest.mark.parametrize("events", [["*"], ["user.*"], ["user.created"], None])
async def test_a_pattern_need_only_fit_one_type_that_the_webhook_wants(api: Api, events: list[str] | None) -> None:
    made = await api.call.made(events=["user.created"])
    assert (await posted(api, made, "replay", {"since": SINCE, "events": events})).status == 202


async def test_a_time_that_another_clock_has_already_is_now(api: Api) -> None:
    made = await api.call.made()
    assert (await posted(api, made, "replay", {"since": SINCE, "until": soon(20)})).status == 202
    (job,) = jobs(api)
    assert job.until_ms <= api.parts.clock.now_ms()


async def test_a_time_before_1970_is_the_beginning(api: Api) -> None:
    made = await api.call.made()
    body = {"since": "0001-01-01T00:00:00+23:59", "until": UNTIL}
    assert (await posted(api, made, "replay", body)).status == 202
    assert jobs(api)[0].since_ms == 0


@pytest.mark.parametrize("what", ["replay", "recover", "cancel-retries"])
async def test_what_is_another_accounts_is_unknown_whatever_the_body(api: Api, what: str) -> None:
    made = await api.call.made()
    for webhook in (made["id"], "wh_none"):
        for body in ({"since": SINCE}, {"since": SINCE, "dry_run": True}, {}):
            reply = await api.stranger("POST", f"/webhooks/{webhook}/{what}", body)
            assert (reply.status, reply.json["type"]) == (404, f"{PROBLEM}unknown-webhook")
    assert jobs(api) == []


@pytest.mark.parametrize("what", ["replay", "recover", "cancel-retries"])
async def test_a_webhook_has_so_many_open_jobs_and_no_more(api: Api, what: str) -> None:
    made, other = await api.call.made(), await api.call.made()
    for number in range(OPEN_MAX):
        await posted(api, made, ("replay", "recover", "cancel-retries")[number % 3], {"since": SINCE})
    version = '"4"'
    reply = await posted(api, made, what, {"since": SINCE})
    assert (reply.status, reply.json["type"]) == (409, f"{PROBLEM}too-many-jobs")
    assert len(jobs(api)) == OPEN_MAX
    assert (await api.call("GET", f"/webhooks/{made['id']}")).headers["ETag"] == version
    assert (await posted(api, other, what, {"since": SINCE})).status == 202
    one = jobs(api)[0]
    assert (await api.call("POST", f"/jobs/{one.job_id}/cancel")).status == 200
    assert (await posted(api, made, what, {"since": SINCE})).status == 202


async def test_jobs_that_are_over_are_not_open(api: Api) -> None:
    made = await api.call.made()
    for number in range(3 * OPEN_MAX):
        state = (JobState.DONE, JobState.CANCELLED, JobState.FAILED)[number % 3]
        await job_written(api, made["id"], state=state)
    assert (await posted(api, made, "replay", {"since": SINCE})).status == 202


async def test_a_webhook_has_so_many_jobs_that_are_kept_and_no_more(api: Api) -> None:
    made, other = await api.call.made(), await api.call.made()
    for number in range(KEPT_MAX):
        state = (JobState.DONE, JobState.CANCELLED, JobState.FAILED)[number % 3]
        await job_written(api, made["id"], state=state)
    for what in ("replay", "recover", "cancel-retries"):
        reply = await posted(api, made, what, {"since": SINCE})
        assert (reply.status, reply.json["type"]) == (409, f"{PROBLEM}too-many-jobs")
        assert "Ask again later" in reply.json["detail"]
    assert len(jobs(api)) == KEPT_MAX
    assert (await posted(api, other, "replay", {"since": SINCE})).status == 202


async def test_a_change_that_kafka_does_not_confirm_is_no_bug() -> None:
    async with running_api(answer_s=0.2) as api:
        made = await api.call.made()
        api.log.is_down = True
        for what in ("replay", "recover", "cancel-retries"):
            reply = await posted(api, made, what, {"since": SINCE})
            assert (reply.status, reply.json["type"]) == (503, f"{PROBLEM}unavailable")
