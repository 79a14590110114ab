"""Three nodes, one of them killed: the other two go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from confluent_kafka.admin import AdminClient

from fakes.changing import CODEC, Changing, changing
from fakes.cluster import NODES, REPLICAS, Cluster, cluster
from fakes.configuration import short_settings
from fakes.kafka import make_topics, read, write
from hookline.runtime.changes import Unapplied, Unchanged, Unknown
from hookline.runtime.end_offsets import EndOffsets
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Account
from hookline.schemas.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]
KNOWN_AGAIN_S = 30.0  # 4 s; never, where the client keeps to the leader it knew


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path_factory.mktemp("nodes"), cache_dir) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def kafka(nodes: Cluster) -> Cluster:
    """Three nodes, all of them there whatever the test before did to them."""
    for node_id in NODES:
        await nodes.start(node_id)
    await nodes.wait_in_sync()
    return nodes


async def test_what_was_written_survives_the_kill_of_any_one_node(kafka: Cluster, prefix: str) -> None:
    topics = Topics(prefix, (1_000,), (1_000,), ("user",))
    await asyncio.to_thread(make_topics, kafka.bootstrap_servers, topics, replicas=REPLICAS)
    for node_id in NODES:
        await write_with_one_down(kafka, topics.deliveries, node_id)
    found = await asyncio.to_thread(read, kafka.bootstrap_servers, topics.deliveries)
    wanted = [f"{when} {node_id}".encode() for node_id in NODES for when in ("before", "without")]
    assert sorted(each.value or b"" for each in found) == sorted(wanted)


async def test_where_a_topic_ends_is_known_again_soon_after_its_leader_was_killed(kafka: Cluster, prefix: str) -> None:
    topics = Topics(prefix, (1_000,), (1_000,), ("user",))
    await asyncio.to_thread(make_topics, kafka.bootstrap_servers, topics, replicas=REPLICAS)
    ends = EndOffsets(kafka.bootstrap_servers)
    assert await known_end(ends, topics.subscriptions) == 0
    await kafka.kill(await asyncio.to_thread(leader, kafka, topics.subscriptions))
    async with asyncio.timeout(KNOWN_AGAIN_S):
        assert await known_end(ends, topics.subscriptions) == 0
    await ends.close()


async def test_the_configuration_can_be_changed_whichever_node_is_down_and_no_change_is_lost_or_made_twice(
    kafka: Cluster, prefix: str
) -> None:
    """The nodes are killed one after the other: the topics' leader and the one that keeps the transactions among them."""
    settings = short_settings(kafka.bootstrap_servers, prefix)
    topics = settings.topics()
    await asyncio.to_thread(make_topics, kafka.bootstrap_servers, topics, replicas=REPLICAS)
    async with changing(settings) as process:
        made = [await process.add()]
        for node_id in NODES:
            await kafka.kill(node_id)
            made += [await added(process) for _ in range(3)]
            await kafka.start(node_id)
            await kafka.wait_in_sync()
    records = await asyncio.to_thread(read, kafka.bootstrap_servers, topics.accounts)
    written = [CODEC.decode(each.value, Account).version for each in records]
    assert written == list(range(1, len(written) + 1))
    assert sorted(set(made)) == made
    assert set(made) <= set(written)


async def added(process: Changing) -> int:
    """What the first change is told that is confirmed."""
    async with asyncio.timeout(90):
        while True:
            with suppress(Unchanged, Unknown, Unapplied):
                return await process.add()


async def known_end(ends: EndOffsets, topic: str) -> int:
    while True:
        with suppress(NotYet):
            return await ends.of(topic)


def leader(kafka: Cluster, topic: str) -> int:
    """The node that leads the topic's first partition."""
    return int(
        AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics().topics[topic].partitions[0].leader
    )


async def write_with_one_down(kafka: Cluster, topic: str, node_id: int) -> None:
    await put(kafka, topic, f"before {node_id}")
    await kafka.kill(node_id)
    await put(kafka, topic, f"without {node_id}")
    await kafka.start(node_id)
    await kafka.wait_in_sync()


async def put(kafka: Cluster, topic: str, value: str) -> None:
    await asyncio.to_thread(write, kafka.bootstrap_servers, topic, [(value.encode(), value.encode())])
