"""What becomes of each thing that an endpoint can do, on real sockets: the outcome, and the time it may take."""

import asyncio
import math
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from pathlib import Path

import pytest
import uvloop

from fakes.attempts import attempting
from fakes.certificates import Authority
from fakes.dns import name_server
from fakes.endpoint import after, answer, endpoint, hang, huge, stall
from fakes.hostile import (
    CHUNK_EXTENSION_WITHOUT_END,
    CHUNK_SIZE_WITHOUT_END,
    HEAD,
    HEADER_LINE_WITHOUT_END,
    TEN_THOUSAND_HEADERS,
    TINY_CHUNKS_WITHOUT_END,
    TLS_SLOWLY,
    TRAILERS_WITHOUT_END,
    Manner,
    close_at_once,
    in_pieces,
    listening,
    never_answer,
    reset_at_once,
    saying,
)
from hookline.core.address import Reach
from hookline.core.verdict import Answer, NoAnswer, Trouble
from hookline.runtime.outbound_session import time_limits

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
KNOWN = {"good.example.com": ["127.0.0.1"], "inside.example.com": ["10.0.0.1"], "here.example.com": ["127.0.0.1"]}
OK = saying(HEAD + b"Content-Length: 2\r\n\r\nok", then_hang=True)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _limit_s(trouble: Trouble) -> float:
    """Short where the limit is to be reached, and long where a busy machine must not reach it."""
    return 1 if trouble.word == "timeout" else 30


@pytest.mark.parametrize(
    ("manner", "trouble"),
    [
        (never_answer, Trouble.TIMEOUT),
        (saying(HEAD + b"Content-Length: 10\r\n\r\nok", then_hang=True), Trouble.TIMEOUT_BODY),
        (saying(CHUNKED + b"2\r\nok\r\n", then_hang=True), Trouble.TIMEOUT_BODY),
        (reset_at_once, Trouble.RESET),
        (close_at_once, Trouble.RESET),
        (saying(HEAD), Trouble.RESET),
        (saying(HEAD + b"Content-Length: 10\r\n\r\nok"), Trouble.RESET),
        (saying(CHUNKED + b"5\r\nok"), Trouble.RESET),
        (TEN_THOUSAND_HEADERS, Trouble.TOO_LARGE),
        (HEADER_LINE_WITHOUT_END, Trouble.TOO_LARGE),
        (saying(HEAD + b"X: y\r\n" * 100 + b"\r\n"), Trouble.TOO_LARGE),
        (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), Trouble.PROTOCOL),
        (saying(b"220 mail.example.com ESMTP\r\n"), Trouble.PROTOCOL),
        (saying(b"HTTP/1.1 999999 OK\r\n\r\n"), Trouble.PROTOCOL),
        (saying(b"<html>hello</html>\r\n\r\n"), Trouble.PROTOCOL),
        (saying(CHUNKED + b"zz\r\nrubbish", then_hang=True), Trouble.PROTOCOL),
        (TRAILERS_WITHOUT_END, Trouble.PROTOCOL),
    ],
)
async def test_each_kind_of_failure_has_its_own_outcome(manner: Manner, trouble: Trouble) -> None:
    async with listening(manner) as port, attempting(timeout_s=_limit_s(trouble)) as attempt:
        assert (await attempt.to(f"http://127.0.0.1:{port}/")).reply == NoAnswer(trouble)


@pytest.mark.parametrize(
    ("manner", "trouble"),
    [
        (never_answer, Trouble.TIMEOUT_CONNECTING),
        (TLS_SLOWLY, Trouble.TIMEOUT_CONNECTING),
        (reset_at_once, Trouble.TLS),
        (close_at_once, Trouble.TLS),
    ],
)
async def test_a_handshake_that_fails_has_its_own_outcome(manner: Manner, trouble: Trouble) -> None:
    async with listening(manner) as port, attempting(timeout_s=_limit_s(trouble)) as attempt:
        assert (await attempt.to(f"https://127.0.0.1:{port}/")).reply == NoAnswer(trouble)


async def test_a_port_that_speaks_plain_http_has_no_tls() -> None:
    async with endpoint() as (url, seen), attempting() as attempt:
        assert (await attempt.to(url.replace("http:", "https:"))).reply == NoAnswer(Trouble.TLS)
    assert not len(seen)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_port_where_nothing_listens_refuses(scheme: str) -> None:
    async with attempting() as attempt:
        assert (await attempt.to(f"{scheme}://127.0.0.1:{unused_port()}/")).reply == NoAnswer(Trouble.REFUSED)


async def test_a_good_certificate_is_accepted(authority: Authority) -> None:
    async with listening(OK, tls=authority.serving()) as port, attempting(tls=authority.trusting()) as attempt:
        assert (await attempt.to(f"https://127.0.0.1:{port}/")).reply == Answer(200, b"ok")


