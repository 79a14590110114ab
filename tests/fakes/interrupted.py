"""A history store in which something happens between the questions that make one answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from sqlalchemy import Row

from hookline.runtime.history import HistoryStore
from hookline.runtime.history_database import Database, Moment, open_database
from hookline.runtime.settings import Settings

Between = Callable[[], Awaitable[None]]


@asynccontextmanager
async def interrupted(settings: Settings, between: Between) -> AsyncIterator[HistoryStore]:
    """The store of these settings; what takes several questions is interrupted before each of them but the first."""
    opened = open_database(settings.history_address())
    try:
        yield HistoryStore(_Interrupting(opened, between), is_checked=True)
    finally:
        await opened.close()


class _Interrupting(Database):
    def __init__(self, database: Database, between: Between) -> None:
        super().__init__(database.engine)
        self._between = between

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[Moment]:
        async with super().moment() as moment:
            yield _Interrupted(moment, self._between)


class _Interrupted(Moment):
    def __init__(self, moment: Moment, between: Between) -> None:
        super().__init__(moment._connection, is_postgres=moment.is_postgres)
        self._between = between
        self._asked = count()

    async def rows(self, question: Any, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        if next(self._asked):
            await self._between()
        return await super().rows(question, values)
