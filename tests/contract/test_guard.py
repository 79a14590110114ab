"""What may not be called is not connected to, by whatever name: a real name server, and listeners that count connections."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from fakes.attempts import attempting
from fakes.cases import Case, cases
from fakes.certificates import Authority
from fakes.dns import name_server
from fakes.endpoint import endpoint
from hookline.core.address import Reach
from hookline.core.verdict import Answer, NoAnswer, Trouble
from hookline.runtime.outbound_session import trusting
from hookline.schemas.errors import ConfigError

HERE = Reach(loopback=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAMES, DELIVERIES, AT_ONCE = 500, 10_000, 50
# On Linux a connection to 0.0.0.0 is one to this machine, so what went there by mistake would be counted.
GOOD, BAD = "127.0.0.2", "0.0.0.0"  # noqa: S104 - an address that must not be called


class Listener:
    """Answers every request with 200 and counts its connections."""

    def __init__(self) -> None:
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def listening(*hosts: str) -> AsyncIterator[tuple[int, Sequence[Listener]]]:
    """A listener at each of these addresses, all on one port."""
    port, listeners = 0, [Listener() for _ in hosts]
    async with AsyncExitStack() as stack:
        for host, listener in zip(hosts, listeners, strict=True):
            server = await asyncio.start_server(listener.serve, host, port)
            await stack.enter_async_context(server)
            port = server.sockets[0].getsockname()[1]
        yield port, listeners


class Flipping(dict[str, Sequence[str]]):
    """Every name there is; each answer is another one than the last."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: dict[str, int] = {}

    def __contains__(self, _name: object) -> bool:
        return True

    def get(self, name: str, _default: object = None) -> Sequence[str]:
        self.turns[name] = self.turns.get(name, hash(name) % 2) + 1
        return [BAD if self.turns[name] % 2 else GOOD]


def known(case: Case) -> Mapping[str, Sequence[str]]:
    host = (urlsplit(case.written).hostname or "").rstrip(".")
    if case.resolved == "NXDOMAIN":
        return {}
    return {host: case.resolved.split(">")[-1].split(",")}


@pytest.mark.parametrize("case", cases("dns"), ids=lambda case: str(case.name))
async def test_a_name_with_an_address_that_may_not_be_called_is_not_called(case: Case) -> None:
    trouble = Trouble.DNS if case.resolved == "NXDOMAIN" else Trouble.ADDRESS
    async with name_server(known(case)) as names, attempting(reach=Reach(), dns_servers=names.address) as attempt:
        assert (await attempt.to(case.written)).reply == NoAnswer(trouble)


async def test_one_bad_address_spoils_the_good_ones() -> None:
    async with (
        listening(GOOD) as (port, (listener,)),
        name_server({"mixed.example.com": [GOOD, "10.0.0.1"]}) as names,
        attempting(reach=HERE, dns_servers=names.address) as attempt,
    ):
        sent = await attempt.to(f"http://mixed.example.com:{port}/")
    assert sent.reply == NoAnswer(Trouble.ADDRESS)
    assert listener.connections == 0


@pytest.mark.timeout(180)
async def test_a_name_server_that_flips_its_answers_leads_nobody_astray() -> None:
    async with (
        listening(GOOD, "127.0.0.1") as (port, (good, bad)),
        name_server({}) as names,
        attempting(reach=HERE, dns_servers=names.address) as attempt,
    ):
        names.known = flipping = Flipping()
        room, replies = asyncio.Semaphore(AT_ONCE), list[Answer | NoAnswer]()

        async def deliver(number: int) -> None:
            async with room:
                replies.append((await attempt.to(f"http://shop-{number % NAMES}.example.com:{port}/")).reply)

        await asyncio.gather(*(deliver(number) for number in range(DELIVERIES)))
    assert len(replies) == DELIVERIES
    assert {type(reply) for reply in replies} == {Answer, NoAnswer}  # of both, or the server did not flip
    # A busy machine's name server may take more than its seconds; if only for its IPv4 answer, the other one says: no address.
    late = {NoAnswer(Trouble.DNS_SILENT), NoAnswer(Trouble.DNS)}
    assert {*replies} - late == {Answer(200, b"ok"), NoAnswer(Trouble.ADDRESS)}
    assert sum(each in late for each in replies) < DELIVERIES / 10
    assert len(flipping.turns) == NAMES
    assert (good.connections > 0, bad.connections) == (True, 0)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
@pytest.mark.parametrize("same_host", [True, False])
async def test_a_redirect_is_not_followed(code: int, same_host: bool) -> None:
    async with endpoint(200) as (other, followed):
        place = "/elsewhere" if same_host else other

        async def redirect(_request: web.Request) -> web.Response:
            return web.Response(status=code, headers={"Location": place})

        async with endpoint(redirect) as (url, seen), attempting(reach=HERE) as attempt:
            assert (await attempt.to(url)).reply == Answer(code, b"")
    assert (len(seen), len(followed)) == (1, 0)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with endpoint(200) as (proxy, used), endpoint(200) as (url, seen):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        async with attempting(reach=HERE) as attempt:
            assert (await attempt.to(url)).reply == Answer(200, b"")
    assert (len(seen), len(used)) == (1, 0)


async def test_our_own_api_and_ports_that_are_not_allowed_are_not_connected_to() -> None:
    async with listening("127.0.0.1") as (port, (listener,)):
        for reach in (Reach(loopback=True, own=(("127.0.0.1", port),)), Reach(loopback=True, ports=frozenset((443,)))):
            async with attempting(reach=reach) as attempt:
                assert (await attempt.to(f"http://127.0.0.1:{port}/")).reply == NoAnswer(Trouble.ADDRESS)
    assert listener.connections == 0


async def test_an_authority_of_the_operators_own_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0, ssl=authority.serving())
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with attempting(reach=HERE, tls=trusting(authority.written())) as attempt:
            assert (await attempt.to(url)).reply == Answer(200, b"ok")
        async with attempting(reach=HERE, tls=trusting(None)) as attempt:
            assert (await attempt.to(url)).reply == NoAnswer(Trouble.CERTIFICATE_UNTRUSTED)


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_of_authorities_that_can_not_be_read_is_a_wrong_setting(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="HOOKLINE_ENDPOINT_CA_FILE"):
        trusting(path)
