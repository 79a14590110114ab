"""Where topics end: said of every partition that was asked about, or not at all."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from fakes.configuration import short_settings
from fakes.kafka import make_topics, write
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import NotYet
from hookline.schemas.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(60)]
Ask = Callable[[EndOffsets, TopicPartition, TopicPartition], Awaitable[object]]


@pytest.fixture
def topics(bootstrap: str, prefix: str) -> Topics:
    made = short_settings(bootstrap, prefix).topics()
    make_topics(bootstrap, made)
    return made


@pytest.fixture
async def ends(bootstrap: str, prefix: str) -> AsyncIterator[EndOffsets]:
    made = EndOffsets(bootstrap, group=f"{prefix}nobody")
    yield made
    await made.close()


async def test_ends_and_what_nobody_has_committed(bootstrap: str, topics: Topics, ends: EndOffsets) -> None:
    write(bootstrap, topics.jobs, [(b"1", b"1"), (b"2", b"2")])
    jobs = TopicPartition(topics.jobs, 0)
    assert await ends.ends([jobs]) == {jobs: 2}
    assert await ends.backlog([jobs]) == {jobs: (0, 2)}
    assert await ends.partition(topics.jobs, b"any") == jobs
    assert (await ends.bounds(topics.jobs))[0] == (0, 2)
    assert await ends.bounds(topics.jobs, [0]) == {0: (0, 2)}


@pytest.mark.parametrize(
    "ask",
    [
        lambda ends, there, missing: ends.ends([there, missing]),
        lambda ends, there, missing: ends.backlog([there, missing]),
        lambda ends, _, missing: ends.partition(f"{missing.topic}.none", b"any"),
        lambda ends, _, missing: ends.bounds(f"{missing.topic}.none"),
        lambda ends, _, missing: ends.bounds(missing.topic, [missing.partition]),
    ],
    ids=["ends", "backlog", "partition", "bounds", "bounds of one"],
)
async def test_a_partition_that_the_broker_does_not_know_is_not_left_out(
    topics: Topics, ends: EndOffsets, ask: Ask
) -> None:
    with pytest.raises(NotYet):
        await ask(ends, TopicPartition(topics.jobs, 0), TopicPartition(topics.jobs, 99))
