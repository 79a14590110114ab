"""One delivery with all of its steps and its body, and where an event went, in front of a real history store."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.api import CODEC, Api, KeptInMemory
from fakes.asked_history import AskedHistory, asked_history, owned
from fakes.beside import beside
from fakes.records import AT_MS, attempt
from hookline.runtime.broker_node import HOST, free_port
from hookline.runtime.history import open_history
from hookline.runtime.kept import open_kept
from hookline.runtime.settings import Settings
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Attempt, Delivery, Outcome, Place

DAY_MS = 86_400_000
AT = "2023-11-14T22:13:20Z"  # AT_MS
BODY = '{"event":"order.created","timestamp":"2023-11-14T22:13:20Z","data":{"note":"20 € ☃"}}'


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[AskedHistory]:
    async with asked_history(tmp_path) as opened:
        yield opened


async def taken_in(asked: AskedHistory, *records: Attempt) -> str:
    """The id of the delivery that these records tell of, of a new webhook."""
    made = await asked.call.made()
    mine = owned(records, asked.api.account_id, {"wh_1": made["id"]})
    await asked.take_in(mine)
    return mine[0].delivery_id


async def shown(asked: AskedHistory, delivery: str) -> Any:
    return await asked.answer(f"/deliveries/{delivery}")


def kept(api: Api) -> KeptInMemory:
    assert isinstance(api.parts.kept, KeptInMemory)
    return api.parts.kept


async def keep(api: Api, delivery: str, *, in_replays: bool = False, **changes: Any) -> Place:
    """Let this delivery's first record lie in Kafka; where."""
    record = Delivery(
        delivery_id=delivery,
        account_id=api.account_id,
        subscription_id="wh_1",
        event_id="evt_1",
        event_type="order.created",
        body=BODY.encode(),
        config_offset=1,
        created_at_ms=AT_MS,
        source_at_ms=AT_MS,
    )
    record = replace(record, **changes)
    topic = api.parts.topics.replays if in_replays else api.parts.topics.deliveries
    written = await api.log.write(topic, key=None, value=CODEC.encode(record))
    return Place(partition=written.partition, offset=written.offset, in_replays=in_replays)


def steps_of(found: Mapping[str, Any], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(step.get(name) for name in names) for step in found["steps"]]


# -- one delivery -----------------------------------------------------------------------------------------------------


async def test_a_delivery_is_shown_with_all_steps_of_all_runs(asked: AskedHistory) -> None:
    failed, later = Outcome.FAILED, AT_MS + DAY_MS
    delivery = await taken_in(
        asked,
        attempt(1, Outcome.POSTPONED, at_ms=AT_MS, next_ms=AT_MS + 1_000),
        attempt(1, failed, at_ms=AT_MS + 2_000, next_ms=AT_MS + 3_000),
        attempt(2, failed, at_ms=AT_MS + 3_000),
        attempt(1, failed, run=5, at_ms=later, next_ms=later + 1_000),
        attempt(2, run=5, at_ms=later + 1_500),
    )
    found = await shown(asked, delivery)
    assert list(found) == [
        *("id", "webhook_id", "event", "event_id", "status", "state", "response_code", "attempts", "is_test"),
        *("delivered_at", "last_attempt_at", "body", "body_state", "steps"),
    ]
    assert (found["status"], found["state"], found["response_code"], found["attempts"]) == (
        "succeeded",
        "succeeded",
        200,
        2,
    )
    assert steps_of(found, "run", "attempt", "outcome", "at", "next_attempt_at") == [
        (0, 1, "postponed", AT, "2023-11-14T22:13:21Z"),
        (0, 1, "failed", "2023-11-14T22:13:22Z", "2023-11-14T22:13:23Z"),
        (0, 2, "failed", "2023-11-14T22:13:23Z", None),
        (5, 1, "failed", "2023-11-15T22:13:20Z", "2023-11-15T22:13:21Z"),
        (5, 2, "succeeded", "2023-11-15T22:13:21Z", None),
    ]
    assert steps_of(found, "response_time", "response_code", "error") == [
        (0, None, "status"),
        (120, 500, "status"),
        (120, 500, "status"),
        (120, 500, "status"),
        (120, 200, None),
    ]


