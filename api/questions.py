"""Questions to the history store: lists of deliveries and attempts, one delivery, one event, numbers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from hookline.api.answers import answer
from hookline.api.auth import CALLER
from hookline.api.bodies import read_query
from hookline.api.history_answers import delivery_list, event_shown, log_list, stats_shown, whole_delivery
from hookline.api.history_requests import STATS_DAYS_MAX, STEPS_MS, DeliveryQuery, LogQuery, StatsQuery, milliseconds
from hookline.api.listing import page_of
from hookline.api.ports import Parts
from hookline.api.problems import FieldError, invalid, no_delivery, no_event, no_history
from hookline.api.webhooks import rules, subscription_of
from hookline.core.progress import State
from hookline.runtime.history_questions import DeliveryFilter, LogFilter, WholeDelivery
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Delivery

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Questions:
    """The handlers. What is another account's is as unknown as what never was."""

    def __init__(self, parts: Parts) -> None:
        self._view = parts.view
        self._history = parts.history
        self._kept = parts.kept
        self._clock = parts.clock
        self._rules = rules(parts.catalogue, parts.settings)

    async def deliveries(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}/deliveries`."""
        of = subscription_of(request, self._view)
        asked = read_query(request, DeliveryQuery, context=self._rules)
        page = page_of(asked.limit, asked.cursor)
        where = DeliveryFilter(
            status=asked.status,
            state=None if asked.state is None else State(asked.state),
            event_type=asked.event,
            response_code=asked.response_code,
            since_ms=milliseconds(asked.since),
            until_ms=milliseconds(asked.until),
        )
        async with _answering():
            rows = await self._history.deliveries(
                account_id=of.account_id,
                subscription_id=of.subscription_id,
                limit=page.limit + 1,
                where=where,
                before=page.after,
            )
        return answer(delivery_list(rows, limit=page.limit, now_ms=self._clock.now_ms()))

    async def logs(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}/logs`."""
        of = subscription_of(request, self._view)
        asked = read_query(request, LogQuery, context=self._rules)
        page = page_of(asked.limit, asked.cursor)
        where = LogFilter(
            status=asked.status,
            event_type=asked.event,
            response_code=asked.response_code,
            since_ms=milliseconds(asked.since),
            until_ms=milliseconds(asked.until),
        )
        async with _answering():
            rows = await self._history.logs(
                account_id=of.account_id,
                subscription_id=of.subscription_id,
                limit=page.limit + 1,
                where=where,
                before=page.after,
            )
        return answer(log_list(rows, limit=page.limit))

    async def delivery(self, request: web.Request) -> web.Response:
        """`GET /deliveries/{delivery_id}`: everything that is on record of it, and what is sent."""
        async with _answering():
            found = await self._history.delivery(
                account_id=request[CALLER].account_id, delivery_id=request.match_info["delivery_id"]
            )
        if found is None:
            raise no_delivery()
        record = await self._record(found, request[CALLER].account_id)
        kept_until_ms = None if record is None else self._kept.until_ms(record)
        shown = whole_delivery(found, record, kept_until_ms=kept_until_ms, now_ms=self._clock.now_ms())
        return answer(shown)

    async def event(self, request: web.Request) -> web.Response:
        """`GET /events/{event_id}`."""
        event_id = request.match_info["event_id"]
        async with _answering():
            rows = await self._history.event(account_id=request[CALLER].account_id, event_id=event_id)
        if not rows:
            raise no_event()
        return answer(event_shown(event_id, rows, now_ms=self._clock.now_ms()))

    async def webhook_stats(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}/stats`."""
        of = subscription_of(request, self._view)
        return await self._stats(request, of.account_id, of.subscription_id)

    async def account_stats(self, request: web.Request) -> web.Response:
        """`GET /stats`."""
        return await self._stats(request, request[CALLER].account_id, None)

    async def _stats(self, request: web.Request, account_id: str, subscription_id: str | None) -> web.Response:
        asked = read_query(request, StatsQuery)
        since_ms, until_ms = self._hours(asked)
        async with _answering():
            found = await self._history.stats(
                account_id=account_id,
                subscription_id=subscription_id,
                since_ms=since_ms,
                until_ms=until_ms,
                step_ms=STEPS_MS[asked.step],
            )
        return answer(stats_shown(found))

    def _hours(self, asked: StatsQuery) -> tuple[int, int]:
        """The whole hours that are asked for; Refused if they are none, or too many."""
        now_ms = self._clock.now_ms()
        until_ms = milliseconds(asked.until) or now_ms
        since_ms = milliseconds(asked.since) or until_ms - _DAY_MS
        if not 0 <= since_ms < until_ms:
            raise invalid([FieldError("since", "must be before `until`")], what="query")
        if until_ms - since_ms > STATS_DAYS_MAX * _DAY_MS:
            raise invalid([FieldError("since", f"must be at most {STATS_DAYS_MAX} days before `until`")], what="query")
        return since_ms // _HOUR_MS * _HOUR_MS, -(-until_ms // _HOUR_MS) * _HOUR_MS

    async def _record(self, found: WholeDelivery, account_id: str) -> Delivery | None:
        """The delivery's first record. At its place may lie another's by now: after a topic was made anew, for example."""
        record = await self._kept.delivery_at(found.delivery.origin)
        if record is None:
            return None
        is_it = (record.delivery_id, record.account_id) == (found.delivery.delivery_id, account_id)
        return record if is_it else None


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """503 when the store does not answer."""
    try:
        yield
    except NotYet as error:
        raise no_history() from error
