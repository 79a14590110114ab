"""The API in front of a history store in a real database, and what its answers must be, told from the records themselves."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from fakes.api import Api, Caller, running_api
from fakes.beside import beside
from fakes.records import lives
from hookline.api.answers import timestamp
from hookline.core.ids import attempt_id, delivery_id
from hookline.core.progress import is_request
from hookline.runtime.history import HistoryStore, open_history
from hookline.schemas.records import Attempt, Outcome

_BATCH = 500
_PAGES_MAX = 5_000


@dataclass(frozen=True, slots=True)
class AskedHistory:
    """Who asks: the account's own key, another's, an administrator's."""

    api: Api
    store: HistoryStore
    call: Caller
    stranger: Caller
    admin: Caller

    async def take_in(self, records: Sequence[Attempt]) -> None:
        """What the history role does."""
        for start in range(0, len(records), _BATCH):
            await self.store.ingest(records[start : start + _BATCH], {})

    async def listed(self, path: str, query: Mapping[str, object] | None = None) -> list[Any]:
        """The rows of all pages of a list; its name is how its path ends."""
        name, found = path.rpartition("/")[2], list[Any]()
        asked = dict(query or {})
        for _ in range(_PAGES_MAX):
            page = await self.answer(path, asked)
            rows = page[name]
            assert len(rows) <= int(str(asked.get("limit", 100)))
            found += rows
            if "next_cursor" not in page:
                return found
            assert rows, "a page that is empty, and not the last"
            asked["cursor"] = page["next_cursor"]
        raise AssertionError("the list has no end")

    async def answer(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """The body of what is answered with 200."""
        reply = await self.call.asks(path, query)
        assert reply.status == 200, reply.text
        return reply.json


@asynccontextmanager
async def asked_history(folder: Path) -> AsyncIterator[AskedHistory]:
    """An API whose store is a new SQLite file in this folder."""
    async with (
        running_api(data_dir=folder) as api,
        open_history(api.parts.settings) as store,
        beside(api, history=store) as other,
    ):
        yield AskedHistory(api, store, other.call, other.stranger, other.admin)


# -- records ----------------------------------------------------------------------------------------------------------


def owned(records: Iterable[Attempt], account_id: str, webhooks: Mapping[str, str]) -> list[Attempt]:
    """The records as those of this account and its webhooks: by the name that they have, the id that they get."""
    return [_owned(each, account_id, webhooks[each.subscription_id]) for each in records]


def unfinished(records: Sequence[Attempt], *, seed: int) -> list[Attempt]:
    """The records without the last ones of some deliveries that have several, so that those still wait."""
    random, many = Random(seed), Counter(each.delivery_id for each in records)  # noqa: S311 - the same every time
    left = {
        each: random.randrange(1, count) if count > 1 and random.random() < 0.4 else count
        for each, count in many.items()
    }
    seen: Counter[str] = Counter()
    found = []
    for each in records:
        seen[each.delivery_id] += 1
        if seen[each.delivery_id] <= left[each.delivery_id]:
            found.append(each)
    return found


def thousands(account_id: str, webhooks: Sequence[str]) -> list[Attempt]:
    """Records of 3,000 deliveries to these webhooks, in the order of time."""
    names = {f"wh_{number}": each for number, each in enumerate(webhooks)}
    drawn = lives(3_000, seed=23, webhooks=len(webhooks))
    return owned(unfinished(drawn, seed=5), account_id, names)


def _owned(record: Attempt, account_id: str, subscription_id: str) -> Attempt:
    delivery = delivery_id(account_id, record.event_id, subscription_id)
    return replace(
        record,
        account_id=account_id,
        subscription_id=subscription_id,
        delivery_id=delivery,
        attempt_id=attempt_id(delivery, record.run, record.attempt, record.started_at_ms),
    )


# -- what must be answered --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A row of a list, what it is ordered by, and what filters look at."""

    place: tuple[int, str]
    event: str
    status: str
    state: str
    response_code: int | None
    row: Mapping[str, Any]


def deliveries_of(records: Iterable[Attempt]) -> list[Wanted]:
    """The deliveries that these records tell of, the newest first. Records are in the order of time."""
    by_delivery: dict[str, list[Attempt]] = {}
    for each in records:
        by_delivery.setdefault(each.delivery_id, []).append(each)
    return sorted((_delivery(steps) for steps in by_delivery.values()), key=lambda each: each.place, reverse=True)


def logs_of(records: Iterable[Attempt]) -> list[Wanted]:
    """The requests among these records, the newest first."""
    found = [_log(each) for each in records if is_request(each)]
    return sorted(found, key=lambda each: each.place, reverse=True)


def fits(wanted: Wanted, query: Mapping[str, object], times: Mapping[str, int]) -> bool:
    """Whether the filters let it through; `times` are `since` and `until` in milliseconds."""
    named = {"event": wanted.event, "status": wanted.status, "state": wanted.state}
    return (
        all(query.get(name, value) == value for name, value in named.items())
        and query.get("response_code", wanted.response_code) == wanted.response_code
        and times.get("since", wanted.place[0]) <= wanted.place[0]
        and wanted.place[0] < times.get("until", wanted.place[0] + 1)
    )


def _delivery(steps: Sequence[Attempt]) -> Wanted:
    first, last = steps[0], steps[-1]
    requests = [each for each in steps if is_request(each) and each.run == last.run]
    asked = requests[-1] if requests else None
    state = _state(last)
    code = None if asked is None else asked.response_code
    ended = None if asked is None else timestamp(asked.started_at_ms + asked.duration_ms)
    row: dict[str, Any] = {"id": first.delivery_id, "event": first.event_type}
    row |= {"status": "succeeded" if state == "succeeded" else "failed", "response_code": code}
    if state == "succeeded":
        row |= {"delivered_at": ended}
    elif ended is not None:
        row |= {"last_attempt_at": ended}
    row |= {"attempts": len(requests)}
    if last.next_attempt_at_ms is not None:
        row |= {"next_attempt_at": timestamp(last.next_attempt_at_ms)}
    row |= {"state": state, **_job(last)}
    return Wanted(
        place=(first.started_at_ms, first.delivery_id),
        event=first.event_type,
        status=row["status"],
        state=state,
        response_code=code,
        row=row,
    )


def _state(last: Attempt) -> str:
    if last.outcome is Outcome.FAILED:
        return "exhausted" if last.next_attempt_at_ms is None else "retrying"
    return last.outcome.value


def _job(record: Attempt) -> dict[str, str]:
    return {} if record.job_id is None else {"job_id": record.job_id}


def _log(request: Attempt) -> Wanted:
    is_delivered = request.outcome is Outcome.SUCCEEDED
    row: dict[str, Any] = {
        "id": request.attempt_id,
        "event": request.event_type,
        "status": "delivered" if is_delivered else "failed",
        "response_code": request.response_code,
        "response_time": request.duration_ms,
        "delivered_at" if is_delivered else "attempted_at": timestamp(request.started_at_ms + request.duration_ms),
    }
    if not is_delivered:
        row |= {"error": request.error, "detail": request.detail}
    row |= _job(request)
    return Wanted(
        place=(request.started_at_ms, request.attempt_id),
        event=request.event_type,
        status=row["status"],
        state="",
        response_code=request.response_code,
        row=row,
    )