@pytest.mark.parametrize(
    ("records", "state", "attempts"),
    [
        ([attempt(1, Outcome.POSTPONED, next_ms=AT_MS + 1_000)], "postponed", 0),
        ([attempt(1, Outcome.CANCELLED)], "cancelled", 0),
        (
            [attempt(1, Outcome.FAILED, next_ms=AT_MS + 1), attempt(2, Outcome.EXPIRED, at_ms=AT_MS + DAY_MS)],
            "expired",
            1,
        ),
        ([attempt(1, Outcome.FAILED, next_ms=AT_MS + 1_000)], "retrying", 1),
        ([attempt(1, Outcome.FAILED)], "exhausted", 1),
        ([attempt(1), attempt(1, Outcome.CANCELLED, run=3, at_ms=AT_MS + DAY_MS)], "cancelled", 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_delivery_says_what_became_of_it_so_far(
    asked: AskedHistory, records: Sequence[Attempt], state: str, attempts: int
) -> None:
    delivery = await taken_in(asked, *records)
    found = await shown(asked, delivery)
    assert (found["state"], found["attempts"], found["id"]) == (state, attempts, delivery)
    assert found["status"] == ("succeeded" if state == "succeeded" else "failed")
    assert ("next_attempt_at" in found) == (state in {"postponed", "retrying"})
    listed = (await asked.listed(f"/webhooks/{found['webhook_id']}/deliveries"))[0]
    assert {name: found[name] for name in listed if name != "next_attempt_at"} == {
        name: value for name, value in listed.items() if name != "next_attempt_at"
    }


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (b'{"ok": true}', '{"ok": true}'),
        (b"", None),
        (b"\xff\xfe\x00", "��\x00"),
        ("\u2603".encode() * 1_365 + b"\xe2", "\u2603" * 1_365 + "\ufffd"),  # a character that was cut in two
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # half a surrogate pair
        (b"</script>\x1b[31m", "</script>\x1b[31m"),
    ],
)
async def test_whatever_an_endpoint_answered_is_shown_as_text(
    asked: AskedHistory, answered: bytes, told: str | None
) -> None:
    delivery = await taken_in(asked, replace(attempt(), response_body=answered))
    (step,) = (await shown(asked, delivery))["steps"]
    assert step.get("response_body") == told


async def test_headers_and_the_job_of_an_attempt_are_shown_behind_the_rest(asked: AskedHistory) -> None:
    again = replace(
        attempt(1, run=5, at_ms=AT_MS + DAY_MS),
        job_id="job_1",
        request_headers=("webhook-id: delivery_1", "X-Tenant: ***", "empty:", "odd"),
        response_headers=("Date: Mon, 20 Jun 2023 14:15:35 GMT", "Set-Cookie: a=1", "Set-Cookie: b=2: c"),
    )
    delivery = await taken_in(asked, attempt(1, Outcome.FAILED), again)
    found = await shown(asked, delivery)
    first, second = found["steps"]
    assert {"job_id", "request_headers", "response_headers"}.isdisjoint(first)
    assert list(second)[-3:] == ["job_id", "request_headers", "response_headers"]
    assert second["request_headers"] == [
        {"name": "webhook-id", "value": "delivery_1"},
        {"name": "X-Tenant", "value": "***"},
        {"name": "empty", "value": ""},
        {"name": "odd", "value": ""},
    ]
    assert [each["value"] for each in second["response_headers"]][1:] == ["a=1", "b=2: c"]
    assert (second["job_id"], found["job_id"], list(found)[-1]) == ("job_1", "job_1", "job_id")
    webhook = f"/webhooks/{found['webhook_id']}"
    assert [each.get("job_id") for each in await asked.listed(f"{webhook}/logs")] == ["job_1", None]
    (listed,) = await asked.listed(f"{webhook}/deliveries")
    assert (listed["job_id"], list(listed)[-1]) == ("job_1", "job_id")


async def test_a_test_is_marked(asked: AskedHistory) -> None:
    delivery = await taken_in(asked, replace(attempt(), is_test=True))
    assert (await shown(asked, delivery))["is_test"] is True


async def test_a_delivery_of_a_webhook_that_was_deleted_is_still_shown(asked: AskedHistory) -> None:
    delivery = await taken_in(asked, attempt())
    webhook = (await shown(asked, delivery))["webhook_id"]
    assert (await asked.call("DELETE", f"/webhooks/{webhook}")).status == 204
    assert (await asked.call("GET", f"/webhooks/{webhook}/deliveries")).status == 404
    assert (await shown(asked, delivery))["id"] == delivery


# -- its body ---------------------------------------------------------------------------------------------------------


async def test_the_body_is_shown_byte_for_byte_while_it_is_kept(asked: AskedHistory) -> None:
    delivery, place = await with_place(asked)
    await keep(asked.api, delivery)
    found = await shown(asked, delivery)
    assert (found["body"], found["body_state"]) == (BODY, "kept")
    assert found["body_kept_until"] == "2023-11-21T22:13:20Z"
    kept(asked.api).forgotten.add(place.offset)
    gone = await shown(asked, delivery)
    assert (gone["body"], gone["body_state"], "body_kept_until" in gone) == (None, "no_longer_kept", False)
    kept(asked.api).error = NotYet("Kafka does not answer")
    away = await shown(asked, delivery)
    assert (away["body"], away["body_state"], "body_kept_until" in away) == (None, "unreadable_now", False)
    assert {**away, "body_state": ""} == {**gone, "body_state": ""}


async def test_the_body_is_that_of_the_newest_run_also_where_the_first_is_gone(asked: AskedHistory) -> None:
    delivery, first = await with_place(asked)
    await keep(asked.api, delivery)
    kept(asked.api).forgotten.add(first.offset)
    await keep(asked.api, "delivery_of_another", in_replays=True)  # so that the places differ
    place = await keep(asked.api, delivery, in_replays=True, body=b'{"again":true}')
    assert (await shown(asked, delivery))["body_state"] == "no_longer_kept"
    webhook = (await shown(asked, delivery))["webhook_id"]
    again = replace(attempt(1, run=5, at_ms=AT_MS + DAY_MS), origin=place)
    await asked.take_in(owned([again], asked.api.account_id, {"wh_1": webhook}))
    found = await shown(asked, delivery)
    assert (found["body"], found["body_state"]) == ('{"again":true}', "kept")


@pytest.mark.parametrize("changes", [{"account_id": "acct_of_another"}, {"delivery_id": "delivery_of_another"}])
async def test_what_lies_at_a_deliverys_place_and_is_anothers_is_never_shown(
    asked: AskedHistory, changes: Mapping[str, Any]
) -> None:
    delivery, _ = await with_place(asked)
    await keep(asked.api, delivery, **changes)
    found = await shown(asked, delivery)
    assert (found["body"], found["body_state"]) == (None, "no_longer_kept")


async def with_place(asked: AskedHistory) -> tuple[str, Place]:
    """A delivery whose first record is the next one that is written."""
    place = Place(partition=0, offset=len(asked.api.log.values(asked.api.parts.topics.deliveries)))
    return await taken_in(asked, replace(attempt(), origin=place)), place


async def test_a_kafka_that_is_away_hides_nothing_but_the_body(asked: AskedHistory) -> None:
    delivery = await taken_in(asked, attempt())
    parts = asked.api.parts
    nowhere = f"{HOST}:{free_port(parts.topics.deliveries)}"
    async with (
        open_kept(nowhere, topics=parts.topics, codec=CODEC, answer_s=1) as kept_in_kafka,
        beside(asked.api, history=asked.store, kept=kept_in_kafka) as other,
    ):
        found = (await other.call("GET", f"/deliveries/{delivery}")).json
    assert (found["id"], found["body"], found["body_state"]) == (delivery, None, "unreadable_now")
    assert len(found["steps"]) == 1


# -- one event --------------------------------------------------------------------------------------------------------


async def test_an_event_is_shown_wherever_it_went(asked: AskedHistory) -> None:
    webhooks = [(await asked.call.made())["id"] for _ in range(5)]
    outcomes = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.POSTPONED, Outcome.CANCELLED, Outcome.SUCCEEDED)
    records = [
        replace(attempt(1, outcome, event="evt_x", at_ms=AT_MS + number), subscription_id=webhook)
        for number, (webhook, outcome) in enumerate(zip(webhooks, outcomes, strict=True))
    ]
    await asked.take_in(owned(records, asked.api.account_id, {each: each for each in webhooks}))
    found = await asked.answer("/events/evt_x")
    assert (found["id"], found["event"]) == ("evt_x", "order.created")
    assert [each["webhook_id"] for each in found["deliveries"]] == webhooks[::-1]
    assert [each["state"] for each in found["deliveries"]] == [
        *("succeeded", "cancelled", "postponed", "exhausted", "succeeded")
    ]
    for each in found["deliveries"]:
        assert (await shown(asked, each["id"]))["event_id"] == "evt_x"
    assert await over_pages(asked, "/events/evt_x", limit=2) == found["deliveries"]


