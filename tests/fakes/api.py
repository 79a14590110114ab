"""The API on this machine over real HTTP, with a log in memory behind it that can be told to fail."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry

from fakes.configuration import short_settings
from fakes.history import ScriptedHistory
from fakes.reach import ReachOfHistory
from fakes.recovery import CountedInMemory
from hookline.api.app import build_app
from hookline.api.asking import Asking
from hookline.api.ports import Parts
from hookline.api.server import listening
from hookline.core.letters import Bounds, Letter, Page, newest_first, outlined, page_of
from hookline.core.rendering import Renderer
from hookline.runtime import draw
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.changes import Decision, Result, Unapplied, Unchanged, Unknown
from hookline.runtime.clock import Clock, SystemClock
from hookline.runtime.kept import KeptDelivery
from hookline.runtime.keys import new_api_key
from hookline.runtime.log import KafkaRecord, TopicPartition, Written
from hookline.runtime.metrics import Metrics
from hookline.runtime.outbound_session import open_session
from hookline.runtime.settings import Settings
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import (
    Account,
    ApiKey,
    AuditEntry,
    DeadLetter,
    Delivery,
    Disabling,
    EndpointHealth,
    Place,
    disabling_key,
)
from hookline.schemas.topics import Topics

CATALOGUE = load_catalogue()
CODEC = Codec(CATALOGUE)
RENDERER = Renderer(CATALOGUE)


class MemoryLog:
    """A `Writer` that keeps its records, and shows them to a view as Kafka would: a little later, in order."""

    def __init__(self, view: View) -> None:
        self.records: list[KafkaRecord] = []
        self.is_silent = False  # the broker takes the record, but never says so
        self.is_down = False
        self.is_down_after: int | None = None  # so many more records
        self.is_followed = True
        self._view = view
        self._ends: dict[str, int] = {}

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> asyncio.Future[Written]:
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        if self.is_down or self.is_down_after == 0:
            future.set_exception(NotYet("the broker is away"))
            return future
        if self.is_down_after is not None:
            self.is_down_after -= 1
        record = KafkaRecord(topic, 0, self._ends.get(topic, 0), SystemClock().now_ms(), key, value)
        self._ends[topic] = record.offset + 1
        self.records.append(record)
        loop = asyncio.get_running_loop()
        if not self.is_silent:
            loop.call_later(0.002, _settle, future, Written(topic, 0, record.offset, record.timestamp_ms))
        if self.is_followed and topic in self._view.followed():
            loop.call_later(0.004, self._view.received, [record])
        return future

    @property
    def changes(self) -> Sequence[KafkaRecord]:
        """All but who made them."""
        return [record for record in self.records if not record.topic.endswith(".audit")]

    def values(self, topic: str) -> Sequence[bytes | None]:
        return [record.value for record in self.records if record.topic == topic]


class MemoryChanges:
    """`Changes` on a log in memory: one after the other, and all writes of one or none."""

    def __init__(self, log: MemoryLog, view: View, *, answer_s: float) -> None:
        self._log = log
        self._view = view
        self._answer_s = answer_s
        self._lock = asyncio.Lock()

    async def make(self, decide: Callable[[], Decision[Result]]) -> Result:
        try:
            async with asyncio.timeout(self._answer_s):
                await self._lock.acquire()
        except TimeoutError as error:
            raise Unchanged("others wait") from error
        try:
            decision = decide()
            await self._write(decision)
            return decision.result
        finally:
            self._lock.release()

    async def _write(self, decision: Decision[Any]) -> None:
        try:
            async with asyncio.timeout(self._answer_s):
                written = [
                    await self._log.write(each.topic, key=each.key, value=each.value) for each in decision.writes
                ]
        except (NotYet, TimeoutError) as error:
            raise Unknown("the log is away") from error
        try:
            for each in written:
                if each.topic in self._view.followed():
                    await self._view.wait_applied(each.topic, each.offset, timeout_s=self._answer_s)
        except NotYet as error:
            raise Unapplied("the view is behind") from error


class KeptInMemory:
    """`Kept` on a log in memory; `forgotten` offsets are as if retention had taken them."""

    def __init__(self, log: MemoryLog, topics: Topics) -> None:
        self._log = log
        self._topics = topics
        self.forgotten: set[int] = set()
        self.error: Exception | None = None

    async def delivery(self, place: Place, *, account_id: str, delivery_id: str) -> KeptDelivery | None:
        if self.error is not None:
            raise self.error
        values = self._log.values(self._topics.replays if place.in_replays else self._topics.deliveries)
        if place.offset >= len(values) or place.offset in self.forgotten:
            return None
        found = CODEC.decode(values[place.offset] or b"", Delivery)
        if (found.account_id, found.delivery_id) != (account_id, delivery_id):
            return None
        return KeptDelivery(delivery=found, until_ms=found.created_at_ms + 7 * 86_400_000)


class LettersInMemory:
    """`LetterBox` on a log in memory, all in one partition."""

    def __init__(self, log: MemoryLog, topic: str) -> None:
        self._log = log
        self._topic = topic
        self.error: Exception | None = None
        self.asked = asyncio.Event()
        self.is_open = asyncio.Event()  # until then nothing is answered
        self.is_open.set()

    async def page(self, *, before: Mapping[int, int] | None, limit: int, is_wanted: Callable[[Letter], bool]) -> Page:
        page = await self.whole_page(before=before, limit=limit, is_wanted=is_wanted)
        return replace(page, letters=[outlined(each) for each in page.letters])

    async def whole_page(
        self, *, before: Mapping[int, int] | None, limit: int, is_wanted: Callable[[Letter], bool]
    ) -> Page:
        await self._answering()
        letters = self._letters()
        ends = {0: len(letters) if before is None else min(before.get(0, 0), len(letters))}
        back = newest_first(ends, {0: 0}, lambda _partition, start, end: letters[start:end], chunk=10)
        bounds = Bounds(letters=limit, looked_at=50, held_bytes=1024 * 1024)
        return page_of(back, ends, {0: 0}, is_wanted=is_wanted, bounds=bounds)

    async def at(self, place: Place) -> Letter | None:
        await self._answering()
        letters = self._letters()
        return letters[place.offset] if place.partition == 0 and place.offset < len(letters) else None

    async def _answering(self) -> None:
        self.asked.set()
        await self.is_open.wait()
        if self.error is not None:
            raise self.error

    def _letters(self) -> list[Letter]:
        values = self._log.values(self._topic)
        return [
            Letter(place=Place(partition=0, offset=offset), at_ms=offset, record=CODEC.decode(value or b"", DeadLetter))
            for offset, value in enumerate(values)
        ]


class Caller:
    """Calls one API with one key; with none if it is ""."""

    def __init__(self, session: aiohttp.ClientSession, key: str) -> None:
        self._session = session
        self.key = key

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Reply":
        """Send a request; `body` as JSON, `data` as it is."""
        given = CIMultiDict(headers or {})
        if self.key:
            given.setdefault("Authorization", f"Bearer {self.key}")
        if data is None and body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        async with self._session.request(method, path, data=data, headers=given) as response:
            return Reply(response.status, response.headers, await response.text())

    async def asks(self, path: str, query: Mapping[str, object] | None = None) -> "Reply":
        """The answer to a question; what stands in its query may be anything."""
        return await self("GET", f"{path}?{urlencode(query)}" if query else path)

    def with_key(self, key: str) -> "Caller":
        """Who calls the same API with another key."""
        return Caller(self._session, key)

    async def made(self, **fields: object) -> Any:
        """A new webhook, as the API shows it."""
        reply = await self(
            "POST", "/webhooks", {"url": "https://example.com/hook", "events": ["user.created"], **fields}
        )
        assert reply.status == 201, reply.text
        return reply.json


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A running API: `call` with the first account's key, `stranger` with another's, `admin` with an administrator's."""

    port: int
    call: Caller
    stranger: Caller
    admin: Caller
    log: MemoryLog
    view: View
    history: ScriptedHistory
    parts: Parts
    account_id: str
    foreign_id: str

    @property
    def audited(self) -> Sequence[AuditEntry]:
        """What the audit's topic holds."""
        return [CODEC.decode(value or b"", AuditEntry) for value in self.log.values(self.parts.topics.audit)]


