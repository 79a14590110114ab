"""What tests of a session share: one real Kafka and one real PostgreSQL, configured, in Docker, or our own."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import hypothesis
import pytest
from sqlalchemy.engine import URL

from fakes.api import Api, running_api
from fakes.chaos_asked import Asked
from fakes.postgres import any_postgres
from fakes.stores import database, make_template
from hookline.runtime.broker_docker import docker_answers
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.settings import Settings

# 8,000 partitions of tests fill 250 MB, and a broker that has no more does little but look for free memory.
HEAP_MB = 1_024

# A machine that is busy for a moment is no failure of what is tested; what must not hang has a limit of its own.
hypothesis.settings.register_profile("hookline", deadline=None)
hypothesis.settings.load_profile("hookline")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a chaos run may be asked for (docs/chaos.md)."""
    group = parser.getgroup("chaos")
    group.addoption("--full", action="store_true", help="the whole run of about 10 minutes, not the one of 3")
    group.addoption("--seed", type=int, help="draw the same faults as the run that printed it; else new ones")
    group.addoption("--rate", type=int, help="events a second; else 1,000 in a full run, what is possible in a short")
    group.addoption("--dispatchers", type=int, default=2, help="how many processes of that role")
    group.addoption("--fanouts", type=int, default=1, help="how many processes of that role")
    group.addoption("--table", type=Path, help="add the verdict to this file")
    parser.addoption("--missed", type=int, default=3_000, help="events that a paused webhook catches up with")


@pytest.fixture
def missed_count(pytestconfig: pytest.Config) -> int:
    """How many events a paused webhook misses."""
    return int(pytestconfig.getoption("--missed"))


@pytest.fixture
def asked(pytestconfig: pytest.Config) -> Asked:
    """What a chaos run was asked for."""
    seed = pytestconfig.getoption("--seed")
    return Asked(
        is_full=pytestconfig.getoption("--full"),
        seed=SystemRandom().randrange(1_000_000) if seed is None else seed,
        rate_per_s=pytestconfig.getoption("--rate"),
        dispatchers=pytestconfig.getoption("--dispatchers"),
        fanouts=pytestconfig.getoption("--fanouts"),
        table=pytestconfig.getoption("--table"),
    )


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """Where Kafka's jars are, or will be."""
    return Settings.from_env(os.environ).cache_dir.expanduser()


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[str]:
    """The bootstrap servers of the session's Kafka. It is shared: names begin with the test's `prefix`."""
    configured = os.environ.get("HOOKLINE_TEST_BOOTSTRAP_SERVERS", "")
    if configured:
        yield configured
    elif docker_answers(os.environ):
        with _container() as address:
            yield address
    else:
        with _embedded(tmp_path_factory.mktemp("kafka"), cache_dir) as address:
            yield address


@pytest.fixture
def prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"t{uuid.uuid4().hex[:7]}."


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """The session's PostgreSQL server. Tests make databases of their own on it."""
    with any_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgres: URL) -> str:
    """The name of a database with the history store's tables, to make others from."""
    return make_template(postgres)


@pytest.fixture
async def empty_database(postgres: URL) -> AsyncIterator[str]:
    """The address of a database without a table."""
    async with database(postgres) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def kind_of_store(request: pytest.FixtureRequest) -> tuple[URL, str] | None:
    """Every history store there is: the embedded one (None), and one on a server, with the database to copy."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("postgres"), request.getfixturevalue("migrated")


@pytest.fixture
async def store_settings(kind_of_store: tuple[URL, str] | None, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of an empty history store of each kind."""
    settings = Settings(data_dir=tmp_path / "data")
    if kind_of_store is None:
        yield settings
    else:
        async with database(*kind_of_store) as address:
            yield replace(settings, history_url=address)


@pytest.fixture
async def store(store_settings: Settings) -> AsyncIterator[HistoryStore]:
    """That store, opened."""
    async with open_history(store_settings) as opened:
        yield opened


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A running API with a log in memory behind it."""
    async with running_api() as running:
        yield running


@contextmanager
def _embedded(data_dir: Path, cache_dir: Path) -> Iterator[str]:
    broker = EmbeddedKafka(data_dir=data_dir, cache_dir=cache_dir, env=os.environ, say=print, heap_mb=HEAP_MB)
    broker.start()
    try:
        yield broker.bootstrap_servers
    finally:
        broker.stop()


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    kafka = KafkaContainer().with_kraft()
    for name, value in {
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "MESSAGE_MAX_BYTES": "2097152",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    }.items():
        kafka.with_env(f"KAFKA_{name}", value)
    with kafka:
        yield kafka.get_bootstrap_server()
