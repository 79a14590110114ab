"""Jobs over the API: listed, read, held up, let go on, ended, and given another rate."""

from collections.abc import Mapping
from typing import Any

import pytest

from fakes.api import CODEC, Api, Reply, running_api
from fakes.recovery import job_written, position
from hookline.core.jobs import RATE_MAX, ShownState
from hookline.schemas.records import Job, JobKind, JobState, JobWish, Wanted, wish_key

PROBLEM = "urn:hookline:problem:"
AT_MS = 1_687_275_630_000
OVER = (JobState.DONE, JobState.CANCELLED, JobState.FAILED)


def wishes(api: Api) -> list[JobWish]:
    """What was wanted of jobs, each under its key."""
    records = [each for each in api.log.records if each.topic == api.parts.topics.jobs]
    found = [(each.key, CODEC.decode_any(each.value or b"")) for each in records]
    wanted = [(key, each) for key, each in found if isinstance(each, JobWish)]
    assert all(key == wish_key(each.job_id) for key, each in wanted)
    return [each for _, each in wanted]


async def asked(api: Api, job: Job, what: str) -> Reply:
    return await api.call("POST", f"/jobs/{job.job_id}/{what}")


# -- read -------------------------------------------------------------------------------------------------------------


async def test_a_job_shows_how_far_it_is(api: Api) -> None:
    job = await job_written(
        api,
        "wh_1",
        events=("user.*", "order.created"),
        everything=True,
        positions=(position(10, 20, 30), position(0, 0, 20)),
        looked_at=7,
        sent=4,
        left_out=2,
        lost=1,
        finished_at_ms=AT_MS + 3_600_000,
        detail="so it went",
        state=JobState.FAILED,
    )
    assert (await api.call("GET", f"/jobs/{job.job_id}")).json == {
        "id": job.job_id,
        "webhook_id": "wh_1",
        "kind": "replay",
        "state": "failed",
        "since": "2023-06-20T14:40:30Z",
        "until": "2023-06-20T15:40:30Z",
        "events": ["user.*", "order.created"],
        "everything": True,
        "rate": 100,
        "created_at": "2023-06-20T15:40:30Z",
        "finished_at": "2023-06-20T16:40:30Z",
        "progress": {"share": 0.25, "looked_at": 6, "sent": 4, "left_out": 2, "lost": 1},
        "detail": "so it went",
    }


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        (JobKind.REPLAY, set()),
        (JobKind.RECOVER, {"events", "everything"}),
        (JobKind.CANCEL_RETRIES, {"since", "events", "everything"}),
    ],
)
async def test_a_job_shows_what_means_something_for_its_kind(api: Api, kind: JobKind, left_out: set[str]) -> None:
    job = await job_written(api, "wh_1", kind=kind, events=("*",))
    told = (await api.call("GET", f"/jobs/{job.job_id}")).json
    assert told["kind"] == kind.value
    assert {"since", "until", "events", "everything"} - told.keys() == left_out


@pytest.mark.parametrize(
    ("kind", "looked_at"), [(JobKind.REPLAY, 6), (JobKind.RECOVER, 900), (JobKind.CANCEL_RETRIES, 900)]
)
async def test_a_replay_does_not_tell_what_the_log_has_of_others(api: Api, kind: JobKind, looked_at: int) -> None:
    job = await job_written(api, "wh_1", kind=kind, looked_at=900, sent=4, left_out=2)
    assert (await api.call("GET", f"/jobs/{job.job_id}")).json["progress"]["looked_at"] == looked_at


async def test_a_job_outlives_its_webhook(api: Api) -> None:
    made = await api.call.made()
    reply = await api.call("POST", f"/webhooks/{made['id']}/recover", {"since": "2023-06-20T14:15:30Z"})
    assert (await api.call("DELETE", f"/webhooks/{made['id']}")).status == 204
    assert (await api.call("GET", reply.headers["Location"])).json == reply.json
    assert (await api.call("GET", f"/webhooks/{made['id']}/jobs")).status == 404
    assert (await api.call("POST", f"{reply.headers['Location']}/cancel")).status == 200


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"rate": 5}),
        ("PATCH", "", {}),
        ("POST", "/pause", None),
        ("POST", "/resume", None),
        ("POST", "/cancel", None),
    ],
)
async def test_what_is_another_accounts_is_unknown(api: Api, method: str, suffix: str, body: object) -> None:
    job = await job_written(api, "wh_1")
    for caller, job_id in ((api.stranger, job.job_id), (api.call, "job_none"), (api.call, f"{job.job_id}%2Fwish")):
        reply = await caller(method, f"/jobs/{job_id}{suffix}", body)
        assert (reply.status, reply.json["type"]) == (404, f"{PROBLEM}unknown-job")
    assert wishes(api) == []


