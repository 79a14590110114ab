"""What `hookline up` sees of its processes: whether they are ready, what they count."""

import asyncio
from collections.abc import Mapping

import aiohttp

from hookline.cli.up_plan import Part, Ports
from hookline.cli.up_rates import Totals, totals

HOST = "127.0.0.1"
_ASK_S = 3.0


class Look:
    """Asks the processes over HTTP; one that does not answer is no error, it may just be starting again."""

    def __init__(self, session: aiohttp.ClientSession, ports: Ports, *, health_host: str) -> None:
        self._session = session
        self._ports = ports
        self._health_host = health_host

    def health_url(self, part: Part) -> str:
        """Where a process says how it is; the source has no such place."""
        return f"http://{self._health_host}:{self._ports.health[part]}"

    def receiver_url(self) -> str:
        """Where the demo receiver listens."""
        return f"http://{HOST}:{self._ports.receiver}"

    async def not_ready(self, part: Part) -> str | None:
        """Why a process is not ready yet; None when it is."""
        url = f"{self.receiver_url()}/stats" if part is Part.RECEIVER else f"{self.health_url(part)}/readyz"
        try:
            async with self._session.get(url) as answer:
                said = (await answer.text()).strip()
                return None if answer.status == 200 else said.partition("\n")[0]
        except (aiohttp.ClientError, TimeoutError):
            return "starting"

    async def totals(self, before: Totals) -> Totals:
        """What all processes have counted so far."""
        parts = (Part.FANOUT, Part.DISPATCHER)
        pages = await asyncio.gather(*(self._page(f"{self.health_url(part)}/metrics") for part in parts))
        there = {part: page for part, page in zip(parts, pages, strict=True) if page is not None}
        return totals(there, verified=await self.verified(), before=before)

    async def verified(self) -> float | None:
        """How many webhooks the demo receiver has verified; None if it does not answer."""
        try:
            async with self._session.get(f"{self.receiver_url()}/stats") as answer:
                counts: Mapping[str, float] = await answer.json()
                return counts["verified"]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            return None

    async def _page(self, url: str) -> str | None:
        try:
            async with self._session.get(url) as answer:
                return await answer.text() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None


def looking_session() -> aiohttp.ClientSession:
    """A session for `Look`, to be closed by who opened it."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ASK_S))
