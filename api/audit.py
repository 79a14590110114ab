"""Who changed what: `GET /audit`."""

import json
from typing import Any

from aiohttp import web

from hookline.api.answers import answer, timestamp
from hookline.api.auth import CALLER
from hookline.api.bodies import read_query
from hookline.api.listing import Place, cursor_of, cut, page_of
from hookline.api.ports import Parts
from hookline.api.problems import no_history
from hookline.api.requests import AuditQuery, without_nulls
from hookline.api.responses import AuditList, AuditRow
from hookline.runtime.history_questions import is_full
from hookline.schemas.errors import NotYet
from hookline.schemas.records import AuditEntry


class Audit:
    """The handler."""

    def __init__(self, parts: Parts) -> None:
        self._history = parts.history

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /audit`: the caller's account's changes; of all accounts for an administrator who names none."""
        asked = read_query(request, AuditQuery)
        page = page_of("audit", asked)
        try:
            rows = await self._history.audit(
                account_id=request[CALLER].account_id or None,
                subject=asked.subject,
                before=page.after,
                limit=page.limit + 1,
            )
        except NotYet as error:
            raise no_history() from error
        shown, cursor = cut(rows, page, _place)
        if cursor is None and is_full(shown):  # a full page may be the last, and then an empty one follows it
            cursor = cursor_of(page.of, *_place(shown[-1]))
        more = without_nulls({"next_cursor": cursor})
        return answer(AuditList(entries=tuple(_shown(each) for each in shown), **more))


def _place(entry: AuditEntry) -> Place:
    return Place(entry.at_ms, entry.audit_id)


def _shown(entry: AuditEntry) -> AuditRow:
    optional: dict[str, Any] = {
        "account_id": entry.account_id or None,
        "request_id": entry.request_id or None,
        "before": None if entry.before is None else json.loads(entry.before),
        "after": None if entry.after is None else json.loads(entry.after),
    }
    return AuditRow(
        id=entry.audit_id,
        at=timestamp(entry.at_ms),
        actor=entry.actor,
        operation=entry.operation,
        subject=entry.subject,
        **without_nulls(optional),
    )