# -- listed -----------------------------------------------------------------------------------------------------------


async def pages(api: Api, path: str, limit: int) -> list[list[str]]:
    """The ids of each page."""
    found, cursor = list[list[str]](), ""
    while True:
        page = (await api.call("GET", f"{path}?limit={limit}{cursor}")).json
        found.append([each["id"] for each in page["jobs"]])
        if "next_cursor" not in page:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def test_jobs_are_listed_the_newest_first_page_by_page(api: Api) -> None:
    made, other = await api.call.made(), await api.call.made()
    path = f"/webhooks/{made['id']}/jobs"
    assert (await api.call("GET", path)).json == {"jobs": []}
    written = [await job_written(api, made["id"], created_at_ms=AT_MS + number // 2) for number in range(7)]
    await job_written(api, other["id"])
    newest_first = sorted(written, key=lambda each: (each.created_at_ms, each.job_id), reverse=True)
    wanted = [each.job_id for each in newest_first]
    assert await pages(api, path, 3) == [wanted[:3], wanted[3:6], wanted[6:]]
    assert await pages(api, path, 7) == [wanted]


async def test_a_job_that_is_made_meanwhile_makes_no_other_appear_twice(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}/jobs"
    old = [await job_written(api, made["id"], created_at_ms=AT_MS + number) for number in range(4)]
    first = (await api.call("GET", f"{path}?limit=2")).json
    await job_written(api, made["id"], created_at_ms=AT_MS + 9)
    second = (await api.call("GET", f"{path}?limit=2&cursor={first['next_cursor']}")).json
    assert [each["id"] for each in first["jobs"] + second["jobs"]] == [each.job_id for each in reversed(old)]


async def test_jobs_are_listed_by_the_state_that_is_shown(api: Api) -> None:
    made = await api.call.made()
    by_state = {state.value: await job_written(api, made["id"], state=state) for state in JobState}
    paused = by_state["paused"] = await job_written(api, made["id"])
    assert (await asked(api, paused, "pause")).status == 200
    for state in ShownState:
        found = (await api.call("GET", f"/webhooks/{made['id']}/jobs?state={state}")).json["jobs"]
        assert [(each["id"], each["state"]) for each in found] == [(by_state[state].job_id, state.value)]


@pytest.mark.parametrize("query", ["state=over", "limit=0", "cursor=nonsense", "cursor=YXVkaXQ6MTp4", "colour=red"])
async def test_a_query_that_is_wrong_is_named(api: Api, query: str) -> None:
    made = await api.call.made()
    reply = await api.call("GET", f"/webhooks/{made['id']}/jobs?{query}")
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, query.partition("=")[0])


# -- wanted -----------------------------------------------------------------------------------------------------------


async def test_a_job_is_held_up_goes_on_and_is_ended(api: Api) -> None:
    job = await job_written(api, "wh_1")
    told = [(await asked(api, job, what)) for what in ("pause", "resume", "cancel")]
    assert [(each.status, each.json["state"]) for each in told] == [
        (200, "paused"),
        (200, "running"),
        (200, "cancelled"),
    ]
    written = wishes(api)
    assert [each.wanted for each in written] == [Wanted.PAUSE, Wanted.RUN, Wanted.CANCEL]
    assert written[0] == JobWish(
        job_id=job.job_id, account_id=api.account_id, wanted=Wanted.PAUSE, rate=100, at_ms=written[0].at_ms
    )
    assert (await api.call("GET", f"/jobs/{job.job_id}")).json == told[-1].json


async def test_a_job_that_comes_to_its_end_while_it_is_cancelled_stays_cancelled(api: Api) -> None:
    job = await job_written(api, "wh_1")
    assert (await asked(api, job, "cancel")).json["state"] == "cancelled"
    await job_written(api, "wh_1", job_id=job.job_id, state=JobState.DONE, finished_at_ms=AT_MS)  # under way already
    told = (await api.call("GET", f"/jobs/{job.job_id}")).json
    assert (told["state"], told["progress"]["share"], "finished_at" in told) == ("cancelled", 1.0, True)
    again = await asked(api, job, "cancel")
    assert (again.status, again.json["state"]) == (200, "cancelled")


@pytest.mark.parametrize("what", ["pause", "resume", "cancel"])
async def test_to_ask_twice_changes_nothing(api: Api, what: str) -> None:
    job = await job_written(api, "wh_1")
    first = await asked(api, job, what)
    written = len(api.log.records)
    again = await asked(api, job, what)
    assert (again.status, again.json) == (200, first.json)
    assert len(api.log.records) == written
    assert len(wishes(api)) == (0 if what == "resume" else 1)


async def test_another_rate_holds_beside_what_was_wanted(api: Api) -> None:
    job = await job_written(api, "wh_1")
    path = f"/jobs/{job.job_id}"
    await asked(api, job, "pause")
    slower = await api.call("PATCH", path, {"rate": 5})
    assert (slower.status, slower.json["rate"], slower.json["state"]) == (200, 5, "paused")
    same = await api.call("PATCH", path, {"rate": 5.0})
    assert (same.status, same.json) == (200, slower.json)
    resumed = await asked(api, job, "resume")
    assert (resumed.json["rate"], resumed.json["state"]) == (5, "running")
    assert [(each.wanted, each.rate) for each in wishes(api)] == [
        (Wanted.PAUSE, 100),
        (Wanted.PAUSE, 5),
        (Wanted.RUN, 5),
    ]


@pytest.mark.parametrize("body", [{}, {"rate": 0}, {"rate": RATE_MAX + 1}, {"rate": None}, {"rate": 5, "state": "x"}])
async def test_a_rate_that_is_none_is_named(api: Api, body: Mapping[str, Any]) -> None:
    job = await job_written(api, "wh_1")
    reply = await api.call("PATCH", f"/jobs/{job.job_id}", body)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "state" if "state" in body else "rate")
    assert wishes(api) == []


