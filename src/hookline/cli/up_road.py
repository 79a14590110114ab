"""The running processes of one `hookline up`, from the first start to the last stop."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hookline.cli.api_client import api_client
from hookline.cli.up_account import Identity, announce, keep_identity
from hookline.cli.up_broker import keep_running
from hookline.cli.up_demo import register, rest
from hookline.cli.up_folder import DataFolder, UpFile, shown
from hookline.cli.up_look import Look, looking_session
from hookline.cli.up_plan import (
    STOP_ORDER,
    Part,
    Ports,
    Wish,
    command,
    environment,
    parts,
    reachable,
    stop_deadline_s,
)
from hookline.cli.up_rates import Totals, summary
from hookline.cli.up_screen import Screen, Step
from hookline.runtime.broker import Broker
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.settings import Settings
from hookline.runtime.supervisor import Program, Supervisor, fresh_log
from hookline.runtime.tasks import Tasks
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.errors import NotYet

_READY_S = 120.0  # 5 s; a slow machine may take long to import everything seven times at once
_LOOK_S = 0.1
_SUMMARY_S = 5.0
_EXIT_SIGNAL = 128  # as a shell says it: 130 for Ctrl-C, 143 for SIGTERM


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is there before the first process starts."""

    settings: Settings
    catalogue: Catalogue
    folder: DataFolder
    identity: Identity
    ports: Ports
    broker: Broker
    roles_lock: int
    wish: Wish
    started_s: float


