"""What every role says of itself while its broker hangs, is gone, and comes back. The broker is the test's own."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from fakes.configuration import short_settings, subscription
from fakes.endpoint import endpoint
from fakes.kafka import make_topics
from fakes.replaying import (
    NOW_MS,
    ask,
    commit_all,
    configure,
    event_ids,
    events,
    job_for,
    publish,
    replayer,
    sent,
    until_job,
    until_over,
)
from fakes.road import ROLES, Road, road, sample
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.schemas.records import JobState

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
_BACK_S = 60.0  # whoever was thrown out of its group joins it again; on a quiet machine all are back within 2 s
_NOTICED_S = 20.0  # 5 s of silence and a question of 2 s, on a machine that may be busy


@pytest.fixture
def own_broker(tmp_path: Path, cache_dir: Path) -> Iterator[EmbeddedKafka]:
    broker = EmbeddedKafka(data_dir=tmp_path / "kafka", cache_dir=cache_dir, env=os.environ, say=print)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


async def page(running: Road, name: str, path: str) -> tuple[int, str]:
    url = f"{running.roles[name].health_url}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, (await answer.text()).strip()


async def all_say(running: Road, status: int, *, within_s: float = _NOTICED_S) -> Mapping[str, str]:
    """What every role's /readyz says, once all of them answer with this status; /healthz is well all the time."""
    began_s, said, others = time.monotonic(), dict[str, str](), dict[str, str]()
    while len(said) < len(running.roles):
        for name in running.roles:
            assert (await page(running, name, "/healthz"))[0] == 200
            found, text = await page(running, name, "/readyz")
            (said if found == status else others).setdefault(name, f"{text} [after {time.monotonic() - began_s:.1f} s]")
        assert time.monotonic() - began_s < within_s, f"wanted {status} of all: {said} say so; others said {others}"
        await asyncio.sleep(0.1)
    print(f"\n{status}: {said}")
    return said


async def test_no_role_is_ready_while_the_broker_hangs_or_is_gone_and_all_are_soon_after(
    own_broker: EmbeddedKafka, prefix: str, tmp_path: Path
) -> None:
    settings = short_settings(own_broker.bootstrap_servers, prefix)
    async with road(settings, tmp_path, roles=(*ROLES, "replay")) as running, endpoint() as (url, seen):
        await running.subscribe(url, "order.created")
        await running.publish(sample("order.created"))
        await seen.wait_for(1)
        own_broker_pid = own_broker.pid
        assert own_broker_pid is not None
        os.kill(own_broker_pid, signal.SIGSTOP)
        complaints = await all_say(running, 503)
        assert all("broker" in each for each in complaints.values())
        os.kill(own_broker_pid, signal.SIGCONT)
        await all_say(running, 200, within_s=_BACK_S)
        own_broker.kill()
        await all_say(running, 503)
        await asyncio.to_thread(own_broker.start)
        await all_say(running, 200, within_s=_BACK_S)
        await running.publish(sample("order.created"))
        await seen.wait_for(2)


async def test_a_job_waits_for_a_broker_that_is_gone_and_leaves_nothing_out(
    own_broker: EmbeddedKafka, prefix: str, tmp_path: Path
) -> None:
    settings = short_settings(own_broker.bootstrap_servers, prefix, data_dir=tmp_path / "data")
    make_topics(settings.bootstrap_servers, settings.topics())
    to, happened = subscription("http://127.0.0.1:1/", "order.created"), events(400)
    configure(settings, to)
    publish(settings, happened, at_ms=NOW_MS)
    commit_all(settings)
    job = job_for(to, rate=80)
    async with replayer(settings) as running:
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent >= 100)
        own_broker.kill()
        await asyncio.sleep(settings.session_timeout_s + 2)  # long enough to be no member any more
        assert running.process.returncode is None
        await asyncio.to_thread(own_broker.start)
        ended = await until_over(settings, job, timeout_s=120)
    assert (ended.state, ended.sent, ended.lost) == (JobState.DONE, 400, 0)
    assert set(event_ids(sent(settings))) == set(event_ids(happened))
