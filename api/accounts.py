"""Accounts: `/accounts` for administrators, and `/account` for whoever has a key."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from hookline.api import responses
from hookline.api.answers import answer, timestamp
from hookline.api.auth import CALLER, Caller, account_or_defaults
from hookline.api.bodies import read_body, read_query
from hookline.api.configuration import Configuration, Deed
from hookline.api.edge import FACTS
from hookline.api.editions import check_edition
from hookline.api.listing import Place, page_of, paged
from hookline.api.ports import Directory, Parts
from hookline.api.problems import newer_record, no_account
from hookline.api.requests import AccountChange, NewAccount, PageQuery, without_nulls
from hookline.runtime.changes import Decision
from hookline.schemas.records import Account


class Accounts:
    """The handlers."""

    def __init__(self, parts: Parts, configuration: Configuration) -> None:
        self._view = parts.view
        self._settings = parts.settings
        self._clock = parts.clock
        self._draw = parts.draw
        self._configuration = configuration

    async def create(self, request: web.Request) -> web.Response:
        """`POST /accounts`."""
        wanted = await read_body(request, NewAccount)
        made = Account(
            account_id=self._draw.account_id(),
            created_at_ms=self._clock.now_ms(),
            updated_at_ms=self._clock.now_ms(),
            **_fields(wanted.model_dump()),
        )

        def decide(caller: Caller) -> Decision[Account]:
            return self._decided(request, caller, "account.create", None, made)

        made = await self._configuration.change(request, decide)
        headers = {"Location": f"/accounts/{made.account_id}", "ETag": _edition(made)}
        return answer(self._shown(made), status=201, headers=headers)

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /accounts`."""
        asked = read_query(request, PageQuery)
        accounts = self._view.accounts()
        shown, cursor = paged(accounts, page_of("accounts", asked), _place)
        more = without_nulls({"next_cursor": cursor})
        listed = tuple(self._shown(each) for each in shown)
        return answer(responses.AccountList(accounts=listed, total=len(accounts), **more))

    async def read(self, request: web.Request) -> web.Response:
        """`GET /accounts/{account_id}`."""
        return self._answer(account_of(request, self._view))

    async def change(self, request: web.Request) -> web.Response:
        """`PATCH /accounts/{account_id}`: what is given is changed, the rest stays."""
        account_of(request, self._view)
        wanted = await read_body(request, AccountChange)
        given = _fields(wanted.model_dump(include=wanted.model_fields_set))

        def decide(caller: Caller) -> Decision[Account]:
            current = account_of(request, self._view)
            if self._view.cannot_read(current.account_id):
                raise newer_record()
            check_edition(request.headers.getall("If-Match", []), _edition(current))
            changed = replace(current, **given)
            if changed == current:
                return Decision(current)
            changed = replace(changed, version=current.version + 1, updated_at_ms=self._clock.now_ms())
            return self._decided(request, caller, "account.change", current, changed)

        return self._answer(await self._configuration.change(request, decide))

    async def who(self, request: web.Request) -> web.Response:
        """`GET /account`: whose key this is, and what it may do."""
        caller = request[CALLER]
        account = account_or_defaults(self._view.account(caller.account_id), caller.account_id)
        of_account = {"account": self._shown(account)} if caller.account_id else {}
        return answer(responses.Identity(scopes=tuple(caller.scopes.split()), actor=caller.actor, **of_account))

    def _decided(
        self, request: web.Request, caller: Caller, operation: str, before: Account | None, after: Account
    ) -> Decision[Account]:
        deed = Deed(
            operation=operation,
            subject=after.account_id,
            account_id=after.account_id,
            before=None if before is None else self._shown(before).model_dump(exclude_unset=True),
            after=self._shown(after).model_dump(exclude_unset=True),
        )
        return Decision(after, (self._configuration.account(after), self._configuration.audit(request, caller, deed)))

    def _answer(self, account: Account) -> web.Response:
        return answer(self._shown(account), headers={"ETag": _edition(account)})

    def _shown(self, account: Account) -> responses.Account:
        own_max = account.subscriptions_max
        return responses.Account(
            id=account.account_id,
            name=account.name,
            created_at=timestamp(account.created_at_ms),
            webhooks=len(self._view.subscriptions_of(account.account_id)),
            webhooks_max=self._settings.subscriptions_max if own_max is None else own_max,
            checks_ownership=account.checks_ownership,
            signs_ed25519=account.signs_ed25519,
        )


def account_of(request: web.Request, view: Directory) -> Account:
    """The account that the path names; else Refused with 404."""
    found = view.account(request.match_info["account_id"])
    if found is None:
        raise no_account()
    request[FACTS]["account_id"] = found.account_id
    return found


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """By the record's names: what the public calls a webhook is a subscription."""
    return {"subscriptions_max" if name == "webhooks_max" else name: value for name, value in given.items()}


def _edition(account: Account) -> str:
    return f'"{account.version}"'


def _place(account: Account) -> Place:
    return Place(account.created_at_ms, account.account_id)