class Road:
    """Starts every process, watches over them, and stops them in order. Runs once."""

    def __init__(self, ground: Ground, *, screen: Screen, inherited: Mapping[str, str]) -> None:
        self._ground = ground
        self._screen = screen
        self._inherited = inherited
        self._lifetime = Lifetime()
        self._supervisor = Supervisor(
            say=screen.trouble, on_hopeless=self._lifetime.fail, inherited=(ground.roles_lock,)
        )
        self._tasks = Tasks(on_fatal=self._lifetime.fail)
        self._ready = self._stopping = self._killed = False
        self._status = 0
        host = reachable(ground.settings.api_host)
        self._api_url = f"http://{host}:{ground.ports.api}"

    async def run(self) -> int:
        """Until a signal, or an error that no restart can heal, which is raised.

        Returns the exit status: the signal's if it came before all was ready or ended the processes by force, else 0.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        async with looking_session() as session:
            look = Look(session, self._ground.ports, health_host=reachable(self._ground.settings.health_host))
            self._tasks.spawn(self._live(look))
            try:
                await self._lifetime.wait()
            finally:
                await self._tasks.cancel()
                await self._stop()
        return self._status

    # -- starting -----------------------------------------------------------------------------------------------------

    async def _live(self, look: Look) -> None:
        with self._screen.step("Processes") as step:
            await self._begin(look, step)
            step.detail = ", ".join(parts(demo=self._ground.wish.demo))
        self._write_up_file(look)
        self._ready = True
        self._tell_where()
        if self._ground.wish.demo:
            self._tasks.spawn(self._announce_first(look))
        self._tasks.spawn(self._show_rates(look))
        self._tasks.spawn(self._keep_up_file(look))
        self._tasks.spawn(keep_running(self._ground.broker, say=self._screen.trouble))

    async def _begin(self, look: Look, step: Step) -> None:
        """The source starts as soon as its webhook is confirmed: what is published then reaches the receiver."""
        ground = self._ground
        first = [part for part in parts(demo=ground.wish.demo) if part is not Part.SOURCE]
        for part in first:
            await self._start(part)
        await announce(ground.identity, ground.settings)
        await self._await_ready(look, [part for part in first if part in {Part.API, Part.RECEIVER}], step)
        await self._settle_demo(look)
        if ground.wish.demo:
            await self._start(Part.SOURCE)
        await self._await_ready(look, first, step)

    async def _start(self, part: Part) -> None:
        ground = self._ground
        log = ground.folder.log(part)
        fresh_log(log)
        env = environment(
            part, ground.settings, ports=ground.ports, inherited=self._inherited, name=ground.identity.account_id
        )
        await self._supervisor.start(
            Program(name=part, command=command(part, *self._arguments(part)), env=env, log=log)
        )

    def _arguments(self, part: Part) -> tuple[str, ...]:
        ground = self._ground
        match part:
            case Part.RECEIVER:
                return ("--port", str(ground.ports.receiver), "--secret-file", str(ground.folder.receiver_secret))
            case Part.SOURCE:
                account = ("--account", ground.identity.account_id)
                return ("--rate", str(ground.wish.rate), "--seed", str(ground.wish.seed), *account)
            case _:
                return ()

    async def _await_ready(self, look: Look, awaited: Sequence[Part], step: Step) -> None:
        deadline_s = time.monotonic() + _READY_S
        while True:
            answers = await asyncio.gather(*(look.not_ready(part) for part in awaited))
            complaints = {part: why for part, why in zip(awaited, answers, strict=True) if why is not None}
            if not complaints:
                return
            if time.monotonic() > deadline_s:
                part, why = next(iter(complaints.items()))
                log = self._ground.folder.log(part)
                raise NotYet(f"{part} is not ready after {_READY_S:.0f} s ({why}); its log is {log}")
            step.say(f"waiting for {', '.join(complaints)}")
            await asyncio.sleep(_LOOK_S)

    async def _settle_demo(self, look: Look) -> None:
        ground = self._ground
        async with api_client(self._api_url, ground.identity.api_key) as api:
            if not ground.wish.demo:
                await rest(api, ground.identity)
                return
            events = tuple(ground.catalogue.event_types)
            webhook_id = await register(api, ground.identity, url=f"{look.receiver_url()}/", events=events)
        kept = ground.identity.with_receiver(port=ground.ports.receiver, webhook_id=webhook_id)
        keep_identity(ground.folder, kept)

    # -- running ------------------------------------------------------------------------------------------------------

    def _tell_where(self) -> None:
        ground = self._ground
        self._screen.blank()
        self._screen.fact("API", self._api_url)
        self._screen.fact("API key", ground.identity.api_key)
        self._screen.fact("API docs", f"{self._api_url}/docs")
        self._screen.fact("Logs", shown(ground.folder.log("<role>")))
        self._screen.fact("Try", ground.wish.try_this)
        self._screen.note("Ctrl-C stops everything.")
        self._screen.blank()

    async def _announce_first(self, look: Look) -> None:
        count: float | None = None
        while not count:
            count = await look.verified()
            await asyncio.sleep(0 if count else _LOOK_S / 2)
        took_s = time.monotonic() - self._ground.started_s
        self._screen.news(f"first verified webhook, {took_s:.1f} s after the start")

    async def _show_rates(self, look: Look) -> None:
        before, before_s = await look.totals(Totals()), time.monotonic()
        while True:
            await asyncio.sleep(_SUMMARY_S)
            now, now_s = await look.totals(before), time.monotonic()
            self._screen.summary(summary(before, now, seconds=now_s - before_s))
            before, before_s = now, now_s
            self._supervisor.trim_logs()

    async def _keep_up_file(self, look: Look) -> None:
        written = self._pids()
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._pids() != written:
                written = self._pids()
                self._write_up_file(look)

    def _write_up_file(self, look: Look) -> None:
        ground = self._ground
        self._ground.folder.write_up_file(
            UpFile(
                api_url=self._api_url,
                api_key=ground.identity.api_key,
                bootstrap_servers=ground.settings.bootstrap_servers,
                topic_prefix=ground.settings.topic_prefix,
                account_id=ground.identity.account_id,
                data_dir=str(ground.folder.path),
                pids=self._pids(),
                health={part: look.health_url(part) for part in ground.ports.health},
                receiver_url=look.receiver_url() if ground.wish.demo else None,
            )
        )

    def _pids(self) -> Mapping[str, int]:
        pid = self._ground.broker.pid
        broker = {} if pid is None else {"broker": pid}
        return {"up": os.getpid(), **broker, **self._supervisor.pids()}

    # -- stopping -----------------------------------------------------------------------------------------------------

    def _asked_to_stop(self, number: int) -> None:
        if self._stopping or not self._ready:
            self._status = status_of(number)
        if not self._stopping:
            self._stopping = True
            self._lifetime.stop()
            return
        self._killed = True
        self._supervisor.kill()
        pid = self._ground.broker.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _stop(self) -> None:
        self._stopping = True
        self._screen.end_summary()
        self._ground.folder.remove_up_file()
        with self._screen.step("Stopping", done="Stopped") as step:
            for part in STOP_ORDER:
                await self._stop_part(part, step)
            step.say("Kafka")
            await asyncio.to_thread(self._ground.broker.stop)

    async def _stop_part(self, part: Part, step: Step) -> None:
        deadline_s = stop_deadline_s(part, self._ground.settings)
        step.say(part)
        if not await self._supervisor.stop(part, deadline_s=deadline_s) and not self._killed:
            self._screen.trouble(f"{part} did not stop within {deadline_s:.0f} s and was ended by force")


def status_of(number: int) -> int:
    """The exit status that says which signal ended us early."""
    return _EXIT_SIGNAL + number
