import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
import pytest

from fakes.endpoint import endpoint
from fakes.fanout import until
from hookline.core.signing import signature_headers
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.receiver import (
    Answer,
    Finding,
    Manner,
    Received,
    Receiver,
    parse_answers,
    parse_secrets,
    read_secrets,
    receiving,
    run_receiver,
)
from hookline.schemas.errors import ConfigError

SECRET = "whsec_c2VjcmV0"
NOW_S = 1_687_270_530
BODY = b'{"event":"user.created","timestamp":"2023-06-20T14:15:30Z","data":{}}'


class _Clock:
    def now_ms(self) -> int:
        return NOW_S * 1_000

    def monotonic_s(self) -> float:
        return 0.0


@dataclass
class Desk:
    """A receiver and what it said."""

    secrets: dict[str, str] = field(default_factory=lambda: {"*": SECRET})
    manner: Manner = field(default_factory=Manner)
    said: list[Received] = field(default_factory=list)

    def receiver(self) -> Receiver:
        return Receiver(
            secrets=self.secrets,
            manner=self.manner,
            clock=_Clock(),
            random=Random(1),  # noqa: S311 - a fail rate, not a secret
            say=self.said.append,
        )


def headers(delivery_id: str = "delivery_1", *, secret: str = SECRET, timestamp_s: int = NOW_S) -> dict[str, str]:
    signed = signature_headers(secret=secret, delivery_id=delivery_id, timestamp_s=timestamp_s, body=BODY)
    return signed | {"X-Webhook-Event": "user.created", "X-Webhook-Attempt": "1"}


async def sent(desk: Desk, *requests: dict[str, str], body: bytes = BODY, path: str = "/hook") -> list[int]:
    """The statuses of requests with these headers, one after the other."""
    async with receiving(desk.receiver(), host="127.0.0.1", port=0) as url, aiohttp.ClientSession() as session:
        return [(await session.post(url + path, data=io.BytesIO(body), headers=each)).status for each in requests]


async def test_a_signed_webhook_is_verified_and_told_in_one_line() -> None:
    desk = Desk()
    assert await sent(desk, headers()) == [200]
    assert str(desk.said[0]) == "14:15:30 user.created       delivery_1 attempt 1 verified, answered 200"


@pytest.mark.parametrize(
    ("request_headers", "reason"),
    [
        (headers(secret="another"), "a signature does not match the body"),
        (headers(timestamp_s=NOW_S - 301), "webhook-timestamp is no time within five minutes of now"),
        ({"X-Webhook-Event": "user.created"}, "a signature header is missing"),
        (headers() | {"X-Webhook-Signature": "sha256=00"}, "a signature does not match the body"),
        (headers() | {"webhook-signature": "v1,AA=="}, "a signature does not match the body"),
    ],
)
async def test_a_bad_signature_is_said_and_answered_401(request_headers: dict[str, str], reason: str) -> None:
    desk = Desk()
    assert await sent(desk, request_headers) == [401]
    assert (desk.said[0].finding, desk.said[0].reason) == (Finding.BAD, reason)
    assert f"BAD SIGNATURE ({reason})" in str(desk.said[0])


async def test_without_a_secret_a_webhook_is_taken_and_that_is_said() -> None:
    desk = Desk(secrets={})
    assert await sent(desk, headers()) == [200]
    assert desk.said[0].finding is Finding.UNKNOWN
    assert "no secret known" in str(desk.said[0])


async def test_each_path_has_its_own_secret() -> None:
    desk = Desk(secrets={"/a": "secret-a", "/b": "secret-b"})
    request = headers(secret="secret-a")
    assert await sent(desk, request, path="/a") == [200]
    assert await sent(desk, request, path="/b") == [401]
    assert [each.finding for each in desk.said] == [Finding.VERIFIED, Finding.BAD]


async def test_a_secret_can_come_to_be_known_while_it_runs() -> None:
    desk = Desk(secrets={})
    async with receiving(desk.receiver(), host="127.0.0.1", port=0) as url, aiohttp.ClientSession() as session:
        await session.post(url, data=BODY, headers=headers())
        desk.secrets["*"] = SECRET
        await session.post(url, data=BODY, headers=headers())
    assert [each.finding for each in desk.said] == [Finding.UNKNOWN, Finding.VERIFIED]


async def test_the_script_runs_for_each_webhook_anew() -> None:
    desk = Desk(manner=Manner(answers=parse_answers("500,503,200")))
    one, other = headers("delivery_1"), headers("delivery_2")
    assert await sent(desk, one, one, other, one, one, other) == [500, 503, 500, 200, 200, 503]


async def test_an_answer_may_have_no_body() -> None:
    desk = Desk(manner=Manner(answers=parse_answers("204,304")))
    assert await sent(desk, headers(), headers(), headers()) == [204, 304, 304]


async def test_a_delayed_answer_is_late() -> None:
    desk = Desk(manner=Manner(answers=parse_answers("200@50ms")))
    started_s = asyncio.get_running_loop().time()
    assert await sent(desk, headers()) == [200]
    assert asyncio.get_running_loop().time() - started_s >= 0.05


