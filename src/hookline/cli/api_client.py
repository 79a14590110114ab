"""The public API, as far as the command line calls it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from hookline.core.matching import patterns_of
from hookline.schemas.errors import ConfigError, NotYet

_CALL_S = 15.0
_LISTED = 1_000  # as many deliveries as the API lists at once


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
        found = await self._call("GET", "/webhooks")
        return [_webhook(each) for each in found["webhooks"]]

    async def create(self, body: Mapping[str, object]) -> Webhook:
        """Make a webhook."""
        return _webhook(await self._call("POST", "/webhooks", body))

    async def change(self, webhook_id: str, body: Mapping[str, object]) -> None:
        """Change a webhook."""
        await self._call("PUT", f"/webhooks/{webhook_id}", body)

    async def deliveries(self, webhook_id: str) -> Mapping[str, Mapping[str, Any]]:
        """What became of a webhook's latest deliveries, by their ids."""
        found = await self._call("GET", f"/webhooks/{webhook_id}/deliveries?limit={_LISTED}")
        return {each["id"]: each for each in found["deliveries"]}

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        try:
            async with self._session.request(
                method, f"{self._url}{path}", json=body, headers=self._headers
            ) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NotYet(f"the API at {self._url} does not answer ({type(error).__name__})") from error
        if response.status >= 500:
            raise NotYet(f"the API at {self._url} answered {response.status}: {_sentence(answer)}")
        if response.status >= 400:
            raise ConfigError(f"the API at {self._url} answered {response.status}: {_sentence(answer)}")
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


def _sentence(answer: object) -> str:
    problem = answer if isinstance(answer, dict) else {}
    return str(problem.get("detail") or problem.get("title") or "no reason given")
