"""The Kafka that everything runs on: the configured one; else Docker's, where a daemon answers; else Kafka's own jars."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from hookline.runtime.broker_docker import DockerKafka, docker_answers
from hookline.runtime.broker_jars import fetch_jars
from hookline.runtime.broker_java import find_java
from hookline.runtime.broker_probe import answers, wait_for
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.schemas.errors import ConfigError, NotYet

_CONFIGURED_S = 30.0


class BrokerKind(StrEnum):
    """Whose Kafka it is."""

    CONFIGURED = "configured"
    DOCKER = "docker"
    EMBEDDED = "embedded"


class Broker(Protocol):
    """A Kafka that can be started, asked for its address, and stopped. All calls block."""

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; known once it was started."""
        ...

    @property
    def pid(self) -> int | None:
        """The process id, where it is a process of ours that runs."""
        ...

    @property
    def running(self) -> bool:
        """Whether it is up as far as we can see; if not, `start` brings it back on the same data and address."""
        ...

    def start(self) -> None:
        """Return when a client can talk to it; a second call does nothing. ConfigError or NotYet say why not."""
        ...

    def stop(self) -> None:
        """End it cleanly; a second call does nothing."""
        ...

    def erase(self) -> None:
        """Stop it and remove its data, for a fresh start."""
        ...


def choose_broker(
    *,
    bootstrap_servers: str,
    data_dir: Path,
    cache_dir: Path,
    env: Mapping[str, str],
    say: Callable[[str], None],
    port: int = 0,
) -> Broker:
    """The broker to use, not started yet. `data_dir` is the broker's own folder; `bootstrap_servers` is empty if none is set."""
    match choose_kind(bootstrap_servers=bootstrap_servers, data_dir=data_dir, env=env):
        case BrokerKind.CONFIGURED:
            return ConfiguredKafka(bootstrap_servers=bootstrap_servers, say=say)
        case BrokerKind.DOCKER:
            _remember(data_dir, BrokerKind.DOCKER)
            return DockerKafka(data_dir=data_dir, env=env, say=say, port=port)
        case BrokerKind.EMBEDDED:
            _remember(data_dir, BrokerKind.EMBEDDED)
            return EmbeddedKafka(data_dir=data_dir, cache_dir=cache_dir, env=env, say=say, port=port)


def choose_kind(*, bootstrap_servers: str, data_dir: Path, env: Mapping[str, str]) -> BrokerKind:
    """The kind that comes first in the order of choice; ConfigError when the data is in Docker and no daemon answers.

    A data folder stays with the kind that has its data: topics must not seem to vanish because Docker was started.
    """
    if bootstrap_servers:
        return BrokerKind.CONFIGURED
    remembered = _remembered(data_dir)
    if remembered is BrokerKind.EMBEDDED:
        return BrokerKind.EMBEDDED
    if docker_answers(env):
        return BrokerKind.DOCKER
    if remembered is BrokerKind.DOCKER:
        raise ConfigError(
            f"the Kafka of {data_dir} is a Docker volume and no daemon answers: start Docker, or start fresh"
        )
    return BrokerKind.EMBEDDED


def prepare_broker(
    *, bootstrap_servers: str, data_dir: Path, cache_dir: Path, env: Mapping[str, str], say: Callable[[str], None]
) -> BrokerKind:
    """Fetch what the chosen broker needs before its first start; ConfigError says in one sentence what to install."""
    kind = choose_kind(bootstrap_servers=bootstrap_servers, data_dir=data_dir, env=env)
    if kind is BrokerKind.EMBEDDED:
        fetch_jars(cache_dir=cache_dir.expanduser().absolute(), env=env, say=say)
        find_java(env)
    return kind


class ConfiguredKafka:
    """The operator's own Kafka: never started, stopped or erased by us."""

    pid: int | None = None
    running = True

    def __init__(self, *, bootstrap_servers: str, say: Callable[[str], None]) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._say = say

    @property
    def bootstrap_servers(self) -> str:
        """As configured."""
        return self._bootstrap_servers

    def start(self) -> None:
        """Return when it answers; NotYet when it does not within 30 s."""
        self._say(f"waiting for Kafka on {self._bootstrap_servers}")
        if not wait_for(lambda: answers(self._bootstrap_servers), deadline_s=_CONFIGURED_S):
            raise NotYet(f"no Kafka answered on {self._bootstrap_servers} within {_CONFIGURED_S:.0f} s")

    def stop(self) -> None:
        """It is not ours to stop."""

    def erase(self) -> None:
        """It is not ours to erase."""


def _remembered(data_dir: Path) -> BrokerKind | None:
    try:
        return BrokerKind((data_dir.expanduser() / "kind").read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None


def _remember(data_dir: Path, kind: BrokerKind) -> None:
    folder = data_dir.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kind").write_text(kind, encoding="utf-8")
