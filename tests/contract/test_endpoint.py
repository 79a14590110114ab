import asyncio

import aiohttp
import pytest

from fakes.endpoint import Step, after, answer, endpoint, hang, huge, reset, stall, when


async def test_statuses_are_answered_in_turn_and_the_last_is_repeated() -> None:
    async with endpoint(503, 200) as (url, seen), aiohttp.ClientSession() as session:
        assert [(await session.post(url)).status for _ in range(3)] == [503, 200, 200]
        assert len(seen) == 3


async def test_requests_are_seen_as_they_came() -> None:
    async with endpoint() as (url, seen), aiohttp.ClientSession() as session:
        await session.post(f"{url}/a/b?c=d", data=b"\x00body", headers={"X-One": "1"})
        (request,) = await seen.wait_for(1)
        assert (request.method, request.path, request.body, request.headers["x-one"]) == (
            "POST",
            "/a/b?c=d",
            b"\x00body",
            "1",
        )


async def test_waiting_for_more_than_comes_says_how_many_came() -> None:
    async with endpoint() as (_, seen):
        with pytest.raises(AssertionError, match="0 requests came"):
            await seen.wait_for(1, timeout_s=0.01)


async def test_headers_body_and_delay() -> None:
    slow = after(0.01, answer(429, headers={"Retry-After": "7"}, body=b"later"))
    async with endpoint(slow) as (url, _), aiohttp.ClientSession() as session, session.get(url) as response:
        assert (response.status, response.headers["Retry-After"], await response.read()) == (429, "7", b"later")


async def test_an_answer_waits_for_its_event() -> None:
    opened = asyncio.Event()
    async with endpoint(when(opened, 204)) as (url, seen), aiohttp.ClientSession() as session:
        request = asyncio.ensure_future(session.get(url))
        await seen.wait_for(1)
        assert not request.done()
        opened.set()
        assert (await request).status == 204


async def test_a_reset_is_one() -> None:
    async with endpoint(reset) as (url, _), aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
            await session.get(url)


async def test_a_huge_body_comes_whole_to_who_reads_it() -> None:
    async with endpoint(huge(1_000_000)) as (url, _), aiohttp.ClientSession() as session:
        assert len(await (await session.get(url)).read()) == 1_000_000


@pytest.mark.parametrize("step", [hang, stall()])
async def test_what_hangs_is_cut_off_at_the_end(step: Step) -> None:
    timeout = aiohttp.ClientTimeout(total=0.05)
    async with endpoint(step) as (url, seen), aiohttp.ClientSession(timeout=timeout) as session:
        with pytest.raises(TimeoutError):
            await (await session.get(url)).read()
        assert len(seen) == 1
