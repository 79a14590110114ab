"""The broker goes away at the worst moments of a change, and what the change says of itself is true."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from fakes.changing import CODEC, Changing, changing
from fakes.cluster import Door, broker_behind
from fakes.configuration import short_settings, subscription
from fakes.fanout import until
from fakes.kafka import make_topics, read
from fakes.proxy import Api, Gate, KafkaProxy, When, kafka_proxy
from hookline.runtime.broker_node import HOST, free_port
from hookline.runtime.changes import Decision, Unchanged, Unknown
from hookline.runtime.kafka_changes import fence_name, open_changes
from hookline.runtime.metrics import Metrics
from hookline.runtime.view import View
from hookline.schemas.records import Account
from hookline.schemas.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
BEFORE, AFTER = When.BEFORE_IT_IS_PASSED_ON, When.AFTER_THE_BROKER_ANSWERED
AWAY_S = 0.3


@dataclass(frozen=True, slots=True)
class Link:
    """A broker, and a proxy before it that can be shut."""

    proxy: KafkaProxy
    door: Door
    port: int

    def shut_at(self, process: Changing, api: Api, when: When) -> asyncio.Event:
        """Shut it at the process's next request of this kind, until it is opened. Set when that comes by."""
        reached = asyncio.Event()
        self.proxy.close_at(Gate(api, fence_name(process.topics), when), reached.set)
        return reached

    async def away_at(self, process: Changing, api: Api, when: When, *, for_s: float) -> None:
        """Shut it at the process's next request of this kind, and open it again after a while."""
        await asyncio.wait_for(self.shut_at(process, api, when).wait(), 30)
        await asyncio.sleep(for_s)
        self.proxy.open()

    async def counts(self, topics: Topics) -> list[int]:
        """Every count that was ever written and committed, as the log has it."""
        found = await asyncio.to_thread(read, self.door.bootstrap_servers, topics.accounts)
        return [CODEC.decode(each.value, Account).version for each in found]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def link(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> AsyncIterator[Link]:
    folder = tmp_path_factory.mktemp("away")
    port = free_port(str(folder))
    async with (
        broker_behind(port, folder / "kafka", cache_dir) as door,
        kafka_proxy(port, door=door.port) as proxy,
    ):
        made = Link(proxy, door, port)
        async with behind(made, "first.", answer_s=30) as process:
            await process.add()  # the broker makes its own topic for transactions now
        yield made


@asynccontextmanager
async def behind(link: Link, prefix: str, *, answer_s: float = 2.0) -> AsyncIterator[Changing]:
    """A process that changes the configuration through the proxy; its view is not cut off."""
    settings = short_settings(f"{HOST}:{link.port}", prefix)
    await asyncio.to_thread(make_topics, link.door.bootstrap_servers, settings.topics())
    async with changing(settings, answer_s=answer_s, seen_at=link.door.bootstrap_servers) as process:
        yield process
    link.proxy.open()


@pytest.mark.parametrize(
    ("api", "when", "refusal", "is_written"),
    [
        (Api.INIT_PRODUCER_ID, BEFORE, Unchanged, False),
        (Api.INIT_PRODUCER_ID, AFTER, Unchanged, False),
        (Api.PRODUCE, BEFORE, Unchanged, False),
        (Api.PRODUCE, AFTER, Unchanged, False),
        (Api.END_TXN, BEFORE, Unknown, False),
        (Api.END_TXN, AFTER, Unknown, True),
    ],
)
async def test_what_a_change_says_when_the_broker_stays_away_is_true(
    link: Link, prefix: str, api: Api, when: When, refusal: type[Exception], is_written: bool
) -> None:
    async with behind(link, prefix) as process:
        link.shut_at(process, api, when)
        async with asyncio.timeout(8):  # both together have 4 s
            with pytest.raises(refusal):
                await process.add()
            with pytest.raises(Unchanged):
                await process.add()
        link.proxy.open()
        assert await counted_on(process) == 1 + is_written
        assert await link.counts(process.topics) == list(range(1, 2 + is_written))


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("api", [Api.INIT_PRODUCER_ID, Api.PRODUCE, Api.END_TXN])
async def test_a_change_is_made_once_when_the_broker_is_back_in_time(
    link: Link, prefix: str, api: Api, when: When
) -> None:
    async with behind(link, prefix, answer_s=10) as process:
        away = asyncio.create_task(link.away_at(process, api, when, for_s=AWAY_S))
        assert await process.add() == 1
        await away
        assert await process.add() == 2
        assert await link.counts(process.topics) == [1, 2]


@pytest.mark.parametrize("api", [Api.PRODUCE, Api.END_TXN])
async def test_a_client_whose_connection_broke_in_a_transaction_is_used_for_no_other(
    link: Link, prefix: str, api: Api
) -> None:
    """A request that was lost might come late, and end the next transaction before all of it is there."""
    async with behind(link, prefix, answer_s=10) as process:
        assert [await process.add() for _ in range(3)] == [1, 2, 3]
        assert process.fences_taken() == 1
        away = asyncio.create_task(link.away_at(process, api, AFTER, for_s=0.01))
        assert [await process.add() for _ in range(3)] == [4, 5, 6]
        await away
        assert process.fences_taken() > 1


async def test_a_commit_whose_answer_was_lost_is_found_though_another_process_has_changed_the_same_since(
    link: Link, prefix: str
) -> None:
    async with (
        behind(link, prefix, answer_s=10) as process,
        changing(short_settings(link.door.bootstrap_servers, prefix)) as other,
    ):
        link.shut_at(process, Api.END_TXN, AFTER)
        made = asyncio.create_task(process.add())
        await until(lambda: other.count() == 1)
        assert await other.add() == 2
        link.proxy.open()
        assert await made == 1
        assert await link.counts(process.topics) == [1, 2]


async def test_a_commit_that_never_arrived_is_decided_again_on_what_another_process_has_written_since(
    link: Link, prefix: str
) -> None:
    async with (
        behind(link, prefix, answer_s=10) as process,
        changing(short_settings(link.door.bootstrap_servers, prefix)) as other,
    ):
        reached = link.shut_at(process, Api.END_TXN, BEFORE)
        made = asyncio.create_task(process.add())
        await reached.wait()
        assert await other.add() == 1
        link.proxy.open()
        assert await made == 2
        assert await link.counts(process.topics) == [1, 2]


async def test_what_another_process_did_while_the_fence_was_being_taken_is_decided_on(link: Link, prefix: str) -> None:
    """Also when it is in another topic than what is written."""
    async with (
        behind(link, prefix, answer_s=10) as process,
        changing(short_settings(link.door.bootstrap_servers, prefix)) as other,
    ):

        def decide() -> Decision[int]:
            return Decision(process.count(), [process.subscription(subscription("https://example.com"))])

        reached = link.shut_at(process, Api.INIT_PRODUCER_ID, BEFORE)
        made = asyncio.create_task(process.changes.make(decide))
        await reached.wait()
        assert await other.add() == 1
        link.proxy.open()
        assert await made == 1


async def test_nothing_is_decided_on_a_view_that_is_behind(link: Link, prefix: str) -> None:
    settings = short_settings(link.door.bootstrap_servers, prefix)
    await asyncio.to_thread(make_topics, settings.bootstrap_servers, settings.topics())
    async with (
        changing(settings, answer_s=2, seen_at=f"{HOST}:{link.port}") as process,
        changing(settings) as other,
    ):
        assert await process.add() == 1
        await link.proxy.close()
        assert await other.add() == 2
        with pytest.raises(Unchanged, match="the live view is at offset"):
            await process.add()
        with pytest.raises(Unchanged, match="the live view is at offset"):
            await process.changes.make(lambda: pytest.fail("the view is behind"))
        link.proxy.open()
        assert await counted_on(process) == 3


async def test_a_decision_without_writes_is_refused_too_while_nobody_can_say_what_was_confirmed(
    link: Link, prefix: str
) -> None:
    async with behind(link, prefix, answer_s=1) as process:
        await counted_on(process)
        await link.proxy.close()
        with pytest.raises(Unchanged):
            await process.changes.make(lambda: pytest.fail("there is nothing to decide on"))
        link.proxy.open()
        assert await counted_on(process) == 2


async def test_a_process_starts_and_ends_while_the_broker_is_away() -> None:
    settings = short_settings("127.0.0.1:1", "nowhere.")
    metrics = Metrics(CollectorRegistry())
    view = View(topics=settings.topics(), codec=CODEC, metrics=metrics)
    async with (
        asyncio.timeout(20),
        open_changes(
            settings.bootstrap_servers, topics=settings.topics(), view=view, metrics=metrics, answer_s=0.5
        ) as changes,
    ):
        process = Changing(changes, view, settings.topics(), metrics)
        with pytest.raises(Unchanged):
            await process.add()


@pytest.mark.parametrize("api", [Api.PRODUCE, Api.END_TXN])
async def test_the_end_is_bounded_when_the_broker_is_gone_in_the_middle_of_a_change(
    link: Link, prefix: str, api: Api
) -> None:
    async with asyncio.timeout(30):
        async with behind(link, prefix, answer_s=2) as process:
            await process.add()
            link.shut_at(process, api, BEFORE)
            under_way = asyncio.create_task(process.add())
            await asyncio.sleep(0)
        with pytest.raises(Unknown if api is Api.END_TXN else Unchanged):
            await under_way


async def test_a_broker_that_hangs_in_the_middle_of_a_change_or_dies_makes_no_change_twice(
    link: Link, prefix: str
) -> None:
    node = link.door.node
    settings = short_settings(node.bootstrap_servers, prefix)
    await asyncio.to_thread(make_topics, node.bootstrap_servers, settings.topics())
    async with changing(settings, answer_s=3) as process:
        assert await counted_on(process) == 1
        pid = node.pid or 0

        def decide() -> Decision[int]:
            os.kill(pid, signal.SIGSTOP)
            return process.added()

        try:
            with pytest.raises(Unchanged):
                await process.changes.make(decide)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert await counted_on(process) == 2
        await asyncio.to_thread(node.kill)
        try:
            with pytest.raises(Unchanged):
                await process.add()
        finally:
            await asyncio.to_thread(node.start)
        assert await counted_on(process) == 3


async def counted_on(process: Changing) -> int:
    """The first count that a broker which was just away confirms."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await process.add()
            except Unchanged:
                continue


async def test_however_often_the_link_fails_every_count_is_written_once_and_every_answer_is_true(
    link: Link, prefix: str
) -> None:
    drawn = Random(seed := SystemRandom().randrange(1_000_000))  # noqa: S311 - repeatable, not secret
    print(f"seed {seed}")
    async with (
        behind(link, prefix, answer_s=4) as process,
        changing(short_settings(link.door.bootstrap_servers, prefix)) as other,
    ):
        async with counting(process) as one, counting(other) as two:
            for _ in range(12):
                api = drawn.choice((Api.INIT_PRODUCER_ID, Api.PRODUCE, Api.END_TXN))
                await link.away_at(process, api, drawn.choice((BEFORE, AFTER)), for_s=drawn.uniform(0.05, 0.5))
        made = [*one, *two, await process.add()]
        written = await link.counts(process.topics)
    print(f"{len(written)} written, of which {len(made)} were confirmed")
    assert written == list(range(1, len(written) + 1))
    assert len(set(made)) == len(made)
    assert set(made) <= set(written)


@asynccontextmanager
async def counting(process: Changing) -> AsyncIterator[list[int]]:
    """The process adds one again and again while the block runs; what it was told. All of it is there once the block has ended."""
    told: list[int] = []
    is_over = asyncio.Event()

    async def add() -> None:
        while not is_over.is_set():
            with suppress(Unchanged, Unknown):
                told.append(await process.add())

    task = asyncio.create_task(add())
    try:
        yield told
    finally:
        is_over.set()
        await task
