"""Who asks: a Bearer API key, each of one account."""

from aiohttp import web

from hookline.api.edge import FACTS
from hookline.api.ports import Directory
from hookline.api.problems import unauthorized, unavailable
from hookline.core import apikeys
from hookline.runtime import draw
from hookline.schemas.records import ApiKey

_REALM = 'Bearer realm="hookline"'
_STARTING_S = 1


def account_of(request: web.Request, view: Directory) -> str:
    """The account whose key the request bears; Refused if it bears none that is right."""
    if not view.ready:
        raise unavailable("The API is still reading its configuration. Nothing was changed.", retry_after_s=_STARTING_S)
    presented = apikeys.parse(_bearer(request))
    record = view.api_key(presented.key_id) if presented else None
    if presented is None or not apikeys.proves(presented, record) or record is None:
        raise unauthorized("The API key is not one that is known here.", challenge=f'{_REALM}, error="invalid_token"')
    request[FACTS]["account_id"] = record.account_id
    return record.account_id


def new_api_key(account_id: str, now_ms: int) -> tuple[str, ApiKey]:
    """A new key: the text for its owner, to be shown once and kept nowhere, and the record for `webhooks.accounts`."""
    key_id, secret = draw.api_key()
    record = ApiKey(
        key_id=key_id, account_id=account_id, secret_sha256=apikeys.secret_sha256(secret), created_at_ms=now_ms
    )
    return apikeys.write(key_id, secret), record


def _bearer(request: web.Request) -> str:
    given = request.headers.getall("Authorization", [])
    if not given:
        raise unauthorized("Send an API key: `Authorization: Bearer hl_...`.", challenge=_REALM)
    scheme, _, text = given[0].partition(" ")
    return text.strip() if scheme.lower() == "bearer" and len(given) == 1 else ""