@pytest.mark.parametrize(
    ("served", "trouble"),
    [
        (lambda ours, _: ours.serving(days=-1), Trouble.CERTIFICATE_EXPIRED),
        (lambda ours, _: ours.serving(address="127.0.0.9"), Trouble.CERTIFICATE_NAME),
        (lambda _, others: others.serving(), Trouble.CERTIFICATE_UNTRUSTED),
    ],
    ids=["expired", "name", "untrusted"],
)
async def test_what_is_wrong_with_a_certificate_is_said(
    authority: Authority, tmp_path: Path, served: Callable[[Authority, Authority], ssl.SSLContext], trouble: Trouble
) -> None:
    tls = served(authority, Authority(tmp_path))
    async with listening(OK, tls=tls) as port, attempting(tls=authority.trusting()) as attempt:
        assert (await attempt.to(f"https://127.0.0.1:{port}/")).reply == NoAnswer(trouble)


async def test_names_are_looked_up_and_called() -> None:
    async with (
        name_server(KNOWN) as names,
        endpoint() as (url, seen),
        attempting(dns_servers=names.address, lookup_timeout_s=2) as attempt,
    ):
        port = url.rpartition(":")[2]
        assert (await attempt.to(f"http://good.example.com:{port}/")).reply == Answer(200, b"")
        assert await attempt.error(f"http://nobody.example.com:{port}/") == ("dns", Trouble.DNS.sentence)
        assert await attempt.error(f"http://x.silent.test:{port}/") == ("dns", Trouble.DNS_SILENT.sentence)
    assert [request.headers["Host"] for request in seen] == [f"good.example.com:{port}"]


