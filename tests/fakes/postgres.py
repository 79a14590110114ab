"""One real PostgreSQL for all tests of a session: the configured one; else a container; else a server of our own from Debian's package."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

from fakes.road import free_port
from hookline.runtime.broker_docker import docker_answers

_IMAGE = "postgres:15"
_PROGRAMS = Path("/usr/lib/postgresql")  # Debian's and Ubuntu's package does not put them on PATH
_START_S = 60
_USER = "hookline"
# Tests end before a power cut could take anything. What was committed must outlive the server, so commits are synchronous.
_HASTY = "-c fsync=off -c full_page_writes=off -c shared_buffers=64MB -c max_connections=200"


class OwnPostgres:
    """A server in a folder of its own, on a port of its own, as a user who is not root: PostgreSQL refuses that one."""

    def __init__(self, programs: Path, folder: Path, options: str) -> None:
        self._programs = programs
        self._options = options
        self._folder = folder
        self._port = free_port()
        self._user = "postgres" if os.geteuid() == 0 else None

    @property
    def url(self) -> URL:
        """Its address, as a user who may do everything."""
        return make_url(f"postgresql+asyncpg://{_USER}@127.0.0.1:{self._port}/postgres")

    def make(self) -> None:
        """Make its data folder."""
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._run("initdb", "-D", "data", "-U", _USER, "--auth=trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 {self._options}"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", str(_START_S), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: `immediate` as if it were killed, `fast` in order."""
        self._run("pg_ctl", "-D", "data", "-w", "-t", str(_START_S), "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # the server itself would keep a pipe open
            check=True,
            timeout=2 * _START_S,
        )


@contextmanager
def own_postgres(options: str = _HASTY) -> Iterator[OwnPostgres]:
    """A running server that the caller may stop and start; skips the test where none can be had."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's server programs are not here: `make postgres`, as root, installs Debian's package")
    # Not pytest's folder: only who runs the tests may enter that.
    with tempfile.TemporaryDirectory(prefix="hookline-postgres-") as folder:
        server = OwnPostgres(programs, Path(folder), options)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def any_postgres() -> Iterator[URL]:
    """The address of a server on which databases may be made."""
    configured = os.environ.get("HOOKLINE_TEST_POSTGRES", "")
    if configured:
        yield make_url(configured).set(drivername="postgresql+asyncpg")
    elif docker_answers(os.environ):
        with _container() as url:
            yield url
    else:
        with own_postgres() as server:
            yield server.url


@contextmanager
def _container() -> Iterator[URL]:
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(_IMAGE, driver="asyncpg") as postgres:
        yield make_url(postgres.get_connection_url())


def _programs() -> Path | None:
    """Where `initdb` and `pg_ctl` are, of the newest version that is here."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    found = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None
