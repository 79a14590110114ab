"""Dead letters over the API: listed, read and sent again by administrators, and by nobody else."""

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest

from fakes.api import CODEC, Api, LettersInMemory
from fakes.letters import BODY, buried, given_up, letter, of_run
from fakes.reach import ReachOfHistory
from hookline.core.progress import State
from hookline.core.resending import Known
from hookline.runtime.clock import SystemClock
from hookline.schemas.errors import NotYet
from hookline.schemas.records import AuditEntry, DeadLetter, DeathReason, Delivery

THE_REST = {"subscription_id": "wh_1", "event_id": "evt_1", "event_type": "user.created"}


def unreadable(number: int, payload: bytes | None = b"rubbish") -> DeadLetter:
    return DeadLetter(
        reason=DeathReason.UNREADABLE,
        detail="the bytes are no record",
        at_ms=number,
        topic="t.events.user",
        partition=1,
        offset=number,
        payload_bytes=7,
        payload=payload,
    )


async def test_they_are_listed_the_newest_first_page_by_page(api: Api) -> None:
    await buried(api, *(letter(number) for number in range(5)))
    first = (await api.admin("GET", "/dead-letters?limit=3")).json
    second = (await api.admin("GET", f"/dead-letters?limit=3&cursor={first['next_cursor']}")).json
    assert [each["delivery_id"] for each in first["letters"]] == ["delivery_4", "delivery_3", "delivery_2"]
    assert [each["delivery_id"] for each in second["letters"]] == ["delivery_1", "delivery_0"]
    assert "next_cursor" not in second
    assert "payload" not in first["letters"][0]


async def test_they_are_filtered_by_reason_and_account(api: Api) -> None:
    await buried(api, letter(0), letter(1, account_id="acct_2"), unreadable(2))
    for query, wanted in (("reason=unreadable", ["0-2"]), ("account_id=acct_1", ["0-0"]), ("reason=expired", [])):
        found = (await api.admin("GET", f"/dead-letters?{query}")).json["letters"]
        assert [each["id"] for each in found] == wanted


async def test_an_unreadable_record_shows_its_place_reason_and_bytes(api: Api) -> None:
    await buried(api, unreadable(7))
    found = (await api.admin("GET", "/dead-letters/0-0")).json
    assert base64.b64decode(found["payload"]) == b"rubbish"
    assert (found["topic"], found["partition"], found["offset"], found["payload_bytes"]) == ("t.events.user", 1, 7, 7)
    assert (found["reason"], found["detail"]) == ("unreadable", "the bytes are no record")
    assert "delivery_id" not in found


async def own(api: Api, number: int, **changes: Any) -> DeadLetter:
    """A letter of a webhook that is there."""
    webhook = await api.call.made()
    return letter(number, account_id=api.account_id, subscription_id=webhook["id"], **changes)


async def test_a_delivery_is_sent_again_as_a_run_of_its_own(api: Api) -> None:
    dead = await own(api, 1)
    await buried(api, dead)
    reply = await api.admin("POST", "/dead-letters/0-0/redrive")
    assert (reply.status, reply.json) == (202, {"redriven": 1, "left_out": 0})
    (value,) = api.log.values(api.parts.topics.deliveries)
    sent = CODEC.decode(value, Delivery)
    assert (sent.delivery_id, sent.attempt, sent.body, sent.subscription_id) == (
        "delivery_1",
        1,
        BODY,
        dead.subscription_id,
    )
    assert (sent.run > 0, sent.origin, sent.config_offset) == (True, None, api.view.applied)
    entry = CODEC.decode(api.log.values(api.parts.topics.audit)[-1], AuditEntry)
    assert (entry.operation, entry.subject, entry.account_id) == ("dead-letter.redrive", "0-0", api.account_id)


async def test_one_shows_the_body_that_was_sent(api: Api) -> None:
    await buried(api, letter(1))
    found = (await api.admin("GET", "/dead-letters/0-0")).json
    assert base64.b64decode(found["payload"]) == BODY


