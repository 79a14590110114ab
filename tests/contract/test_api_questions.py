"""Lists of deliveries and attempts in front of a real history store, compared with a look at every record."""

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from fakes.asked_history import (
    AskedHistory,
    Wanted,
    asked_history,
    deliveries_of,
    fits,
    logs_of,
    owned,
    thousands,
)
from fakes.records import AT_MS, EVENT_TYPES, attempt
from hookline.core.progress import State
from hookline.schemas.records import Attempt, Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Full:
    """A store with the records of thousands of deliveries; those of `webhook` are `mine`."""

    asked: AskedHistory
    webhook: Mapping[str, Any]
    mine: Sequence[Attempt]

    @property
    def path(self) -> str:
        return f"/webhooks/{self.webhook['id']}"

    def wanted(self, suffix: str) -> list[Wanted]:
        return deliveries_of(self.mine) if suffix == "deliveries" else logs_of(self.mine)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Full]:
    async with asked_history(tmp_path_factory.mktemp("asked")) as asked:
        webhooks = [await asked.call.made(uid=f"mine-{number}") for number in range(3)]
        records = thousands(asked.api.account_id, [each["id"] for each in webhooks])
        foreign = await asked.stranger.made()
        others = owned(
            [attempt(event=f"evt_{n}", at_ms=AT_MS + n) for n in range(500)],
            asked.api.foreign_id,
            {"wh_1": foreign["id"]},
        )
        await asked.take_in([*records, *others])
        mine = [each for each in records if each.subscription_id == webhooks[0]["id"]]
        assert len(records) > 4_000
        yield Full(asked, webhooks[0], mine)


@pytest_asyncio.fixture(loop_scope="module")
async def new(full: Full) -> Full:
    """The same store, and a webhook that nothing is on record of yet."""
    return replace(full, webhook=await full.asked.call.made(), mine=[])


