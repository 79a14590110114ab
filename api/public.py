"""What everybody may read: public keys, the OpenAPI document, and the same as a page."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

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
        self._found: dict[str, tuple[JsonWebKey, ...]] = {}
        self._making = asyncio.Lock()
        self._accounts: tuple[str, ...] = ()
        self._key_set = self._written(())
        self._make: Callable[[], Mapping[str, Any]] = dict
        self._text = b""
        self._page = b""

    def describe(self, document: Callable[[], Mapping[str, Any]]) -> None:
        """Serve this document, which is made when somebody wants it: that takes longer than all the rest of a start."""
        self._make = document

    async def key_set(self, _request: web.Request) -> web.Response:
        """`GET /.well-known/jwks.json`."""
        if not self._view.ready:
            raise unavailable("The API is still reading its configuration.", retry_after_s=_STARTING_S)
        async with self._making:
            accounts = tuple(each.account_id for each in self._view.accounts() if each.signs_ed25519)
            if accounts != self._accounts:
                self._key_set = await asyncio.to_thread(self._written, accounts)
                self._accounts = accounts
            return web.Response(body=self._key_set, content_type="application/json")

    async def document(self, _request: web.Request) -> web.Response:
        """`GET /openapi.json`."""
        async with self._making:
            if not self._text:
                self._text = json.dumps(await asyncio.to_thread(self._make), indent=1).encode()
        return web.Response(body=self._text, content_type="application/json")

    async def docs(self, _request: web.Request) -> web.Response:
        """`GET /docs`."""
        async with self._making:
            if not self._page:
                self._page = (await asyncio.to_thread(lambda: page(self._make()))).encode()
        headers = {"Content-Security-Policy": content_security_policy()}
        return web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=headers)

    def _written(self, accounts: Sequence[str]) -> bytes:
        """In a thread, and kept until other accounts sign: anybody may ask, and for 1,000 accounts it took 0.8 s, then 20 ms."""
        made = JsonWebKeys(keys=tuple(key for account_id in accounts for key in self._keys_of(account_id)))
        return made.model_dump_json(exclude_unset=True).encode()

    def _keys_of(self, account_id: str) -> tuple[JsonWebKey, ...]:
        """Derived once: measured 45 µs for each."""
        if account_id not in self._found:
            derived = [jwk(signing_key(key, account_id)) for key in self._keys]
            self._found[account_id] = tuple(JsonWebKey.model_validate(each) for each in derived)
        return self._found[account_id]
