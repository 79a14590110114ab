"""Three Kafka nodes on this machine, each of which can be killed and started again; and one node behind a proxy's port.

    async with cluster(tmp_path, cache_dir) as kafka:
        await kafka.kill(2)
        await kafka.start(2)
        await kafka.wait_in_sync()

Every record is on three nodes, and a write waits for two of them. Where Java or Kafka's jars are missing, the test is skipped.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from hookline.runtime.broker_jars import fetch_jars
from hookline.runtime.broker_java import find_java
from hookline.runtime.broker_node import HOST, Node, Ports, Proxied, cluster_id, free_port
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.schemas.errors import ConfigError

NODES = (1, 2, 3)
REPLICAS = len(NODES)
_HEAP_MB = 192  # three nodes on a small machine; one alone has 256
_IN_SYNC_S = 60.0
_ASK_S = 5.0
_ASK_EVERY_S = 0.1


@dataclass(slots=True)
class Cluster:
    """Three running nodes, each combined broker and controller."""

    nodes: Mapping[int, EmbeddedKafka]

    @property
    def bootstrap_servers(self) -> str:
        """All three, so that a client finds the cluster whichever is down."""
        return ",".join(each.bootstrap_servers for each in self.nodes.values())

    async def kill(self, node_id: int) -> None:
        """SIGKILL, as a power failure would."""
        await asyncio.to_thread(self.nodes[node_id].kill)

    async def start(self, node_id: int) -> None:
        """Start a node that was killed; returns when it answers."""
        await asyncio.to_thread(self.nodes[node_id].start)

    async def wait_in_sync(self) -> None:
        """Return once all three nodes are there and hold every partition's newest record."""
        async with asyncio.timeout(_IN_SYNC_S):
            while not await asyncio.to_thread(_is_in_sync, self.bootstrap_servers):
                await asyncio.sleep(_ASK_EVERY_S)


@dataclass(frozen=True, slots=True)
class Door:
    """A node's own address, past the proxy, and the port at which the proxy reaches it. Who kills the node starts it again."""

    bootstrap_servers: str
    port: int
    node: EmbeddedKafka


@asynccontextmanager
async def cluster(folder: Path, cache_dir: Path) -> AsyncIterator[Cluster]:
    """Three nodes with their data in `folder`; all have ended when the block has."""
    require_kafka(cache_dir)
    nodes = {each.node_id: _broker(each, folder, cache_dir) for each in _nodes(folder)}
    try:
        # Together: a node of three answers only when there is a second one.
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in nodes.values()))
        running = Cluster(nodes)
        await running.wait_in_sync()
        yield running
    finally:
        for each in nodes.values():
            each.kill()  # their data goes with the folder


@asynccontextmanager
async def broker_behind(port: int, folder: Path, cache_dir: Path) -> AsyncIterator[Door]:
    """One node that tells clients behind a proxy to connect to `port`."""
    require_kafka(cache_dir)
    client, controller, door = _ports(str(folder), count=3)
    node = Node(ports=Ports(client, controller), log_dir=str(folder / "data"), proxied=Proxied(door, port))
    broker = EmbeddedKafka(data_dir=folder, cache_dir=cache_dir, env=os.environ, say=print, node=node)
    try:
        await asyncio.to_thread(broker.start)
        yield Door(broker.bootstrap_servers, door, broker)
    finally:
        broker.kill()


def require_kafka(cache_dir: Path) -> None:
    """Skip the test where Java or Kafka's jars are missing: it needs nodes of its own, no configured broker will do."""
    try:
        find_java(os.environ)
        fetch_jars(cache_dir=cache_dir, env=os.environ, say=print)
    except ConfigError as error:
        pytest.skip(f"this test starts Kafka nodes of its own, and cannot: {error}")


def _nodes(folder: Path) -> list[Node]:
    ports = _ports(str(folder), count=2 * REPLICAS)
    pairs = [Ports(*ports[start : start + 2]) for start in range(0, len(ports), 2)]
    voters = ",".join(f"{number}@{HOST}:{pair.controller}" for number, pair in zip(NODES, pairs, strict=True))
    drawn = cluster_id()
    return [
        Node(
            ports=pair,
            log_dir=str(folder / f"node-{number}" / "data"),
            node_id=number,
            voters=voters,
            cluster_id=drawn,
            replicas=REPLICAS,
        )
        for number, pair in zip(NODES, pairs, strict=True)
    ]


def _broker(node: Node, folder: Path, cache_dir: Path) -> EmbeddedKafka:
    return EmbeddedKafka(
        data_dir=folder / f"node-{node.node_id}",
        cache_dir=cache_dir,
        env=os.environ,
        say=print,
        node=node,
        heap_mb=_HEAP_MB,
    )


def _ports(seed: str, *, count: int) -> list[int]:
    """Free ports, all different; held until the last is found, so that no two are the same."""
    with ExitStack() as held:
        servers = [
            held.enter_context(socket.create_server((HOST, free_port(f"{seed}/{number}")))) for number in range(count)
        ]
        return [int(each.getsockname()[1]) for each in servers]


def _is_in_sync(bootstrap: str) -> bool:
    with suppress(KafkaException):
        known = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=_ASK_S)
        partitions = [each for topic in known.topics.values() for each in topic.partitions.values()]
        return len(known.brokers) == REPLICAS and all(set(each.isrs) == set(each.replicas) for each in partitions)
    return False