async def _posted(session: aiohttp.ClientSession, url: str) -> None:
    async with session.post(url, data=BODY, headers=headers()):
        pass


async def test_a_delayed_answer_does_not_hold_up_the_end() -> None:
    desk = Desk(manner=Manner(answers=(Answer(200, 600.0),)))
    async with (
        asyncio.timeout(30),
        receiving(desk.receiver(), host="127.0.0.1", port=0) as url,
        aiohttp.ClientSession() as session,
    ):
        posting = asyncio.create_task(_posted(session, url))
        await until(lambda: len(desk.said) == 1)
        posting.cancel()
    assert len(desk.said) == 1


async def test_a_fail_rate_makes_some_fail() -> None:
    desk = Desk(manner=Manner(fail_rate=0.5))
    statuses = await sent(desk, *[headers()] * 60)
    assert 15 <= statuses.count(500) <= 45
    assert statuses.count(500) + statuses.count(200) == 60


async def test_a_body_over_the_limit_is_refused() -> None:
    desk = Desk()
    assert await sent(desk, headers(), body=b"x" * (1024 * 1024 + 1)) == [413]
    assert desk.said == []


async def test_the_counts_can_be_asked_for() -> None:
    desk = Desk(manner=Manner(answers=parse_answers("500,200")))
    async with receiving(desk.receiver(), host="127.0.0.1", port=0) as url, aiohttp.ClientSession() as session:
        for request in (headers(), headers(), headers(secret="another")):
            await session.post(url, data=BODY, headers=request)
        async with session.get(f"{url}/stats") as response:
            assert await response.json() == {
                "received": 3,
                "verified": 2,
                "bad": 1,
                "unknown": 0,
                "by_event": {"user.created": 3},
                "by_status": {"500": 1, "200": 1, "401": 1},
            }


async def test_event_names_of_strangers_do_not_grow_without_end() -> None:
    desk = Desk(secrets={})
    receiver = desk.receiver()
    async with receiving(receiver, host="127.0.0.1", port=0) as url, aiohttp.ClientSession() as session:
        for number in range(120):
            await session.post(url, headers={"X-Webhook-Event": f"made.up{number}"})
    names = receiver.stats()["by_event"]
    assert isinstance(names, dict)
    assert (len(names), names["other"]) == (101, 20)


async def test_what_a_stranger_writes_can_not_speak_to_the_terminal() -> None:
    desk = Desk(secrets={})
    await sent(desk, {"webhook-id": "\u202e\x85" + "x" * 500})
    assert str(desk.said[0]).isprintable()
    assert len(str(desk.said[0])) < 200


async def test_it_runs_until_its_lifetime_ends() -> None:
    lifetime = Lifetime()
    urls: list[str] = []

    def listening(url: str) -> None:
        urls.append(url)
        lifetime.stop()

    async with asyncio.timeout(30):
        await run_receiver(Desk().receiver(), lifetime, host="127.0.0.1", port=0, listening=listening)
    assert urls[0].startswith("http://127.0.0.1:")


async def test_a_port_that_is_taken_is_said() -> None:
    async with endpoint() as (url, _):
        port = int(url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"can't listen on 127.0.0.1:{port}"):
            await run_receiver(Desk().receiver(), Lifetime(), host="127.0.0.1", port=port, listening=print)


@pytest.mark.parametrize(
    ("script", "answers"),
    [
        ("200", (Answer(200),)),
        ("500, 500,200", (Answer(500), Answer(500), Answer(200))),
        ("503@2s,200@50ms", (Answer(503, 2.0), Answer(200, 0.05))),
    ],
)
def test_a_script_is_read(script: str, answers: tuple[Answer, ...]) -> None:
    assert parse_answers(script) == answers


def test_a_delay_for_all_is_that_of_steps_without_their_own() -> None:
    assert parse_answers("503@1s,200", delay_s=2.0) == (Answer(503, 1.0), Answer(200, 2.0))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: parse_answers(""),
        lambda: parse_answers("600"),
        lambda: parse_answers("100"),
        lambda: parse_answers("200@0s"),
        lambda: parse_answers("200;500"),
        lambda: parse_answers("200@2"),
        lambda: parse_answers("200@2h"),
        lambda: parse_answers("200", delay_s=-1),
        lambda: Manner(answers=()),
        lambda: Manner(fail_rate=1.1),
        lambda: Manner(fail_rate=float("nan")),
        lambda: parse_secrets('{"/a":'),
        lambda: parse_secrets('{"/a": 1}'),
        lambda: parse_secrets('{"a": "x"}'),
        lambda: read_secrets(Path("/no/such/file")),
    ],
)
def test_a_wrong_wish_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        wrong()


def test_secrets_are_read_from_text_and_files(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text(json.dumps({"/a": "x", "*": "y"}))
    assert read_secrets(file) == {"/a": "x", "*": "y"}
    assert parse_secrets(" whsec_x\n") == {"*": "whsec_x"}
    assert parse_secrets("") == {}
