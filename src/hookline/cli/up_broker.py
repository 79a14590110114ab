"""The broker of `hookline up`: chosen, started, kept running, and given its topics."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping

from hookline.cli.up_folder import DataFolder
from hookline.core.restarts import Restart, after_exit
from hookline.core.topic_differences import Partitions
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.broker import Broker, ConfiguredKafka, choose_broker
from hookline.runtime.broker_docker import DockerKafka
from hookline.runtime.settings import Settings
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.errors import ConfigError, HooklineError

_LOOK_S = 1.0
_BROKERS_DEFAULT = -1  # replicas: as the operator's own Kafka has it
Say = Callable[[str], None]


def chosen(settings: Settings, folder: DataFolder, *, say: Say, env: Mapping[str, str] = os.environ) -> Broker:
    """The broker of this folder, in the order of choice; not started yet."""
    return choose_broker(
        bootstrap_servers=settings.bootstrap_servers,
        data_dir=folder.broker,
        cache_dir=settings.cache_dir,
        env=env,
        say=say,
    )


def erase(settings: Settings, folder: DataFolder, *, say: Say, env: Mapping[str, str] = os.environ) -> None:
    """Remove the data of the broker that this folder has, if it has one. A configured Kafka is never touched."""
    if not folder.broker.exists():
        return
    try:
        choose_broker(
            bootstrap_servers="", data_dir=folder.broker, cache_dir=settings.cache_dir, env=env, say=say
        ).erase()
    except ConfigError:  # its data is in Docker, and Docker is not there: a new folder gets a volume of its own
        shutil.rmtree(folder.broker)


def described(broker: Broker) -> str:
    """Which Kafka it is, and where."""
    match broker:
        case ConfiguredKafka():
            return f"{broker.bootstrap_servers} (configured)"
        case DockerKafka():
            return f"{broker.bootstrap_servers} (in Docker)"
        case _:
            return f"{broker.bootstrap_servers} (embedded)"


def apply_topics(broker: Broker, settings: Settings, catalogue: Catalogue) -> int:
    """Make the topics that are missing, and leave the partitions of the others; says how many there are."""
    specified = list(settings.topics(catalogue.domains).specifications())
    replication = _BROKERS_DEFAULT if isinstance(broker, ConfiguredKafka) else 1
    admin = TopicAdmin(broker.bootstrap_servers, size=Size.EMBEDDED, replication=replication)
    admin.apply(specified, partitions=Partitions.KEEP)
    return len(specified)


async def keep_running(broker: Broker, *, say: Say) -> None:
    """Start the broker again, on the same data and address, whenever it has ended. Never returns."""
    restarts = 0
    while True:
        await asyncio.sleep(_LOOK_S)
        if await asyncio.to_thread(_is_running, broker):
            restarts = 0
            continue
        say("the broker ended; starting it again")
        try:
            await asyncio.to_thread(broker.start)
        except HooklineError as error:
            verdict = after_exit(1, ran_s=0, restarts=restarts)
            restarts = verdict.count if isinstance(verdict, Restart) else restarts
            say(f"the broker did not start: {error}")
            await asyncio.sleep(verdict.pause_s if isinstance(verdict, Restart) else _LOOK_S)


def _is_running(broker: Broker) -> bool:
    return broker.running