async def test_what_is_of_a_webhook_that_is_gone_is_not_written_anew(api: Api) -> None:
    dead = await own(api, 1)
    await api.call("DELETE", f"/webhooks/{dead.subscription_id}")
    await buried(api, dead, letter(2, subscription_id=dead.subscription_id, account_id="acct_of_another"))
    reply = await api.admin("POST", "/dead-letters/0-0/redrive")
    assert (reply.status, reply.json["type"]) == (409, "urn:hookline:problem:not-redrivable")
    assert (await api.admin("POST", "/redrives", {})).json == {"redriven": 0, "left_out": 2}
    assert not api.log.values(api.parts.topics.deliveries)


async def test_a_delivery_that_an_older_release_could_not_read_goes_where_its_webhooks_others_are(api: Api) -> None:
    value = CODEC.encode(given_up({"delivery_id": "delivery_1", "account_id": "acct_1", **THE_REST}))
    await buried(api, replace(unreadable(1, payload=value), topic=api.parts.topics.redeliveries))
    assert (await api.admin("POST", "/dead-letters/0-0/redrive")).status == 202
    (written,) = [each for each in api.log.records if each.topic == api.parts.topics.redeliveries]
    assert (written.key, written.value) == (b"wh_1", value)


async def test_a_source_record_is_sent_again_as_it_came(api: Api) -> None:
    await buried(api, unreadable(1))
    assert (await api.admin("POST", "/dead-letters/0-0/redrive")).status == 202
    assert api.log.values("t.events.user") == [b"rubbish"]


async def test_all_of_a_kind_are_sent_again_and_what_was_not_kept_is_counted(api: Api) -> None:
    await buried(api, await own(api, 0), unreadable(1), letter(2, payload=None), await own(api, 3))
    reply = await api.admin("POST", "/redrives", {"reason": "exhausted"})
    assert reply.json == {"redriven": 2, "left_out": 1}
    sent = [CODEC.decode(each, Delivery).delivery_id for each in api.log.values(api.parts.topics.deliveries)]
    assert sent == ["delivery_3", "delivery_0"]


def sent(api: Api) -> list[str]:
    """Deliveries that were sent again, in order."""
    return [CODEC.decode(each, Delivery).delivery_id for each in api.log.values(api.parts.topics.deliveries)]


async def test_of_a_delivery_that_died_often_one_letter_is_sent(api: Api) -> None:
    first = await own(api, 1)
    again = replace(first, reason=DeathReason.EXPIRED)
    await buried(api, first, again, replace(await own(api, 2), payload=None), first, unreadable(5), unreadable(5))
    reply = await api.admin("POST", "/redrives", {})
    assert reply.json == {"redriven": 3, "left_out": 3}
    assert (sent(api), len(api.log.values("t.events.user"))) == (["delivery_1"], 2)
    subjects = [each.subject for each in api.audited if each.operation == "dead-letter.redrive"]
    assert subjects == ["0-5", "0-4", "0-3"]


async def test_what_was_delivered_since_or_is_under_way_is_left_out(api: Api) -> None:
    made = await own(api, 0)
    whose: dict[str, Any] = {"account_id": api.account_id, "subscription_id": made.subscription_id}
    died_ms = SystemClock().now_ms() + 10_000  # the webhook was there before
    letters = [letter(number, at_ms=died_ms + number, **whose) for number in range(5)]
    since_ms = letters[0].at_ms + 1_000
    api.history.known = {
        "delivery_0": Known(State.SUCCEEDED, True, since_ms, None, 0),
        "delivery_1": Known(State.RETRYING, False, since_ms, None, 0),
        "delivery_2": Known(
            State.RETRYING, False, letters[2].at_ms - 1_000, None, 0
        ),  # the run that ended, as of before
        "delivery_3": Known(State.EXHAUSTED, False, since_ms, None, 0),
    }
    await buried(api, *letters)
    reply = await api.admin("POST", "/redrives", {})
    assert reply.json == {"redriven": 3, "left_out": 2}
    assert sent(api) == ["delivery_4", "delivery_3", "delivery_2"]
    asked = [each for each in api.history.asked if each[0] == api.account_id]
    assert asked == [(api.account_id, made.subscription_id, 5)]


