"""The API when Kafka or the history store is away: a 503 that says what is known of the change."""

import asyncio

import pytest

from fakes.api import Api, running_api
from fakes.contract import CONTRACT_WEBHOOK
from hookline.schemas.errors import NotYet


@pytest.mark.parametrize("state", ["is_down", "is_silent"])
async def test_a_write_that_kafka_does_not_confirm_says_that_its_fate_is_unknown(state: str) -> None:
    async with running_api(answer_s=0.2) as api:
        made = await api.call.made()
        path = f"/webhooks/{made['id']}"
        setattr(api.log, state, True)
        replies = [
            await api.call("POST", "/webhooks", CONTRACT_WEBHOOK),
            await api.call("PUT", path, {"status": "paused"}),
            await api.call("POST", f"{path}/test", {"event": "user.created"}),
            await api.call("DELETE", path),
        ]
        for reply in replies:
            assert (reply.status, reply.json["type"]) == (503, "urn:hookline:problem:unavailable")
            assert int(reply.headers["Retry-After"]) >= 1
            assert "not known" in reply.json["detail"]
        assert (await api.call("GET", "/webhooks")).status == 200
        setattr(api.log, state, False)
        assert (await api.call("POST", "/webhooks", CONTRACT_WEBHOOK)).status == 201


async def test_changes_that_queue_behind_one_that_waits_are_refused_in_time() -> None:
    async with running_api(answer_s=0.2) as api:
        made = await api.call.made()
        path = f"/webhooks/{made['id']}"
        api.log.is_silent, api.log.is_followed = True, False
        replies = await asyncio.gather(*(api.call("PUT", path, {"status": "paused"}) for _ in range(20)))
        said = [reply.json["detail"] for reply in replies]
        assert {reply.status for reply in replies} == {503}
        assert sum("Nothing was changed" in each for each in said) >= 17


async def test_who_may_not_change_a_webhook_does_not_wait_for_those_who_may() -> None:
    async with running_api(answer_s=0.5) as api:
        made = await api.call.made()
        path, written = f"/webhooks/{made['id']}", len(api.log.records)
        api.log.is_silent, api.log.is_followed = True, False
        waiting = asyncio.create_task(api.call("PUT", path, {"status": "paused"}))
        while len(api.log.records) == written:
            await asyncio.sleep(0)
        for method in ("PUT", "DELETE"):
            assert (await api.stranger(method, path, {})).status == 404
        assert not waiting.done()
        await waiting


async def test_a_write_that_is_not_read_back_in_time_is_not_confirmed() -> None:
    async with running_api(answer_s=0.2) as api:
        api.log.is_followed = False
        reply = await api.call("POST", "/webhooks", CONTRACT_WEBHOOK)
        assert reply.status == 503
        assert "will take effect" in reply.json["detail"]


async def test_an_api_that_still_reads_its_configuration_says_so(api: Api) -> None:
    api.view._ready.clear()
    reply = await api.call("GET", "/webhooks")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")


async def test_a_history_store_that_is_away_is_no_bug(api: Api) -> None:
    made = await api.call.made()
    api.history.error = NotYet("the store is busy")
    for suffix in ("deliveries", "logs"):
        reply = await api.call("GET", f"/webhooks/{made['id']}/{suffix}")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