@pytest.mark.parametrize("host", ["here.example.com", "inside.example.com", "127.0.0.1", "[::1]", "10.0.0.1"])
async def test_an_address_that_may_not_be_called_is_not(host: str) -> None:
    async with (
        name_server(KNOWN) as names,
        endpoint() as (url, seen),
        attempting(reach=Reach(plain_http=True), dns_servers=names.address) as attempt,
    ):
        port = url.rpartition(":")[2]
        assert (await attempt.to(f"http://{host}:{port}/")).reply == NoAnswer(Trouble.ADDRESS)
    assert not len(seen)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}"], Answer(204, b"")),
        ([b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n", b"\r\n{", b"}"], Answer(204, b"")),
        ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}"], Answer(304, b"")),
        ([HEAD + b"Content-Length: 2\r\n\r\nok and rubbish behind it"], Answer(200, b"ok")),
        ([HEAD + b"Content-Length: 2\r\n\r", b"\n", b"o", b"k and rubbish", b" behind it"], Answer(200, b"ok")),
        ([CHUNKED + b"2\r\nok\r\n0\r\n\r\nrubbish"], Answer(200, b"ok")),
        ([HEAD[:9], HEAD[9:] + b"Content-Length: 0\r", b"\n\r\n"], Answer(200, b"")),
        ([b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"], Answer(200, b"ok")),
        (
            [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3 + HEAD + b"Content-Length: 0\r\n\r\n"],
            Answer(200, b""),
        ),
        ([HEAD + b"X: y\r\n" * 90 + b"Content-Length: 0\r\n\r\n"], Answer(200, b"")),
        ([HEAD + b"X: " + b"y" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n"], Answer(200, b"")),
    ],
)
async def test_an_answer_that_came_in_full_counts_whatever_is_around_it(
    pieces: Sequence[bytes], expected: Answer
) -> None:
    async with listening(in_pieces(*pieces)) as port, attempting(timeout_s=2) as attempt:
        assert (await attempt.to(f"http://127.0.0.1:{port}/")).reply == expected


async def test_a_body_that_is_cut_short_for_its_size_is_no_failure() -> None:
    async with endpoint(huge(50_000_000)) as (url, _), attempting() as attempt:
        assert (await attempt.to(url)).reply == Answer(200, b"x" * 4_096)


@pytest.mark.parametrize("manner", [TINY_CHUNKS_WITHOUT_END, CHUNK_SIZE_WITHOUT_END, CHUNK_EXTENSION_WITHOUT_END])
async def test_a_body_whose_chunks_are_mostly_wrapping_is_cut_short_as_well(manner: Manner) -> None:
    async with listening(manner) as port, attempting(timeout_s=30) as attempt:
        sent = await attempt.to(f"http://127.0.0.1:{port}/")
    assert isinstance(sent.reply, Answer)
    assert sent.duration_ms < 5_000  # at once; the rest is a slow machine


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wish_to_be_left_alone_is_read(status: int) -> None:
    async with endpoint(answer(status, headers={"Retry-After": "120"})) as (url, _), attempting() as attempt:
        assert (await attempt.to(url)).reply == Answer(status, b"", retry_after_ms=120_000)


async def test_a_date_to_be_left_alone_until_is_read() -> None:
    until = formatdate(time.time() + 100, usegmt=True)
    async with endpoint(answer(503, headers={"Retry-After": until})) as (url, _), attempting() as attempt:
        reply = (await attempt.to(url)).reply
    assert isinstance(reply, Answer)
    assert 90_000 < (reply.retry_after_ms or 0) <= 100_000


@pytest.mark.parametrize(
    ("status", "text"), [(200, "120"), (500, "120"), (301, "120"), (429, "soon"), (503, "-1"), (503, "1.5")]
)
async def test_other_statuses_and_rubbish_ask_for_nothing(status: int, text: str) -> None:
    async with endpoint(answer(status, headers={"Retry-After": text})) as (url, _), attempting() as attempt:
        assert (await attempt.to(url)).reply == Answer(status, b"")


@pytest.mark.parametrize("step", [hang, stall(), after(20)])
async def test_a_subscription_s_own_time_limit_holds(step: Callable[..., object]) -> None:
    async with endpoint(step) as (url, _), attempting(timeout_s=30) as attempt:  # type: ignore[arg-type]  # each is a step
        sent = await attempt.to(url, timeout_s=1)
    assert isinstance(sent.reply, NoAnswer)
    assert sent.reply.trouble.word == "timeout"
    assert 1_000 <= sent.duration_ms < 10_000  # the session's is 30 s, and one of these answers after 20 s


async def test_without_one_the_session_s_holds() -> None:
    async with endpoint(after(1.2)) as (url, _), attempting(timeout_s=0.3) as attempt:
        assert (await attempt.to(url)).reply == NoAnswer(Trouble.TIMEOUT)
        assert (await attempt.to(url, timeout_s=5)).reply == Answer(200, b"")


async def test_the_time_limit_covers_the_lookup() -> None:
    async with name_server({}) as names, attempting(dns_servers=names.address, lookup_timeout_s=30) as attempt:
        sent = await attempt.to("http://x.silent.test/", timeout_s=1)
    assert sent.reply == NoAnswer(Trouble.TIMEOUT_CONNECTING)
    assert 900 <= sent.duration_ms < 10_000


def test_the_time_limit_is_not_rounded_up() -> None:
    assert time_limits(30).ceil_threshold == math.inf


@pytest.mark.filterwarnings(
    "ignore:Sending a large body:ResourceWarning"
)  # larger than any webhook, and the kernel's buffers
async def test_a_receiver_that_does_not_read_is_let_go_with_what_was_not_sent() -> None:
    body_bytes, ended, received = 64 * 1024 * 1024, asyncio.Event(), bytearray()

    async def read_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket is a read transport, too
        await ended.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]  # same
        while piece := await reader.read(1 << 20):
            received.extend(piece)
        ended.clear()

    async with listening(read_late) as port, attempting(timeout_s=0.5) as attempt:
        sent = await attempt.to(f"http://127.0.0.1:{port}/", bytes(body_bytes))
        ended.set()
        async with asyncio.timeout(10):
            while ended.is_set():
                await asyncio.sleep(0.01)
    assert sent.reply == NoAnswer(Trouble.TIMEOUT)
    assert len(received) < body_bytes // 2


@pytest.mark.parametrize(
    "said",
    [
        HEAD + b"Content-Length: 2\r\n\r\nok",
        CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno",
    ],
)
async def test_a_connection_serves_the_next_attempt(said: bytes) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"POST ")
            await reader.readexactly(2)
            writer.write(said)

    async with listening(serve) as port, attempting() as attempt:
        for _ in range(5):
            assert isinstance((await attempt.to(f"http://127.0.0.1:{port}/")).reply, Answer)
    assert connections == 1


async def test_an_answer_that_nobody_asked_for_is_no_answer_to_the_next_attempt() -> None:
    said = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status = 200 if not said.is_set() else 500
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d Oh\r\nContent-Length: 0\r\n\r\n" % status)
        await asyncio.sleep(0.05)  # the connection is idle now
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        said.set()
        await reader.read(-1)

    async with listening(serve) as port, attempting() as attempt:
        assert (await attempt.to(f"http://127.0.0.1:{port}/")).reply == Answer(200, b"")
        await said.wait()
        await asyncio.sleep(0.05)  # what was said has come
        assert (await attempt.to(f"http://127.0.0.1:{port}/")).reply == Answer(500, b"")


def test_the_roles_own_event_loop_answers_the_same(authority: Authority) -> None:
    async def replies() -> Sequence[object]:
        found = []
        async with attempting(timeout_s=2, tls=authority.trusting()) as attempt:
            for scheme, manner, tls in (
                ("http", saying(b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n{}"), None),
                ("http", never_answer, None),
                ("https", never_answer, None),
                ("https", reset_at_once, None),
                ("https", close_at_once, None),
                ("https", OK, authority.serving()),
                ("https", OK, authority.serving(days=-1)),
            ):
                async with listening(manner, tls=tls) as port:
                    found.append((await attempt.to(f"{scheme}://127.0.0.1:{port}/")).reply)
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(replies()) == [
            Answer(204, b""),
            NoAnswer(Trouble.TIMEOUT),
            NoAnswer(Trouble.TIMEOUT_CONNECTING),
            NoAnswer(Trouble.TLS),
            NoAnswer(Trouble.TLS),
            Answer(200, b"ok"),
            NoAnswer(Trouble.CERTIFICATE_EXPIRED),
        ]
