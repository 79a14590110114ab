"""Questions to the history store: lists of deliveries and attempts, one delivery, one event, numbers."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from hookline.api.answers import answer
from hookline.api.auth import CALLER
from hookline.api.bodies import read_query
from hookline.api.history_answers import Body, delivery_list, event_shown, log_list, stats_shown, whole_delivery
from hookline.api.history_requests import STATS_DAYS_MAX, STEPS_MS, DeliveryQuery, LogQuery, StatsQuery, milliseconds
from hookline.api.history_responses import BodyState
from hookline.api.listing import page_of
from hookline.api.ports import Parts
from hookline.api.problems import FieldError, invalid, no_delivery, no_event, no_history
from hookline.api.requests import PageQuery
from hookline.api.webhooks import rules, subscription_of
from hookline.core.progress import State
from hookline.runtime.history_questions import DeliveryFilter, DeliveryRow, LogFilter
from hookline.schemas.errors import NotYet

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_LAST_HOUR_MS = 253_402_297_200_000  # 9999-12-31T23:00:00Z

_log = logging.getLogger("hookline.api")


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
        page = page_of("deliveries", asked)
        where = DeliveryFilter(
            status=asked.status,
            state=None if asked.state is None else State(asked.state),
            event_type=asked.event,
            response_code=asked.response_code,
            since_ms=_time(asked.since),
            until_ms=_time(asked.until),
        )
        async with _answering():
            rows = await self._history.deliveries(
                account_id=of.account_id,
                subscription_id=of.subscription_id,
                limit=page.limit + 1,
                where=where,
                before=page.after,
            )
        return answer(delivery_list(rows, page, now_ms=self._clock.now_ms()))

    async def logs(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}/logs`."""
        of = subscription_of(request, self._view)
        asked = read_query(request, LogQuery, context=self._rules)
        page = page_of("logs", asked)
        where = LogFilter(
            status=asked.status,
            event_type=asked.event,
            response_code=asked.response_code,
            since_ms=_time(asked.since),
            until_ms=_time(asked.until),
        )
        async with _answering():
            rows = await self._history.logs(
                account_id=of.account_id,
                subscription_id=of.subscription_id,
                limit=page.limit + 1,
                where=where,
                before=page.after,
            )
        return answer(log_list(rows, page))

    async def delivery(self, request: web.Request) -> web.Response:
        """`GET /deliveries/{delivery_id}`: everything that is on record of it, and what is sent."""
        account_id, delivery_id = request[CALLER].account_id, request.match_info["delivery_id"]
        async with _answering():
            found = await self._history.delivery(account_id=account_id, delivery_id=delivery_id)
        if found is None:
            raise no_delivery()
        body = await self._body(found.delivery, account_id)
        return answer(whole_delivery(found, body, now_ms=self._clock.now_ms()))

    async def event(self, request: web.Request) -> web.Response:
        """`GET /events/{event_id}`."""
        event_id = request.match_info["event_id"]
        page = page_of("event", read_query(request, PageQuery))
        async with _answering():
            rows = await self._history.event(account_id=request[CALLER].account_id, event_id=event_id)
        if not rows:
            raise no_event()
        return answer(event_shown(event_id, rows, page, now_ms=self._clock.now_ms()))

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
        until_ms = self._clock.now_ms() if asked.until is None else milliseconds(asked.until)
        since_ms = until_ms - _DAY_MS if asked.since is None else milliseconds(asked.since)
        if since_ms >= until_ms:
            raise invalid([FieldError("since", "must be before now, unless there is an `until`")], what="query")
        if until_ms - since_ms > STATS_DAYS_MAX * _DAY_MS:
            raise invalid([FieldError("since", f"must be at most {STATS_DAYS_MAX} days before `until`")], what="query")
        return _shown(since_ms // _HOUR_MS * _HOUR_MS), _shown(-(-until_ms // _HOUR_MS) * _HOUR_MS)

    async def _body(self, row: DeliveryRow, account_id: str) -> Body:
        """What is sent; where Kafka does not answer, all else is still worth an answer."""
        try:
            kept = await self._kept.delivery(row.origin, account_id=account_id, delivery_id=row.delivery_id)
        except NotYet as error:
            _log.warning("delivery.body_unread", extra={"delivery_id": row.delivery_id, "error": str(error)})
            return Body(state=BodyState.UNREADABLE_NOW)
        if kept is None:
            return Body(state=BodyState.NO_LONGER_KEPT)
        text = kept.delivery.body.decode(errors="replace")
        return Body(state=BodyState.KEPT, text=text, kept_until_ms=kept.until_ms)


def _time(text: str | None) -> int | None:
    return None if text is None else milliseconds(text)


def _shown(at_ms: int) -> int:
    """A time that the answer can name. There are no requests before 1970, or after the year 9999."""
    return min(max(at_ms, 0), _LAST_HOUR_MS)


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """503 when the store does not answer."""
    try:
        yield
    except NotYet as error:
        raise no_history() from error