async def over_pages(asked: AskedHistory, path: str, *, limit: int) -> list[Any]:
    found, query = [], {"limit": limit}
    for _ in range(5):
        page = await asked.answer(path, query)
        found += page["deliveries"]
        if "next_cursor" not in page:
            break
        query |= {"cursor": page["next_cursor"]}
    return found


# -- whose, and what is not there -------------------------------------------------------------------------------------

UNHOLDABLE = ["%00", "%ED%A0%80", "%FF", "a%2Fb", "%27%3B--", "x" * 2_000, ".", "%2e"]


async def test_another_accounts_is_answered_like_what_never_was(asked: AskedHistory) -> None:
    delivery = await taken_in(asked, attempt(event="evt_x"))
    for path, problem in ((f"/deliveries/{delivery}", "unknown-delivery"), ("/events/evt_x", "unknown-event")):
        never = f"{path.rpartition('/')[0]}/never"
        foreign = await asked.stranger("GET", path)
        for reply in (foreign, await asked.stranger("GET", never), await asked.call("GET", never)):
            assert (reply.status, reply.json["type"]) == (404, f"urn:hookline:problem:{problem}")
            assert {**reply.json, "request_id": ""} == {**foreign.json, "request_id": ""}
        assert delivery not in foreign.text
        named = {"Hookline-Account": asked.api.account_id}
        assert (await asked.admin("GET", path, headers=named)).status == 200
        named = {"Hookline-Account": asked.api.foreign_id}
        assert (await asked.admin("GET", path, headers=named)).status == 404