def as_shown(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows without what depends on when they are asked for: when one that is put off is due."""
    held = [each.get("state") == "postponed" for each in rows]
    return [
        {name: value for name, value in each.items() if not (is_held and name == "next_attempt_at")}
        for each, is_held in zip(rows, held, strict=True)
    ]


def written(at_ms: int, offset_h: float = 0) -> str:
    """A time as a client may write it."""
    zone = timezone(timedelta(hours=offset_h))
    return datetime.fromtimestamp(at_ms / 1_000, UTC).astimezone(zone).isoformat(timespec="milliseconds")


# -- what is listed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "limit"), [("deliveries", 1_000), ("deliveries", 37), ("logs", 1_000), ("logs", 64)]
)
async def test_over_all_pages_every_row_is_shown_once_and_in_order(full: Full, suffix: str, limit: int) -> None:
    found = await full.asked.listed(f"{full.path}/{suffix}", {"limit": limit})
    wanted = [each.row for each in full.wanted(suffix)]
    assert len(wanted) > 900
    assert as_shown(found) == as_shown(wanted)
    assert [list(each) for each in found] == [list(each) for each in wanted]


async def test_every_state_there_is_is_shown(full: Full) -> None:
    found = await full.asked.listed(f"{full.path}/deliveries", {"limit": 1_000})
    assert {each["state"] for each in found} == set(State)
    assert {each["status"] for each in found} == {"succeeded", "failed"}


@pytest.mark.parametrize(("limit", "pages"), [(1, 8), (3, 3), (4, 2), (7, 2), (8, 1), (9, 1), (1_000, 1)])
async def test_only_a_page_that_is_not_the_last_has_a_cursor(new: Full, limit: int, pages: int) -> None:
    await new.asked.take_in(of(new, [attempt(event=f"evt_{number}", at_ms=AT_MS) for number in range(8)]))
    for suffix in ("deliveries", "logs"):
        page, count = await new.asked.answer(f"{new.path}/{suffix}", {"limit": limit}), 1
        while "next_cursor" in page:
            asked = {"limit": limit, "cursor": page["next_cursor"]}
            page, count = await new.asked.answer(f"{new.path}/{suffix}", asked), count + 1
        assert count == pages


@pytest.mark.parametrize("suffix", ["deliveries", "logs"])
async def test_a_thousand_rows_are_one_page(new: Full, suffix: str) -> None:
    await new.asked.take_in(of(new, [attempt(event=f"evt_{number}", at_ms=AT_MS + number) for number in range(1_001)]))
    page = await new.asked.answer(f"{new.path}/{suffix}", {"limit": 1_000})
    assert len(page[suffix]) == 1_000
    rest = await new.asked.answer(f"{new.path}/{suffix}", {"limit": 1_000, "cursor": page["next_cursor"]})
    assert (len(rest[suffix]), "next_cursor" in rest) == (1, False)


@pytest.mark.parametrize("query", [{}, {"event": "order.created"}, {"response_code": 200}])
async def test_rows_of_one_moment_are_shown_once_while_others_come(new: Full, query: Mapping[str, object]) -> None:
    old = of(new, [attempt(event=f"evt_{number}", at_ms=AT_MS + number // 40) for number in range(200)])
    await new.asked.take_in(old)
    for suffix, name in (("deliveries", "delivery_id"), ("logs", "attempt_id")):
        seen: list[str] = []
        asked: dict[str, object] = {"limit": 7, **query}
        for number in itertools.count(1):
            page = await new.asked.answer(f"{new.path}/{suffix}", asked)
            seen += [each["id"] for each in page[suffix]]
            if "next_cursor" not in page:
                break
            asked["cursor"] = page["next_cursor"]
            later = attempt(event=f"evt_{suffix}_{number}", at_ms=AT_MS + 1_000 + number)
            await new.asked.take_in([*of(new, [later]), *old[number : number + 20]])  # some come again
        assert len(seen) == len(set(seen))
        assert {getattr(each, name) for each in old} <= set(seen)


async def test_a_delivery_keeps_its_place_whatever_becomes_of_it(new: Full) -> None:
    await new.asked.take_in(
        of(
            new,
            [
                attempt(1, Outcome.FAILED, event=f"evt_{number}", at_ms=AT_MS + number, next_ms=AT_MS + DAY_MS)
                for number in range(20)
            ],
        )
    )
    first = await new.asked.answer(f"{new.path}/deliveries", {"limit": 10})
    again = [attempt(2, event=f"evt_{number}", at_ms=AT_MS + DAY_MS) for number in range(20)]
    await new.asked.take_in(of(new, again))
    rest = await new.asked.answer(f"{new.path}/deliveries", {"limit": 10, "cursor": first["next_cursor"]})
    ids = [each["id"] for each in (*first["deliveries"], *rest["deliveries"])]
    assert len(set(ids)) == 20
    assert {each["status"] for each in rest["deliveries"]} == {"succeeded"}


def of(new: Full, records: Sequence[Attempt]) -> list[Attempt]:
    """The records as those of the webhook."""
    return owned(records, new.asked.api.account_id, {"wh_1": new.webhook["id"]})


# -- filters ----------------------------------------------------------------------------------------------------------

TIMES: list[dict[str, int]] = [
    {},
    {"since": AT_MS + DAY_MS},
    {"since": AT_MS + DAY_MS, "until": AT_MS + 2 * DAY_MS},
    {"until": AT_MS + DAY_MS},
]
FILTERS: Mapping[str, Mapping[str, tuple[object, ...]]] = {
    "deliveries": {"status": ("succeeded", "failed"), "state": tuple(map(str, State))},
    "logs": {"status": ("delivered", "failed")},
}


def queries(suffix: str) -> list[tuple[dict[str, object], dict[str, int]]]:
    """Every combination of filters, with its times in milliseconds."""
    choices = {**FILTERS[suffix], "event": EVENT_TYPES, "response_code": (200, 410, 503, 418)}
    found = []
    for given in itertools.product(*((None, *each) for each in choices.values())):
        named = dict(zip(choices, given, strict=True))
        query = {name: value for name, value in named.items() if value is not None}
        found += [(query, times) for times in TIMES]
    return found


@pytest.mark.parametrize("suffix", ["deliveries", "logs"])
async def test_every_filter_alone_lets_through_what_it_says(full: Full, suffix: str) -> None:
    alone = [(query, times) for query, times in queries(suffix) if len(query) + bool(times) == 1]
    assert len(alone) > 12
    for query, times in alone:
        await check(full, suffix, query, times, limit=1_000)


@pytest.mark.parametrize("suffix", ["deliveries", "logs"])
async def test_filters_together_let_through_what_all_of_them_say(full: Full, suffix: str) -> None:
    random = Random(7)  # noqa: S311 - the same every time
    for query, times in random.sample(queries(suffix), 120):
        await check(full, suffix, query, times, limit=random.choice((20, 150, 1_000)))


async def check(full: Full, suffix: str, query: Mapping[str, object], times: Mapping[str, int], *, limit: int) -> None:
    asked = {**query, **{name: written(at_ms) for name, at_ms in times.items()}, "limit": limit}
    found = await full.asked.listed(f"{full.path}/{suffix}", asked)
    wanted = [each.row for each in full.wanted(suffix) if fits(each, query, times)]
    assert as_shown(found) == as_shown(wanted), asked


@pytest.mark.parametrize("suffix", ["deliveries", "logs"])
async def test_a_time_is_exact_and_its_beginning_belongs_to_it(full: Full, suffix: str) -> None:
    place = full.wanted(suffix)[len(full.wanted(suffix)) // 2].place
    for zone in (0, 5.5, -11):
        for query, is_there in (
            ({"since": place[0]}, True),
            ({"since": place[0] + 1}, False),
            ({"until": place[0]}, False),
            ({"until": place[0] + 1}, True),
            ({"since": place[0], "until": place[0] + 1}, True),
        ):
            asked = {name: written(at_ms, zone) for name, at_ms in query.items()}
            found = await full.asked.listed(f"{full.path}/{suffix}", {**asked, "limit": 1_000})
            assert (place[1] in {each["id"] for each in found}) is is_there, asked


@pytest.mark.parametrize(
    "since",
    ["2023-11-14t22:13:20z", "2023-11-14T22:13:20.0000001Z", "2023-11-15T00:13:20+02:00", "0001-01-01T00:00:00+23:59"],
)
async def test_a_time_may_be_written_in_every_way_of_rfc_3339(full: Full, since: str) -> None:
    found = await full.asked.listed(f"{full.path}/logs", {"since": since, "limit": 1_000})
    assert len(found) == len(full.wanted("logs"))  # all began after that


# -- whose ------------------------------------------------------------------------------------------------------------


async def test_a_webhook_can_be_named_by_its_uid_and_by_an_administrator(full: Full) -> None:
    for suffix in ("deliveries", "logs", "stats"):
        own = await full.asked.answer(f"{full.path}/{suffix}")
        assert await full.asked.answer(f"/webhooks/mine-0/{suffix}") == own
        named = {"Hookline-Account": full.asked.api.account_id}
        assert (await full.asked.admin("GET", f"{full.path}/{suffix}", headers=named)).json == own


async def test_another_account_gets_what_one_gets_for_a_webhook_that_never_was(full: Full) -> None:
    for suffix in ("deliveries", "logs", "stats"):
        foreign = await full.asked.stranger("GET", f"{full.path}/{suffix}")
        never = await full.asked.stranger("GET", f"/webhooks/wh_{'0' * 32}/{suffix}")
        for reply in (foreign, never):
            assert (reply.status, reply.json["type"]) == (404, "urn:hookline:problem:unknown-webhook")
        assert {**foreign.json, "request_id": ""} == {**never.json, "request_id": ""}


async def test_a_cursor_of_another_webhook_shows_nothing_of_it(full: Full, new: Full) -> None:
    page = await full.asked.answer(f"{full.path}/deliveries", {"limit": 1})
    assert await new.asked.answer(f"{new.path}/deliveries", {"cursor": page["next_cursor"]}) == {"deliveries": []}


# -- what is wrong ----------------------------------------------------------------------------------------------------

WRONG = [
    ("limit", "0", "from 1 to 1000"),
    ("limit", "1001", "from 1 to 1000"),
    ("status", "pending", "'failed'"),
    ("event", "order.*", "no event type"),
    ("event", "", "no event type"),
    *(("response_code", code, "from 100 to 999") for code in ("99", "1000", "-200", "2e2", "200.0", "", " 200", "٢٠٠")),
    *(
        ("since", text, "must be a time such as")
        for text in (
            *("", "now", "2023-06-20", "2023-06-20T14:15:30", "14:15:30Z", "1687270530", "2023-06-20 14:15:30Z"),
            *("2023-06-20T14:15Z", "2023-06-31T14:15:30Z", "2023-06-20T24:15:30Z", "0000-06-20T14:15:30Z"),
            *("2023-06-20T14:15:30 02:00", "2023-06-20T14:15:30+0200", "20230620T141530Z", "2023-W25-2T14:15:30Z"),
            *("٢٠٢٣-06-20T14:15:30Z", "2023-06-20T14:15:30Z\n", "2023-06-20T14:15:30.Z", "+2023-06-20T14:15:30Z"),
        )
    ),
    ("until", "tomorrow", "%2B"),
    ("page", "2", "no parameter"),
]


@pytest.mark.parametrize("suffix", ["deliveries", "logs"])
@pytest.mark.parametrize(("name", "value", "said"), WRONG)
async def test_what_is_wrong_is_named(full: Full, suffix: str, name: str, value: str, said: str) -> None:
    reply = await full.asked.call.asks(f"{full.path}/{suffix}", {name: value})
    assert reply.status == 422, reply.text
    ((error),) = reply.json["errors"]
    assert error["field"] == name
    assert said in error["detail"]


@pytest.mark.parametrize(
    ("suffix", "query", "fields"),
    [
        ("deliveries", {"state": "pending"}, ["state"]),
        ("deliveries", {"status": "delivered"}, ["status"]),
        ("logs", {"status": "succeeded"}, ["status"]),
        ("logs", {"state": "succeeded"}, ["state"]),
        ("logs", {"since": "2023-06-21T00:00:00Z", "until": "2023-06-20T00:00:00Z"}, ["until"]),
        ("deliveries", {"since": "2023-06-20T00:00:00Z", "until": "2023-06-20T02:00:00+02:00"}, ["until"]),
        ("deliveries", {"since": "x", "until": "y", "state": "z", "limit": 0}, ["limit", "since", "until", "state"]),
    ],
)
async def test_what_is_wrong_of_one_list_or_together_is_named(
    full: Full, suffix: str, query: Mapping[str, object], fields: Sequence[str]
) -> None:
    reply = await full.asked.call.asks(f"{full.path}/{suffix}", query)
    assert (reply.status, [each["field"] for each in reply.json["errors"]]) == (422, fields)


async def test_a_list_takes_no_cursor_of_another_one(full: Full) -> None:
    lists = {"deliveries": f"{full.path}/deliveries", "logs": f"{full.path}/logs", "webhooks": "/webhooks"}
    cursors = {name: (await full.asked.answer(path, {"limit": 1}))["next_cursor"] for name, path in lists.items()}
    for (name, path), (of_list, cursor) in itertools.product(lists.items(), cursors.items()):
        reply = await full.asked.call.asks(path, {"limit": 1, "cursor": cursor})
        assert reply.status == (200 if name == of_list else 422)
        assert name == of_list or reply.json["errors"][0]["field"] == "cursor"
