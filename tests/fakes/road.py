"""The whole road for one test: every role a process of its own, on topics of its own, with an account and its key."""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from fakes.configuration import ACCOUNT
from fakes.kafka import make_topics, write
from hookline.core import apikeys
from hookline.producers import Event, Publisher
from hookline.runtime import broker_node, draw
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.settings import Settings, as_env
from hookline.schemas.codec import Codec, sample_event
from hookline.schemas.records import Account, ApiKey

ROLES = ("api", "fanout", "dispatcher", "history")
CATALOGUE = load_catalogue()
CODEC = Codec(CATALOGUE)
Deliveries = Sequence[Mapping[str, Any]]
_READY_S = 60.0
_STOP_S = 45.0


def free_port() -> int:
    """A port that is free now, below those the system hands out."""
    return broker_node.free_port(uuid.uuid4().hex)


def sample(event_type: str, *, event_id: str | None = None, account_id: str = ACCOUNT) -> Event:
    """A new event with the contract's own data."""
    return sample_event(
        CATALOGUE,
        event_type,
        event_id=event_id or draw.event_id(),
        account_id=account_id,
        occurred_at=datetime.now(UTC),
    )


@dataclass(slots=True)
class Role:
    """One running process."""

    process: asyncio.subprocess.Process
    health_url: str


@dataclass(slots=True)
class Road:
    """The running road. `api` is an HTTP session with the account's key; its paths are relative."""

    settings: Settings
    api: aiohttp.ClientSession
    log_dir: Path
    roles: dict[str, Role] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        """Start a role and wait until it says that it is ready; `dispatcher-2` is one more of the role `dispatcher`.

        To accounts that check ownership a process says its name in each request.
        """
        port, (role, _, number) = free_port(), name.partition("-")
        settings = replace(self.settings, health_port=port, instance_id=f"{role}-{number or 1}", origin=name)
        with (self.log_dir / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hookline",
                role,
                env=_environment(settings) | dict(self.environment),
                stdout=log,
                stderr=log,
            )
        self.roles[name] = Role(process, f"http://127.0.0.1:{port}")
        await self.wait_ready(name)

    async def wait_ready(self, name: str) -> None:
        role = self.roles[name]
        async with asyncio.timeout(_READY_S):
            while not await self._is_ready(role):
                assert role.process.returncode is None, f"{name} ended: {self.log_of(name)}"
                await asyncio.sleep(0.05)

    async def kill(self, name: str) -> None:
        """SIGKILL, and wait until the process is gone."""
        role = self.roles.pop(name)
        role.process.send_signal(signal.SIGKILL)
        await role.process.wait()

    async def stop(self, name: str) -> int:
        """SIGTERM; returns the exit status."""
        role = self.roles.pop(name)
        with contextlib.suppress(ProcessLookupError):
            role.process.terminate()
        return await asyncio.wait_for(role.process.wait(), _STOP_S)

    async def stop_all(self) -> Mapping[str, int]:
        """SIGTERM to all, one after the other; who does not end is killed, and named once all are gone."""
        ended, late = dict[str, int](), dict[str, asyncio.subprocess.Process]()
        for name, role in list(self.roles.items()):
            try:
                ended[name] = await self.stop(name)
            except TimeoutError:
                late[name] = role.process
                role.process.kill()
        for each in late.values():
            await each.wait()
        assert not late, f"{', '.join(late)}: did not end within {_STOP_S:.0f} s: {self.log_of(next(iter(late)))}"
        return ended

    async def metric(self, name: str, sample_name: str) -> float:
        """The sum of a metric's samples on a role's page."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.roles[name].health_url}/metrics") as page:
            lines = (await page.text()).splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].partition(" ")[0] == sample_name
        )

    async def subscribe(self, url: str, *events: str, **more: object) -> dict[str, Any]:
        """Create a webhook through the API."""
        async with self.api.post("/webhooks", json={"url": url, "events": list(events), **more}) as answer:
            assert answer.status == 201, await answer.text()
            return dict(await answer.json())

    async def get(self, path: str) -> Any:
        async with self.api.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def deliveries(
        self, webhook_id: str, until: Callable[[Deliveries], bool], *, timeout_s: float = 30
    ) -> Deliveries:
        """The webhook's deliveries, once they are as wanted."""
        async with asyncio.timeout(timeout_s):
            while not until(found := (await self.get(f"/webhooks/{webhook_id}/deliveries"))["deliveries"]):
                await asyncio.sleep(0.05)
        return list(found)

    async def publish(self, *events: Event) -> None:
        """Publish and have the broker's yes for every event."""

        def publish_all() -> None:
            with Publisher(
                bootstrap_servers=self.settings.bootstrap_servers, topic_prefix=self.settings.topic_prefix
            ) as publisher:
                for event in events:
                    publisher.submit(event)

        await asyncio.to_thread(publish_all)

    def log_of(self, name: str) -> str:
        return (self.log_dir / f"{name}.log").read_text()[-4_000:]

    async def _is_ready(self, role: Role) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{role.health_url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def road(
    settings: Settings, folder: Path, *, roles: Sequence[str] = ROLES, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Road]:
    """A running road; everything it started has ended when the block has. Its processes also see `environment`."""
    settings = replace(settings, data_dir=folder, api_port=free_port())
    key = await asyncio.to_thread(_prepare, settings)
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.api_port}", headers=headers) as session:
        running = Road(settings, session, folder, environment=environment or {})
        try:
            await asyncio.gather(*(running.start(name) for name in roles))
            yield running
        finally:
            await running.stop_all()


def _prepare(settings: Settings) -> str:
    topics = settings.topics()
    make_topics(settings.bootstrap_servers, topics)
    key_id, secret = draw.api_key()
    now_ms = SystemClock().now_ms()
    records = [
        (ACCOUNT.encode(), CODEC.encode(Account(account_id=ACCOUNT, name="test", created_at_ms=now_ms))),
        (
            key_id.encode(),
            CODEC.encode(
                ApiKey(
                    key_id=key_id, account_id=ACCOUNT, secret_sha256=apikeys.secret_sha256(secret), created_at_ms=now_ms
                )
            ),
        ),
    ]
    write(settings.bootstrap_servers, topics.accounts, records)
    return apikeys.write(key_id, secret)


def _environment(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    return kept | dict(as_env(settings))