@pytest.mark.parametrize("name", UNHOLDABLE)
async def test_an_id_that_nothing_can_have_is_unknown(asked: AskedHistory, name: str) -> None:
    await taken_in(asked, attempt(event="evt_x"))
    for path in ("/deliveries", "/events"):
        assert (await asked.call("GET", f"{path}/{name}")).status in {400, 404}


async def test_a_wrong_page_of_an_event_is_named(asked: AskedHistory) -> None:
    delivery = await taken_in(asked, attempt(event="evt_x"))
    webhook = (await shown(asked, delivery))["webhook_id"]
    await taken_in(asked, attempt(event="evt_x", at_ms=AT_MS + 1))
    cursor = (await asked.answer("/events/evt_x", {"limit": 1}))["next_cursor"]
    for path, query, field in (
        ("/events/evt_x", {"limit": 0}, "limit"),
        ("/events/evt_x", {"state": "succeeded"}, "state"),
        (f"/webhooks/{webhook}/deliveries", {"cursor": cursor}, "cursor"),
    ):
        reply = await asked.call.asks(path, query)
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)


async def test_every_question_says_when_the_store_is_away(asked: AskedHistory) -> None:
    webhook = f"/webhooks/{(await asked.call.made())['id']}"
    nowhere = Settings(history_url=f"postgresql://nobody@{HOST}:{free_port('history')}/none")
    async with open_history(nowhere) as away, beside(asked.api, history=away) as other:
        for path in (
            *(f"{webhook}/deliveries", f"{webhook}/logs", f"{webhook}/stats"),
            *("/stats", "/deliveries/delivery_1", "/events/evt_1"),
        ):
            reply = await other.call("GET", path)
            assert (reply.status, reply.json["type"]) == (503, "urn:hookline:problem:unavailable"), path
            assert reply.headers["Retry-After"] == "5"