async def test_one_that_is_named_is_sent_whatever_became_of_it(api: Api) -> None:
    dead = await own(api, 0)
    api.history.known = {"delivery_0": Known(State.SUCCEEDED, True, dead.at_ms + 1, None, 0)}
    await buried(api, dead)
    assert (await api.admin("POST", "/dead-letters/0-0/redrive")).status == 202
    assert sent(api) == ["delivery_0"]


async def test_of_a_delivery_that_died_often_one_letter_is_sent_although_the_others_are_on_other_pages(
    api: Api,
) -> None:
    first = await own(api, 1)
    await buried(api, first, *(unreadable(number, payload=None) for number in range(60)), of_run(first, 7))
    api.history.known = {"delivery_1": Known(State.EXHAUSTED, False, first.at_ms + 1_000, None, 7)}
    newer = (await api.admin("POST", "/redrives", {})).json
    assert newer["redriven"] == 1
    older = (await api.admin("POST", "/redrives", {"cursor": newer["next_cursor"]})).json
    assert (older, sent(api)) == ({"redriven": 0, "left_out": 12}, ["delivery_1"])


async def test_what_a_clock_that_is_late_says_of_a_newer_run_is_no_reason_to_send(api: Api) -> None:
    made = await own(api, 1)
    died_ms = SystemClock().now_ms() + 10_000  # the webhook was there before
    api.history.known = {"delivery_1": Known(State.POSTPONED, False, died_ms - 1, None, 7)}
    await buried(api, replace(made, at_ms=died_ms))
    assert (await api.admin("POST", "/redrives", {})).json == {"redriven": 0, "left_out": 1}


@pytest.mark.parametrize("what", ["is_behind", "is_emptied"])
async def test_history_that_has_not_all_that_is_on_record_is_not_believed(api: Api, what: str) -> None:
    await buried(api, await own(api, 0), unreadable(1))
    assert isinstance(api.parts.reach, ReachOfHistory)
    setattr(api.parts.reach, what, True)
    reply = await api.admin("POST", "/redrives", {})
    assert (reply.status, reply.json["type"]) == (503, "urn:hookline:problem:unavailable")
    assert reply.json["detail"].endswith("Nothing was sent.")
    assert (sent(api), api.log.values("t.events.user")) == ([], [])
    setattr(api.parts.reach, what, False)
    assert (await api.admin("POST", "/redrives", {})).json == {"redriven": 2, "left_out": 0}


async def test_source_records_do_not_wait_for_history(api: Api) -> None:
    await buried(api, unreadable(1))
    assert isinstance(api.parts.reach, ReachOfHistory)
    api.parts.reach.is_behind = True
    assert (await api.admin("POST", "/redrives", {})).json == {"redriven": 1, "left_out": 0}


async def test_without_history_nothing_is_sent_that_may_have_been_delivered(api: Api) -> None:
    await buried(api, await own(api, 0), unreadable(1))
    api.history.error = NotYet("the store is away")
    reply = await api.admin("POST", "/redrives", {})
    assert (reply.status, sent(api), api.log.values("t.events.user")) == (503, [], [])
    assert (await api.admin("POST", "/redrives", {"reason": "unreadable"})).json == {"redriven": 1, "left_out": 0}


@pytest.mark.parametrize(
    ("records", "redriven", "left_out", "audited"), [(1, 1, 0, 3), (4, 2, 1, 4), (5, 3, 1, 3), (6, 3, 1, 4)]
)
async def test_kafka_away_in_the_middle_says_how_many_were_sent_and_where_to_go_on(
    api: Api, records: int, redriven: int, left_out: int, audited: int
) -> None:
    await buried(
        api, await own(api, 0), await own(api, 1), letter(2, payload=None), await own(api, 3), await own(api, 4)
    )
    api.log.is_down_after = records
    reply = await api.admin("POST", "/redrives", {})
    assert reply.status == 202, reply.text
    assert (reply.json["redriven"], reply.json["left_out"]) == (redriven, left_out)
    api.log.is_down_after = None
    rest = await api.admin("POST", "/redrives", {"cursor": reply.json["next_cursor"]})
    assert rest.json == {"redriven": 4 - redriven, "left_out": 1 - left_out}
    assert sent(api) == ["delivery_4", "delivery_3", "delivery_1", "delivery_0"]
    assert len([each for each in api.audited if each.operation == "dead-letter.redrive"]) == audited


