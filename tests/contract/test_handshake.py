"""Asking endpoints whether they may be called: what is asked, what counts as a yes, and what is told of a no."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from aiohttp import ClientSession

from fakes.attempts import LOOPBACK, ORIGIN
from fakes.certificates import Authority
from fakes.dns import name_server
from fakes.endpoint import answer, endpoint, hang, huge
from fakes.hostile import (
    ALL,
    HEAD,
    HEADERS_WITHOUT_END,
    INTERIM_WITHOUT_END,
    Manner,
    close_at_once,
    listening,
    never_answer,
    reset_at_once,
    saying,
    without_end,
)
from fakes.lines import Lines, logged
from hookline.core.address import Reach
from hookline.runtime.handshake import Agreed, Agreement, Refusal, Refused, agreed
from hookline.runtime.outbound_session import open_session

YES = {"WebHook-Allowed-Origin": ORIGIN}
YES_HEAD = HEAD + f"WebHook-Allowed-Origin: {ORIGIN}\r\n".encode()
NO_ANSWER = Refused(Refusal.NO_ANSWER, "The endpoint did not answer the question whether it may be called (OPTIONS).")
QUERY = "Query5ecret"


@pytest.fixture
def lines() -> Iterator[Lines]:
    with logged() as found:
        yield found


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with open_session(reach=LOOPBACK, timeout_s=30, lookup_timeout_s=0.5) as found:
        yield found


async def asked(session: ClientSession, url: str, *, timeout_s: float = 5) -> Agreement:
    return await agreed(session, url, origin=ORIGIN, timeout_s=timeout_s)


@pytest.mark.parametrize("allowed", [ORIGIN, ORIGIN.upper(), f" {ORIGIN} ", "*"])
@pytest.mark.parametrize("status", [200, 204, 299])
async def test_an_endpoint_that_allows_our_origin_agrees(session: ClientSession, allowed: str, status: int) -> None:
    async with endpoint(answer(status, headers={"webhook-allowed-origin": allowed})) as (url, _):
        assert await asked(session, url) == Agreed()


async def test_the_question_is_of_the_very_url_and_bears_nothing_else(session: ClientSession) -> None:
    async with endpoint(answer(200, headers=YES)) as (url, seen):
        assert await asked(session, url.replace("//", "//user:password@") + f"/a/b?key={QUERY}") == Agreed()
    (request,) = seen
    assert (request.method, request.path, request.body) == ("OPTIONS", f"/a/b?key={QUERY}", b"")
    assert request.headers["WebHook-Request-Origin"] == ORIGIN
    assert set(request.headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "WebHook-Request-Origin"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"WebHook-Allowed-Origin": ""},
        {"WebHook-Allowed-Origin": "other.example"},
        {"WebHook-Allowed-Origin": f"other.example, {ORIGIN}"},
        {"WebHook-Allowed-Origin": f"*.{ORIGIN}"},
        {"WebHook-Allowed-Origin": f"x{ORIGIN}"},
        {"Access-Control-Allow-Origin": "*"},
        {"WebHook-Allowed-Rate": "*"},
    ],
)
async def test_an_answer_without_our_origin_is_no_permission(
    session: ClientSession, headers: Mapping[str, str]
) -> None:
    async with endpoint(answer(200, headers=headers)) as (url, _):
        refused = await asked(session, url)
    assert refused == Refused(
        Refusal.NO_PERMISSION,
        "The endpoint's answer to OPTIONS does not allow it to be called:"
        " WebHook-Allowed-Origin must be hookline.example or *.",
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 405, 410, 500, 503])
async def test_only_2xx_agrees_whatever_its_headers_say(session: ClientSession, status: int) -> None:
    async with endpoint(answer(200, headers=YES)) as (other, followed):
        refusing = answer(status, headers=YES | {"Location": other, "Retry-After": "1"})
        async with endpoint(refusing) as (url, seen):
            refused = await asked(session, url)
    assert isinstance(refused, Refused)
    assert (refused.why, str(status) in refused.sentence) == (Refusal.STATUS, True)
    assert (len(seen), len(followed)) == (1, 0)


async def test_the_body_of_an_answer_is_not_waited_for(session: ClientSession) -> None:
    started_s = time.monotonic()
    async with listening(without_end(YES_HEAD + b"\r\n")) as port:
        assert await asked(session, f"http://127.0.0.1:{port}/", timeout_s=30) == Agreed()
    async with listening(saying(YES_HEAD + b"Content-Length: 10\r\n\r\nok", then_hang=True)) as port:
        assert await asked(session, f"http://127.0.0.1:{port}/", timeout_s=30) == Agreed()
    async with endpoint(huge(50_000_000)) as (url, _):
        assert isinstance(await asked(session, url, timeout_s=30), Refused)
    assert time.monotonic() - started_s < 10  # at once; the rest is a slow machine


@pytest.mark.parametrize(
    "manner",
    [
        never_answer,
        reset_at_once,
        close_at_once,
        saying(b""),
        saying(b"SSH-2.0\r\n"),
        HEADERS_WITHOUT_END,
        INTERIM_WITHOUT_END,
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_is_no_answer_is_told_in_one_and_the_same_way(
    session: ClientSession, manner: Manner, scheme: str
) -> None:
    async with listening(manner) as port:
        assert await asked(session, f"{scheme}://127.0.0.1:{port}/", timeout_s=0.5) == NO_ANSWER


async def test_so_are_a_closed_port_an_unknown_name_silent_name_servers_and_a_wrong_certificate(
    session: ClientSession, tmp_path: Path
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert await asked(session, f"http://127.0.0.1:{port}/") == NO_ANSWER
    async with (
        name_server({}) as names,
        open_session(reach=LOOPBACK, timeout_s=5, dns_servers=names.address, lookup_timeout_s=0.3) as looking,
    ):
        assert await asked(looking, "https://nobody.example.com/") == NO_ANSWER
        assert await asked(looking, "https://x.silent.test/") == NO_ANSWER
    async with listening(saying(YES_HEAD + b"\r\n"), tls=Authority(tmp_path).serving()) as port:
        assert await asked(session, f"https://127.0.0.1:{port}/") == NO_ANSWER


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "inside.example.com", "10.0.0.1", "169.254.169.254"],
)
async def test_so_is_an_address_that_may_not_be_called_and_it_is_not_connected_to(host: str) -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await saying(YES_HEAD + b"\r\n")(reader, writer)

    known = {"inside.example.com": ["127.0.0.1"], "localhost": ["127.0.0.1"]}
    async with (
        listening(count) as port,
        name_server(known) as names,
        open_session(reach=Reach(plain_http=True), timeout_s=5, dns_servers=names.address) as guarded,
        open_session(reach=LOOPBACK, timeout_s=5) as open_to_all,
    ):
        assert await asked(guarded, f"http://{host}:{port}/") == NO_ANSWER
        assert connections == 0
        assert await asked(open_to_all, f"http://127.0.0.1:{port}/") == Agreed()  # so it does listen and count
    assert connections == 1


@pytest.mark.parametrize(
    "url",
    ["", "no url", "/path", "https://", "https://[", "https://h:x/", "ftp://host/", "http://\0", "https://xn--a.com/"],
)
async def test_so_is_what_is_no_url(session: ClientSession, url: str) -> None:
    assert await asked(session, url) == NO_ANSWER


async def test_no_endpoint_holds_the_question_up_for_longer_than_it_may_take(session: ClientSession) -> None:
    for manner in ALL:
        started_s = time.monotonic()
        async with listening(manner) as port:
            agreement = await asked(session, f"http://127.0.0.1:{port}/", timeout_s=0.3)
        assert isinstance(agreement, Refused)
        assert agreement.why in {Refusal.NO_ANSWER, Refusal.NO_PERMISSION}
        assert time.monotonic() - started_s < 5  # at once; the rest is a slow machine


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with endpoint(200) as (proxy, used), endpoint(answer(200, headers=YES)) as (url, seen):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        async with open_session(reach=LOOPBACK, timeout_s=5) as proxied:
            assert await asked(proxied, url) == Agreed()
    assert (len(seen), len(used)) == (1, 0)


async def test_who_stops_waiting_ends_the_question(session: ClientSession) -> None:
    async with endpoint(hang) as (url, seen):
        question = asyncio.create_task(asked(session, url, timeout_s=60))
        await seen.wait_for(1)
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question


async def test_the_operator_is_told_what_the_customer_is_not_but_no_secret(
    session: ClientSession, lines: Lines
) -> None:
    async with listening(reset_at_once) as port, endpoint(answer(200, headers=YES)) as (url, _):
        await asked(session, f"http://user:password@127.0.0.1:{port}/?{QUERY}")
        await asked(session, f"http://10.0.0.1/?{QUERY}")
        await asked(session, f"{url}/?{QUERY}")
    told = [line for line in lines.lines if "endpoint.asked" in line]
    assert ["error=reset" in told[0], "error=address" in told[1], "agreed=True" in told[2]] == [True] * 3
    assert "host=10.0.0.1" in told[1]
    assert not lines.show(QUERY, "password")
