import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hookline.runtime.supervisor import Program, Supervisor, fresh_log
from hookline.schemas.errors import ConfigError

_DEADLINE_S = 20.0
SLEEP = "echo ready; exec sleep 1000"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


def program(folder: Path, script: str) -> Program:
    return Program(name="role", command=("/bin/sh", "-c", script), env=dict(os.environ), log=folder / "role.log")


@asynccontextmanager
async def supervising(said: list[str] | None = None, hopeless: list[str] | None = None) -> AsyncIterator[Supervisor]:
    """A supervisor; whatever it still runs is killed at the end."""
    told = hopeless if hopeless is not None else []

    def give_up(error: ConfigError) -> None:
        told.append(str(error))

    supervisor = Supervisor(say=(said if said is not None else []).append, on_hopeless=give_up)
    try:
        yield supervisor
    finally:
        supervisor.kill()
        await supervisor.stop("role", deadline_s=_DEADLINE_S)


async def logged(folder: Path, lines: int) -> str:
    """The program's log, once it has that many lines."""
    async with asyncio.timeout(_DEADLINE_S):
        while len((folder / "role.log").read_text().splitlines()) < lines:
            await asyncio.sleep(0.01)
    return (folder / "role.log").read_text()


async def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    async with supervising(said) as supervisor:
        await supervisor.start(program(tmp_path, SLEEP))
        await logged(tmp_path, 1)
        first = supervisor.pids()["role"]
        os.kill(first, signal.SIGKILL)
        await logged(tmp_path, 2)
        async with asyncio.timeout(_DEADLINE_S):  # it may speak before the supervisor knows its number
            while supervisor.pids().get("role", first) == first:
                await asyncio.sleep(0.01)
    assert said == ["role was ended by signal 9, starts again in 0.2 s (role.log)"]


async def test_a_program_stops_when_it_is_asked(tmp_path: Path) -> None:
    async with supervising() as supervisor:
        await supervisor.start(program(tmp_path, SLEEP))
        await logged(tmp_path, 1)
        assert await supervisor.stop("role", deadline_s=_DEADLINE_S)
        assert supervisor.pids() == {}


async def test_a_program_that_does_not_stop_is_ended_by_force_with_its_children(tmp_path: Path) -> None:
    async with supervising() as supervisor:
        await supervisor.start(program(tmp_path, STUBBORN))
        await logged(tmp_path, 1)
        pid = supervisor.pids()["role"]
        assert not await supervisor.stop("role", deadline_s=0.2)
    async with asyncio.timeout(_DEADLINE_S):
        while _members(pid):
            await asyncio.sleep(0.01)


async def test_a_program_that_waits_for_its_restart_can_be_stopped(tmp_path: Path) -> None:
    async with supervising() as supervisor:
        await supervisor.start(program(tmp_path, "echo ready; exit 1"))
        await logged(tmp_path, 3)
        async with asyncio.timeout(_DEADLINE_S):
            assert await supervisor.stop("role", deadline_s=_DEADLINE_S)
        assert supervisor.pids() == {}


async def test_a_wrong_setting_is_told_in_the_programs_own_words(tmp_path: Path) -> None:
    hopeless: list[str] = []
    async with supervising(hopeless=hopeless) as supervisor:
        await supervisor.start(program(tmp_path, "echo 'HOOKLINE_X is 0; it must be at least 1'; exit 2"))
        async with asyncio.timeout(_DEADLINE_S):
            while not hopeless:
                await asyncio.sleep(0.01)
            await supervisor.stop("role", deadline_s=_DEADLINE_S)
    assert hopeless == ["role cannot run: HOOKLINE_X is 0; it must be at least 1"]


async def test_a_programs_log_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        async with supervising() as supervisor:
            await supervisor.start(program(tmp_path, f"echo mine > {tmp_path}/made; mkdir {tmp_path}/folder; {SLEEP}"))
            await logged(tmp_path, 1)
    finally:
        os.umask(before)
    assert _modes(tmp_path) == {"role.log": 0o600, "made": 0o600, "folder": 0o700}


async def test_a_log_that_is_set_aside_is_for_its_owner_only_too(tmp_path: Path) -> None:
    async with supervising() as supervisor:
        await supervisor.start(program(tmp_path, SLEEP))
        await logged(tmp_path, 1)
        os.truncate(tmp_path / "role.log", 20 * 1024 * 1024 + 1)
        supervisor.trim_logs()
    assert _modes(tmp_path) == {"role.log": 0o600, "role.log.1": 0o600}
    assert (tmp_path / "role.log").stat().st_size == 0


def test_a_new_log_keeps_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "role.log").write_text("earlier")
    fresh_log(tmp_path / "role.log")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("role.log.1", "earlier")]


def test_a_process_on_a_leash_ends_with_its_starter() -> None:
    script = (
        "from hookline.runtime import leash; leash.hold(); import signal; print('held', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        assert held.stdin is not None
        assert held.stdout is not None
        assert held.stdout.readline() == b"held\n"
        held.stdin.close()  # as the end of the starter does
        assert held.wait(_DEADLINE_S) == -signal.SIGTERM


def _modes(folder: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


def _members(group: int) -> list[str]:
    """The processes of a group that still run; what has ended and was not waited for yet does not count."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, leader = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            found += [process.name] if int(leader) == group and state != "Z" else []
    return found