@pytest.mark.parametrize("state", OVER)
async def test_of_what_is_over_nothing_can_be_changed(api: Api, state: JobState) -> None:
    job = await job_written(api, "wh_1", state=state)
    replies = [await asked(api, job, what) for what in ("pause", "resume", "cancel")]
    replies.append(await api.call("PATCH", f"/jobs/{job.job_id}", {"rate": 5}))
    is_same = state is JobState.CANCELLED
    assert [each.status for each in replies] == [409, 409, 200 if is_same else 409, 409]
    refused = [each.json for each in replies if each.status == 409]
    assert {each["type"] for each in refused} == {f"{PROBLEM}job-is-over"}
    assert all(state.value in each["detail"] for each in refused)
    assert wishes(api) == []


async def test_what_is_to_end_does_not_go_on(api: Api) -> None:
    job = await job_written(api, "wh_1")
    await asked(api, job, "cancel")
    assert {(await asked(api, job, what)).status for what in ("pause", "resume")} == {409}
    assert (await api.call("PATCH", f"/jobs/{job.job_id}", {"rate": 5})).status == 409


async def test_every_wish_is_in_the_audit(api: Api) -> None:
    job = await job_written(api, "wh_1")
    for what in ("pause", "pause", "resume", "cancel"):
        await asked(api, job, what)
    job = await job_written(api, "wh_1")
    await api.call("PATCH", f"/jobs/{job.job_id}", {"rate": 5})
    told = api.audited
    assert [each.operation for each in told] == ["job.pause", "job.resume", "job.cancel", "job.change"]
    assert {each.account_id for each in told} == {api.account_id}
    assert told[-1].subject == job.job_id
    assert '"rate":100' in (told[-1].before or "")
    assert '"rate":5' in (told[-1].after or "")


async def test_a_wish_that_kafka_does_not_confirm_is_no_bug() -> None:
    async with running_api(answer_s=0.2) as api:
        job = await job_written(api, "wh_1")
        api.log.is_silent = True
        for what in ("pause", "cancel"):
            assert (await asked(api, job, what)).status == 503


async def test_a_reader_sees_jobs_and_changes_none(api: Api) -> None:
    job = await job_written(api, "wh_1")
    key = (await api.admin("POST", f"/accounts/{api.account_id}/keys", {"name": "k", "scope": "read"})).json["key"]
    reader = api.call.with_key(key)
    assert (await reader("GET", f"/jobs/{job.job_id}")).status == 200
    assert (await reader("POST", f"/jobs/{job.job_id}/pause")).status == 403