async def test_kafka_away_for_the_last_audit_entry_ends_the_page_as_ever(api: Api) -> None:
    await buried(api, await own(api, 0))
    api.log.is_down_after = 1
    assert (await api.admin("POST", "/redrives", {})).json == {"redriven": 1, "left_out": 0}


async def test_kafka_away_from_the_first_is_no_success(api: Api) -> None:
    await buried(api, await own(api, 0), letter(1, payload=None))
    api.log.is_down_after = 0
    assert (await api.admin("POST", "/redrives", {})).status == 503


async def test_a_webhook_that_goes_meanwhile_ends_nothing(api: Api) -> None:
    first, second = await own(api, 0), await own(api, 1)
    await buried(api, first, second)
    asked = asyncio.create_task(api.admin("POST", "/redrives", {}))
    while not sent(api):
        await asyncio.sleep(0)
    api.log.is_followed = False
    gone = api.log.write(api.parts.topics.subscriptions, key=(first.subscription_id or "").encode(), value=None)
    api.view.received([api.log.records[-1]])
    await gone
    assert (await asked).json == {"redriven": 1, "left_out": 1}
    assert sent(api) == ["delivery_1"]


@pytest.mark.parametrize("path", ["/dead-letters/0-0/redrive", "/redrives"])
async def test_a_key_that_is_revoked_while_letters_are_read_sends_nothing(api: Api, path: str) -> None:
    await buried(api, await own(api, 0))
    assert isinstance(api.parts.letters, LettersInMemory)
    key = (await api.admin("POST", "/keys", {"name": "short"})).json
    api.parts.letters.is_open.clear()
    asked = asyncio.create_task(api.call.with_key(key["key"])("POST", path, {}))
    await api.parts.letters.asked.wait()
    assert (await api.admin("DELETE", f"/keys/{key['id']}")).status == 204
    api.parts.letters.is_open.set()
    assert ((await asked).status, sent(api)) == (401, [])


async def test_what_was_not_kept_cannot_be_sent_again(api: Api) -> None:
    await buried(api, unreadable(1, payload=None))
    reply = await api.admin("POST", "/dead-letters/0-0/redrive")
    assert (reply.status, reply.json["type"]) == (409, "urn:hookline:problem:not-redrivable")


@pytest.mark.parametrize("named", ["0-9", "7-0", "x", "0-", "-1", "0-99999999999999999999", "0-0-0"])
@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/redrive")])
async def test_one_that_is_not_there_is_unknown(api: Api, named: str, method: str, suffix: str) -> None:
    await buried(api, letter(0))
    reply = await api.admin(method, f"/dead-letters/{named}{suffix}")
    assert (reply.status, reply.json["type"]) == (404, "urn:hookline:problem:unknown-dead-letter")


@pytest.mark.parametrize("cursor", ["nonsense!", "YWJj", "W10x", "W1sxLC0xXV0", "A" * 2_001])
async def test_a_cursor_of_another_list_is_refused(api: Api, cursor: str) -> None:
    for reply, what in (
        (await api.admin("GET", f"/dead-letters?cursor={cursor}"), "query"),
        (await api.admin("POST", "/redrives", {"cursor": cursor}), "body"),
    ):
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, "cursor")
        assert reply.json["detail"].startswith(f"The {what} ")


async def test_kafka_away_is_no_bug(api: Api) -> None:
    assert isinstance(api.parts.letters, LettersInMemory)
    api.parts.letters.error = NotYet("the broker is away")
    for method, path, body in (
        ("GET", "/dead-letters", None),
        ("GET", "/dead-letters/0-0", None),
        ("POST", "/dead-letters/0-0/redrive", None),
        ("POST", "/redrives", {}),
    ):
        assert (await api.admin(method, path, body)).status == 503


async def test_an_account_does_not_see_them(api: Api) -> None:
    await buried(api, letter(0, account_id=api.account_id))
    for path in ("/dead-letters", "/dead-letters/0-0"):
        reply = await api.call("GET", path)
        assert (reply.status, "delivery_0" in reply.text) == (403, False)
