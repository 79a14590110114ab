"""Asking endpoints whether they may be called, with the guard that every request to one goes through."""

import aiohttp

from hookline.runtime.handshake import Agreed, Refused, agreed


class Asking:
    """Plays `ports.Endpoints` over HTTP. The session is one of `hookline.runtime.outbound_session`."""

    def __init__(self, session: aiohttp.ClientSession, *, origin: str) -> None:
        self._session = session
        self._origin = origin

    async def objection(self, url: str) -> str | None:
        match await agreed(self._session, url, origin=self._origin):
            case Agreed():
                return None
            case Refused() as refused:
                return refused.sentence