@asynccontextmanager
async def running_api(*, answer_s: float = 5, clock: Clock | None = None, **changes: object) -> AsyncIterator[Api]:
    """The API on a free port; `changes` are settings."""
    admin_key, _ = new_api_key("", 0)
    settings = replace(short_settings("", "t.", admin_key=admin_key), **changes)  # type: ignore[arg-type]  # the tests name real settings
    no_authorities = ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT
    )  # endpoints here speak http; reading the system's takes 0.3 s
    async with open_session(reach=settings.reach(), timeout_s=5, tls=no_authorities) as outbound:
        parts = _parts(settings, answer_s, clock=clock or SystemClock(), outbound=outbound)
        async with _running(parts, answer_s) as api:
            yield api


@asynccontextmanager
async def _running(parts: Parts, answer_s: float) -> AsyncIterator[Api]:
    assert isinstance(parts.view, View)
    assert isinstance(parts.writer, MemoryLog)
    assert isinstance(parts.history, ScriptedHistory)
    accounts = {name: draw.account_id() for name in ("own", "foreign")}
    keys = {
        name: await _new_account(parts, account_id, number)
        for number, (name, account_id) in enumerate(accounts.items())
    }
    _ready(parts.view)
    parts.history.owner = accounts["own"]
    async with (
        listening(build_app(parts, answer_s=answer_s), host="127.0.0.1", port=0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", auto_decompress=False) as session,
    ):
        yield Api(
            port=port,
            call=Caller(session, keys["own"]),
            stranger=Caller(session, keys["foreign"]),
            admin=Caller(session, parts.settings.admin_key),
            log=parts.writer,
            view=parts.view,
            history=parts.history,
            parts=parts,
            account_id=accounts["own"],
            foreign_id=accounts["foreign"],
        )


async def key_caller(
    api: Api, account_id: str, *, scopes: str = "read write", expires_at_ms: int | None = None
) -> Caller:
    """Who has a key that another process of the API has written."""
    text, key = new_api_key(account_id, 0, scopes=scopes, expires_at_ms=expires_at_ms)
    await _put_account_record(api.parts, key.key_id, key)
    return api.call.with_key(text)


async def judge(api: Api, judgement: Disabling | EndpointHealth) -> None:
    """Write what a dispatcher would; returns when the API's view has it."""
    subscription_id = judgement.subscription_id
    key = disabling_key(subscription_id) if isinstance(judgement, Disabling) else subscription_id.encode()
    topic = api.parts.topics.endpoint_state
    written = await api.log.write(topic, key=key, value=CODEC.encode(judgement))
    await api.view.wait_applied(topic, written.offset, timeout_s=5)


def _parts(settings: Settings, answer_s: float, *, clock: Clock, outbound: aiohttp.ClientSession) -> Parts:
    metrics, topics = Metrics(CollectorRegistry()), settings.topics()
    view = View(topics=topics, codec=CODEC, metrics=metrics)
    log, history = MemoryLog(view), ScriptedHistory()
    return Parts(
        view=view,
        changes=MemoryChanges(log, view, answer_s=answer_s),
        writer=log,
        endpoints=Asking(outbound, origin=settings.origin),
        history=history,
        states=history,
        reach=ReachOfHistory(),
        letters=LettersInMemory(log, topics.dead_letters),
        kept=KeptInMemory(log, topics),
        counting=CountedInMemory(),
        codec=CODEC,
        catalogue=CATALOGUE,
        renderer=RENDERER,
        topics=topics,
        settings=settings,
        clock=clock,
        draw=draw,
        metrics=metrics,
    )


async def _new_account(parts: Parts, account_id: str, number: int) -> str:
    """Its key; accounts are listed in order of their numbers."""
    text, key = new_api_key(account_id, 0)
    account = Account(account_id=account_id, name="Acme", created_at_ms=1_687_270_530_000 + number)
    await _put_account_record(parts, account_id, account)
    await _put_account_record(parts, key.key_id, key)
    return text


async def _put_account_record(parts: Parts, name: str, record: Account | ApiKey) -> None:
    assert isinstance(parts.view, View)
    written = await parts.writer.write(parts.topics.accounts, key=name.encode(), value=CODEC.encode(record))
    await parts.view.wait_applied(written.topic, written.offset, timeout_s=5)


def _ready(view: View) -> None:
    for topic in view.followed():
        view.ended(TopicPartition(topic, 0), 0)


def _settle(future: asyncio.Future[Written], written: Written) -> None:
    if not future.done():
        future.set_result(written)
