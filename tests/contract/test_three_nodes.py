"""Three nodes, one of them killed: the other two go on."""

import asyncio
from pathlib import Path

import pytest

from fakes.cluster import NODES, REPLICAS, Cluster, cluster
from fakes.kafka import read, write
from hookline.runtime.admin import Size, TopicAdmin
from hookline.schemas.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


async def test_what_was_written_survives_the_kill_of_any_one_node(tmp_path: Path, cache_dir: Path) -> None:
    topics = Topics("cluster.", (1_000,), (1_000,), ("user",))
    async with cluster(tmp_path, cache_dir) as kafka:
        admin = TopicAdmin(kafka.bootstrap_servers, size=Size.EMBEDDED, replication=REPLICAS)
        await asyncio.to_thread(admin.apply, topics.specifications())
        for node_id in NODES:
            await write_with_one_down(kafka, topics.deliveries, node_id)
        found = await asyncio.to_thread(read, kafka.bootstrap_servers, topics.deliveries)
    wanted = [f"{when} {node_id}".encode() for node_id in NODES for when in ("before", "without")]
    assert sorted(each.value or b"" for each in found) == sorted(wanted)


async def write_with_one_down(kafka: Cluster, topic: str, node_id: int) -> None:
    await put(kafka, topic, f"before {node_id}")
    await kafka.kill(node_id)
    await put(kafka, topic, f"without {node_id}")
    await kafka.start(node_id)
    await kafka.wait_in_sync()


async def put(kafka: Cluster, topic: str, value: str) -> None:
    await asyncio.to_thread(write, kafka.bootstrap_servers, topic, [(value.encode(), value.encode())])
