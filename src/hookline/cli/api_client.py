"""The public API, as far as the command line calls it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from hookline.core.matching import patterns_of
from hookline.schemas.errors import ConfigError, NotYet

_CALL_S = 15.0
_LISTED = 1_000  # as many as the API lists at once
_PAGES_MAX = 1_000  # a million webhooks; an account has a hundred thousand at most
_UNKNOWN_DELIVERY = "urn:hookline:problem:unknown-delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook of the account."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    active: bool

    def wants(self, event_type: str) -> bool:
        """Whether an event of this type is delivered to it."""
        return self.active and not set(self.events).isdisjoint(patterns_of(event_type))


class ApiClient:
    """Calls one API with one key. ConfigError when it refuses, NotYet when it cannot be reached or is busy."""

    def __init__(self, session: aiohttp.ClientSession, *, url: str, key: str) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}

    async def webhooks(self) -> Sequence[Webhook]:
        """All webhooks of the account."""
        found: list[Webhook] = []
        query = f"limit={_LISTED}"
        for _ in range(_PAGES_MAX):
            page = await self._call("GET", f"/webhooks?{query}")
            found += map(_webhook, page["webhooks"])
            if "next_cursor" not in page:
                break
            query = f"limit={_LISTED}&cursor={page['next_cursor']}"
        return found

    async def create(self, body: Mapping[str, object]) -> Webhook:
        """Make a webhook."""
        return _webhook(await self._call("POST", "/webhooks", body))

    async def change(self, webhook_id: str, body: Mapping[str, object]) -> None:
        """Change a webhook."""
        await self._call("PUT", f"/webhooks/{webhook_id}", body)

    async def delivery(self, delivery_id: str) -> Mapping[str, Any] | None:
        """What became of a delivery; None while nothing is on record of it."""
        status, answer = await self._ask("GET", f"/deliveries/{delivery_id}")
        if status == HTTPStatus.NOT_FOUND and _problem(answer).get("type") == _UNKNOWN_DELIVERY:
            return None
        found: Mapping[str, Any] = self._accepted(status, answer)
        return found

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        return self._accepted(*await self._ask(method, path, body))

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        try:
            async with self._session.request(
                method, f"{self._url}{path}", json=body, headers=self._headers
            ) as response:
                return response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NotYet(f"the API at {self._url} does not answer ({type(error).__name__})") from error

    def _accepted(self, status: int, answer: Any) -> Any:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotYet(f"the API at {self._url} answered {status}: {_sentence(answer)}")
        if status >= HTTPStatus.BAD_REQUEST:
            raise ConfigError(f"the API at {self._url} answered {status}: {_sentence(answer)}")
        return answer


@asynccontextmanager
async def api_client(url: str, key: str) -> AsyncIterator[ApiClient]:
    """A client for the block."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CALL_S)) as session:
        yield ApiClient(session, url=url, key=key)


def _webhook(found: Mapping[str, Any]) -> Webhook:
    return Webhook(
        webhook_id=found["id"], url=found["url"], events=tuple(found["events"]), active=found["status"] == "active"
    )


def _problem(answer: object) -> Mapping[str, object]:
    return answer if isinstance(answer, dict) else {}


def _sentence(answer: object) -> str:
    problem = _problem(answer)
    return str(problem.get("detail") or problem.get("title") or "no reason given")
