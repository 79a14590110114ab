"""Keeps programs running, each as a process of its own: starts, restarts and stops them."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from hookline.core.restarts import GiveUp, after_exit, described
from hookline.schemas.errors import ConfigError

_OWNER_ONLY = 0o077  # umask: what the programs write holds payloads and answers of endpoints
_LOG_BYTES_MAX = 20 * 1024 * 1024  # and as much again in the file before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. Its standard input is a pipe that ends when we do (`runtime.leash`); it writes to `log`.

    Its log and the files that it makes are for their owner only.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    log: Path


@dataclass(slots=True)
class _Kept:
    """A program that should run; `process` is the present one, `stopping` says that it is not to be started again."""

    program: Program
    process: asyncio.subprocess.Process
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


class Supervisor:
    """Owns its programs' processes. `say` hears of every restart, `on_hopeless` when starting again would not help."""

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        on_hopeless: Callable[[ConfigError], None],
        inherited: Sequence[int] = (),
    ) -> None:
        self._say = say
        self._on_hopeless = on_hopeless
        self._inherited = tuple(inherited)
        self._kept: dict[str, _Kept] = {}

    async def start(self, program: Program) -> None:
        """Start a program and keep it running until `stop`."""
        kept = _Kept(program, await self._spawn(program))
        self._kept[program.name] = kept
        kept.task = asyncio.create_task(self._keep(kept))

    def pids(self) -> Mapping[str, int]:
        """The process of each program that runs now."""
        return {name: kept.process.pid for name, kept in self._kept.items() if _runs(kept.process)}

    async def stop(self, name: str, *, deadline_s: float) -> bool:
        """End one program: by SIGTERM, by force after `deadline_s`. False if force was needed."""
        kept = self._kept.get(name)
        if kept is None or kept.task is None:
            return True
        kept.stopping.set()
        _terminate(kept.process)
        done, _ = await asyncio.wait({kept.task}, timeout=deadline_s)
        if not done:
            _kill(kept.process)
            await kept.task
        return bool(done)

    def kill(self) -> None:
        """End everything at once and start nothing again."""
        for kept in self._kept.values():
            kept.stopping.set()
            if _runs(kept.process):
                _kill(kept.process)

    def trim_logs(self) -> None:
        """Set aside each log that has grown past its limit; the programs append, so they go on at the start."""
        for kept in self._kept.values():
            _trim(kept.program.log)

    async def _keep(self, kept: _Kept) -> None:
        restarts, started_s = 0, time.monotonic()
        while True:
            status = await kept.process.wait()
            _kill(kept.process)  # whatever it started itself
            if kept.stopping.is_set():
                return
            verdict = after_exit(status, ran_s=time.monotonic() - started_s, restarts=restarts)
            if isinstance(verdict, GiveUp):
                self._on_hopeless(ConfigError(f"{kept.program.name} cannot run: {_last_line(kept.program.log)}"))
                return
            again = f"starts again in {verdict.pause_s:.1f} s ({kept.program.log.name})"
            self._say(f"{kept.program.name} {described(status)}, {again}")
            if await _stopped_within(kept, verdict.pause_s):
                return
            restarts, started_s = verdict.count, time.monotonic()
            kept.process = await self._spawn(kept.program)

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        with _log_file(program.log) as log:
            return await asyncio.create_subprocess_exec(
                *program.command,
                env=dict(program.env),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for us: we stop them in the right order
                pass_fds=self._inherited,
                umask=_OWNER_ONLY,
            )


def fresh_log(path: Path) -> None:
    """Begin a new log; the one before it is kept beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_name(f"{path.name}.1"))


def _trim(path: Path) -> None:
    with suppress(OSError):
        if path.stat().st_size > _LOG_BYTES_MAX:
            shutil.copy(path, path.with_name(f"{path.name}.1"))  # with its mode
            os.truncate(path, 0)


def _log_file(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")


def _last_line(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"
    return "it said nothing"


async def _stopped_within(kept: _Kept, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(kept.stopping.wait(), seconds)
    return kept.stopping.is_set()


def _runs(process: asyncio.subprocess.Process) -> bool:
    return process.returncode is None


def _terminate(process: asyncio.subprocess.Process) -> None:
    if _runs(process):
        with suppress(ProcessLookupError):
            process.terminate()


def _kill(process: asyncio.subprocess.Process) -> None:
    """The whole session that the process leads, or led until just now."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
