"""A dry run: what a replay would send is counted, and nothing is made."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.api import Api, Caller
from fakes.beside import beside
from fakes.fanout import until
from fakes.recovery import CountedInMemory, posted
from hookline.core.ids import delivery_id
from hookline.core.progress import State
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Event

SINCE, SINCE_MS = "2023-06-20T14:15:30Z", 1_687_270_530_000
PROBLEM = "urn:hookline:problem:"


def counting(api: Api) -> CountedInMemory:
    assert isinstance(api.parts.counting, CountedInMemory)
    return api.parts.counting


def event(api: Api, number: int, event_type: str = "user.created", *, account_id: str = "") -> Event:
    at = datetime.fromtimestamp(SINCE_MS / 1_000, UTC) + timedelta(seconds=number)
    return Event(
        event_id=f"evt_{number}", account_id=account_id or api.account_id, type=event_type, occurred_at=at, data={}
    )


async def test_a_dry_run_counts_what_is_the_accounts_own_and_makes_nothing(api: Api) -> None:
    made = await api.call.made(events=["user.*", "order.created"])
    types = ("user.created", "user.deleted", "order.created", "payment.failed")
    counter = counting(api)
    counter.events = [event(api, number, types[number % 4]) for number in range(40)]
    counter.events += [event(api, number, account_id=api.foreign_id) for number in range(40, 50)]
    known = [delivery_id(api.account_id, f"evt_{number}", made["id"]) for number in (0, 4, 8)]
    counter.states = dict(zip(known, (State.SUCCEEDED, State.RETRYING, State.EXHAUSTED), strict=True))
    written = len(api.log.records)
    reply = await posted(api, made, "replay", {"since": SINCE, "dry_run": True, "rate": 3})
    assert (reply.status, reply.json) == (
        200,
        {
            "looked_at": 30,
            "wanted": 28,
            "left_out": 2,
            "unreadable": 0,
            "by_type": {"user.created": 8, "user.deleted": 10, "order.created": 10},
            "is_whole": True,
            "takes_s": 10,
        },
    )
    assert "Location" not in reply.headers
    assert len(api.log.records) == written


async def test_a_dry_run_counts_what_the_replay_would_send(api: Api) -> None:
    made = await api.call.made(events=["*"])
    counter = counting(api)
    counter.events = [event(api, number, ("user.created", "order.created")[number % 2]) for number in range(10)]
    counter.states = {delivery_id(api.account_id, "evt_2", made["id"]): State.SUCCEEDED}
    counter.is_whole = False
    body = {"since": SINCE, "until": "2023-06-20T14:15:36Z", "events": ["user.*"], "dry_run": True}
    some = (await posted(api, made, "replay", body)).json
    assert some["looked_at"] == 3
    assert (some["wanted"], some["left_out"], some["is_whole"], some["takes_s"]) == (2, 1, False, 1)
    everything = (await posted(api, made, "replay", {**body, "everything": True})).json
    assert (everything["wanted"], everything["left_out"]) == (3, 0)


async def test_one_of_an_account_and_two_in_all_are_counted_at_a_time(api: Api) -> None:
    counter, third = counting(api), await another_account(api)
    counter.held = asyncio.Event()
    body = {"since": SINCE, "dry_run": True}
    paths = [f"/webhooks/{(await call.made())['id']}/replay" for call in (api.call, api.stranger, third)]
    first = asyncio.create_task(api.call("POST", paths[0], body))
    await until(lambda: counter.under_way == 1)
    same = await api.call("POST", paths[0], body)
    assert (same.status, same.json["type"]) == (429, f"{PROBLEM}too-many-requests")
    second = asyncio.create_task(api.stranger("POST", paths[1], body))
    await until(lambda: counter.under_way == 2)
    full = await third("POST", paths[2], body)
    assert (full.status, full.json["type"]) == (503, f"{PROBLEM}unavailable")
    assert all(int(each.headers["Retry-After"]) >= 1 for each in (same, full))
    assert (await api.call("POST", paths[0], {"since": SINCE})).status == 202  # making one is another thing
    counter.held.set()
    assert {each.status for each in await asyncio.gather(first, second)} == {200}
    assert (await api.call("POST", paths[0], body)).status == 200


async def another_account(api: Api) -> Caller:
    account_id = (await api.admin("POST", "/accounts", {"name": "third"})).json["id"]
    key = (await api.admin("POST", f"/accounts/{account_id}/keys", {"name": "k"})).json["key"]
    return api.call.with_key(key)


async def test_counting_that_gets_no_answer_is_no_bug_and_gives_its_place_back(api: Api) -> None:
    made = await api.call.made()
    counting(api).error = NotYet("the broker is away")
    for _ in range(3):
        reply = await posted(api, made, "replay", {"since": SINCE, "dry_run": True})
        assert (reply.status, "nothing could be counted" in reply.json["detail"]) == (503, True)
    counting(api).error = None
    assert (await posted(api, made, "replay", {"since": SINCE, "dry_run": True})).status == 200


async def test_a_key_that_is_revoked_while_its_body_comes_counts_nothing(api: Api) -> None:
    made = await api.call.made()
    path = f"/accounts/{api.account_id}/keys"
    key = (await api.admin("POST", path, {"name": "k"})).json
    counter = CountedInMemory()

    async def slowly() -> Any:
        yield b'{"since": "2023-06-20T14:15:30Z", '
        assert (await api.admin("DELETE", f"{path}/{key['id']}")).status == 204
        yield b'"dry_run": true}'

    async with beside(api, counting=counter) as other:
        reply = await other.call.with_key(key["key"])("POST", f"/webhooks/{made['id']}/replay", data=slowly())
    assert reply.status == 401
