"""Who asks, and what for: a Bearer API key or a console link's token, each with scopes, each of one account or of none."""

from dataclasses import dataclass, replace

from aiohttp import web

from hookline.api.edge import FACTS
from hookline.api.ports import Parts
from hookline.api.problems import account_needed, forbidden, no_account, unauthorized, unavailable
from hookline.core import apikeys, links
from hookline.core.scopes import Scope, allows
from hookline.schemas.records import Account, ApiKey

_REALM = 'Bearer realm="hookline"'
_STARTING_S = 1
ACCOUNT_HEADER = "Hookline-Account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `account_id` is "" for an administrator who named none; `actor` is what the audit calls them.

    Requests of whoever is `counted_as` the same share one limit.
    """

    account_id: str
    actor: str
    counted_as: str
    scopes: str


CALLER = web.RequestKey("caller", Caller)


class Gate:
    """Lets in who may."""

    def __init__(self, parts: Parts) -> None:
        self._view = parts.view
        self._clock = parts.clock
        self._master_keys = parts.settings.master_keys
        self._bootstrap = _bootstrap_key(parts.settings.admin_key)

    def known(self, request: web.Request) -> Caller:
        """The caller, whose key is right; Refused otherwise. What they may do is another question."""
        if not self._view.ready:
            raise unavailable(
                "The API is still reading its configuration. Nothing was changed.", retry_after_s=_STARTING_S
            )
        caller = self._caller(_bearer(request))
        request[FACTS] |= {"actor": caller.actor}
        return caller

    def admit(self, request: web.Request, wanted: Scope, *, needs_account: bool) -> Caller:
        """The caller, who may do what wants this scope; Refused otherwise. What it answers may be another thing a moment later."""
        caller = self.known(request)
        if not allows(caller.scopes, wanted):
            raise forbidden(wanted.value, challenge=f'{_REALM}, error="insufficient_scope", scope="{wanted.value}"')
        caller = self._in_account(request, caller)
        if caller.account_id:
            request[FACTS] |= {"account_id": caller.account_id}
        is_of_none = not caller.account_id
        if is_of_none and (needs_account or not allows(caller.scopes, Scope.ADMIN)):
            raise account_needed(ACCOUNT_HEADER)
        return caller

    def _caller(self, text: str) -> Caller:
        record = self._of_link(text) if links.is_link(text) else self._of_key(text)
        if record is None:
            raise unauthorized(
                "The API key is not one that is known here.", challenge=f'{_REALM}, error="invalid_token"'
            )
        return record

    def _of_key(self, text: str) -> Caller | None:
        presented = apikeys.parse(text)
        record = None if presented is None else self._key(presented.key_id)
        if presented is None or not apikeys.proves(presented, record) or record is None:
            return None
        return Caller(account_id=record.account_id, actor=record.key_id, counted_as=record.key_id, scopes=record.scopes)

    def _of_link(self, text: str) -> Caller | None:
        link = links.read(text, keys=self._master_keys, now_ms=self._clock.now_ms())
        if link is None or self._key(link.made_by) is None or self._view.account(link.account_id) is None:
            return None  # a link ends with the key that made it, and with its account
        actor = f"link:{link.made_by}"
        # One key makes the links of many accounts, and none of them is to hold up another.
        counted_as = f"{actor}:{link.account_id}"
        return Caller(account_id=link.account_id, actor=actor, counted_as=counted_as, scopes=link.scopes)

    def _key(self, key_id: str) -> ApiKey | None:
        if self._bootstrap is not None and key_id == self._bootstrap.key_id:
            return self._bootstrap
        record = self._view.api_key(key_id)
        if record is None or record.expires_at_ms is None:
            return record
        return record if self._clock.now_ms() < record.expires_at_ms else None

    def _in_account(self, request: web.Request, caller: Caller) -> Caller:
        """The caller in the account that the request names. Of another one than their own nobody hears whether it is there."""
        given = request.headers.getall(ACCOUNT_HEADER, [])
        named = ", ".join(given)  # two of them are one list (RFC 9110, 5.3), and no account is called so
        if not given or named == caller.account_id:
            return caller
        if not allows(caller.scopes, Scope.ADMIN) or self._view.account(named) is None:
            raise no_account()
        return replace(caller, account_id=named)


def account_or_defaults(account: Account | None, account_id: str) -> Account:
    """The account's record; one with defaults for keys whose account was never written."""
    return account or Account(account_id=account_id, name="", created_at_ms=0)


def _bootstrap_key(text: str) -> ApiKey | None:
    presented = apikeys.parse(text)
    if presented is None:
        return None
    return ApiKey(
        key_id=presented.key_id,
        account_id="",
        secret_sha256=apikeys.secret_sha256(presented.secret),
        created_at_ms=0,
        name="HOOKLINE_ADMIN_KEY",
        scopes=Scope.ADMIN.value,
    )


def _bearer(request: web.Request) -> str:
    given = request.headers.getall("Authorization", [])
    if not given:
        raise unauthorized("Send an API key: `Authorization: Bearer hl_...`.", challenge=_REALM)
    scheme, _, text = given[0].partition(" ")
    return text.strip() if scheme.lower() == "bearer" and len(given) == 1 else ""
