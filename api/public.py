"""What everybody may read: public keys, the OpenAPI document, and the same as a page."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from hookline.api.answers import answer
from hookline.api.docs_page import content_security_policy, page
from hookline.api.ports import Parts
from hookline.api.problems import unavailable
from hookline.api.responses import JsonWebKey, JsonWebKeys
from hookline.core.asymmetric import jwk, signing_key

_STARTING_S = 1


class Public:
    """The handlers. `describe` gives them the document, once there are all operations to make it of."""

    def __init__(self, parts: Parts) -> None:
        self._view = parts.view
        self._keys = parts.settings.asymmetric_keys
        self._document = b"{}"
        self._page = b""

    def describe(self, document: Mapping[str, Any]) -> None:
        """Serve this document from now on."""
        self._document = json.dumps(document, indent=1).encode()
        self._page = page(document).encode()

    async def key_set(self, _request: web.Request) -> web.Response:
        """`GET /.well-known/jwks.json`."""
        if not self._view.ready:
            raise unavailable("The API is still reading its configuration.", retry_after_s=_STARTING_S)
        accounts = [each.account_id for each in self._view.accounts() if each.signs_ed25519]
        found = [jwk(signing_key(key, account_id)) for account_id in accounts for key in self._keys]
        return answer(JsonWebKeys(keys=tuple(JsonWebKey.model_validate(each) for each in found)))

    async def document(self, _request: web.Request) -> web.Response:
        """`GET /openapi.json`."""
        return web.Response(body=self._document, content_type="application/json")

    async def docs(self, _request: web.Request) -> web.Response:
        """`GET /docs`."""
        headers = {"Content-Security-Policy": content_security_policy()}
        return web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=headers)
