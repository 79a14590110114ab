"""API keys and console links: `/accounts/{account_id}/keys` and `/links`, and `/keys` for those of administrators."""

from aiohttp import web

from hookline.api import responses
from hookline.api.accounts import account_of
from hookline.api.answers import answer, timestamp
from hookline.api.auth import Caller
from hookline.api.bodies import read_body
from hookline.api.configuration import AGAIN, Configuration, Deed
from hookline.api.ports import Parts
from hookline.api.problems import no_key, too_many_keys
from hookline.api.requests import NewAdminKey, NewKey, NewLink, scopes_of, without_nulls
from hookline.core import links
from hookline.core.scopes import Scope
from hookline.runtime.changes import Decision
from hookline.runtime.keys import new_api_key
from hookline.schemas.records import ApiKey

_KEYS_MAX = 100  # of one account: whoever needs more wants accounts
_NO_ACCOUNT = ""  # whose keys administrators' are


class Keys:
    """The handlers."""

    def __init__(self, parts: Parts, configuration: Configuration) -> None:
        self._view = parts.view
        self._settings = parts.settings
        self._clock = parts.clock
        self._configuration = configuration

    async def create(self, request: web.Request) -> web.Response:
        """`POST /accounts/{account_id}/keys`."""
        account_of(request, self._view)
        wanted = await read_body(request, NewKey)
        return await self._create(
            request, name=wanted.name, scopes=scopes_of(wanted.scope), expires_in_s=wanted.expires_in_s
        )

    async def create_for_administrator(self, request: web.Request) -> web.Response:
        """`POST /keys`."""
        wanted = await read_body(request, NewAdminKey)
        return await self._create(request, name=wanted.name, scopes=Scope.ADMIN.value, expires_in_s=wanted.expires_in_s)

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /accounts/{account_id}/keys` and `GET /keys`."""
        found = self._view.keys_of(self._owner(request))
        return answer(responses.KeyList(keys=tuple(_shown(each) for each in found)))

    async def revoke(self, request: web.Request) -> web.Response:
        """`DELETE /accounts/{account_id}/keys/{key_id}` and `DELETE /keys/{key_id}`."""
        self._named(request)

        def decide(caller: Caller) -> Decision[None]:
            gone = self._named(request)
            deed = _deed("key.revoke", gone, before=_shown(gone))
            return Decision(
                None, (self._configuration.no_api_key(gone.key_id), self._configuration.audit(request, caller, deed))
            )

        await self._configuration.change(request, decide)
        return web.Response(status=204)

    async def link(self, request: web.Request) -> web.Response:
        """`POST /accounts/{account_id}/links`: nothing of it is kept, so it takes no write."""
        account = account_of(request, self._view)
        wanted = await read_body(request, NewLink) if request.can_read_body else NewLink()
        maker = request[AGAIN]()  # a body can take its time
        expires_at_ms = self._clock.now_ms() + wanted.valid_s * 1_000
        link = links.Link(
            account_id=account.account_id,
            scopes=scopes_of(wanted.scope),
            expires_at_ms=expires_at_ms,
            made_by=maker.actor,
        )
        token = links.write(link, key=self._settings.master_keys[0])
        # Behind the #, so that no server's log and no Referer ever has it.
        shown = responses.LinkMade(url=f"/console#{token}", token=token, expires_at=timestamp(expires_at_ms))
        return answer(shown, status=201)

    async def _create(self, request: web.Request, *, name: str, scopes: str, expires_in_s: int | None) -> web.Response:
        now_ms, owner = self._clock.now_ms(), self._owner(request)
        expires_at_ms = None if expires_in_s is None else now_ms + expires_in_s * 1_000
        text, made = new_api_key(owner, now_ms, name=name, scopes=scopes, expires_at_ms=expires_at_ms)

        def decide(caller: Caller) -> Decision[None]:
            if len(self._view.keys_of(self._owner(request))) >= _KEYS_MAX:
                raise too_many_keys(_KEYS_MAX)
            deed = _deed("key.create", made, after=_shown(made))
            return Decision(None, (self._configuration.api_key(made), self._configuration.audit(request, caller, deed)))

        await self._configuration.change(request, decide)
        return answer(_shown(made, text=text), status=201)

    def _owner(self, request: web.Request) -> str:
        is_of_account = "account_id" in request.match_info
        return account_of(request, self._view).account_id if is_of_account else _NO_ACCOUNT

    def _named(self, request: web.Request) -> ApiKey:
        owner, found = self._owner(request), self._view.api_key(request.match_info["key_id"])
        if found is None or found.account_id != owner:
            raise no_key()
        return found


def _shown(key: ApiKey, *, text: str | None = None) -> responses.Key:
    expires_at = None if key.expires_at_ms is None else timestamp(key.expires_at_ms)
    return responses.Key(
        id=key.key_id,
        name=key.name,
        scopes=tuple(key.scopes.split()),
        created_at=timestamp(key.created_at_ms),
        **without_nulls({"expires_at": expires_at, "key": text}),
    )


def _deed(
    operation: str, key: ApiKey, *, before: responses.Key | None = None, after: responses.Key | None = None
) -> Deed:
    return Deed(
        operation=operation,
        subject=key.key_id,
        account_id=key.account_id,
        before=None if before is None else before.model_dump(exclude_unset=True),
        after=None if after is None else after.model_dump(exclude_unset=True),
    )
