"""Endpoints that send back what they got: what is kept of their answers holds none of it that is secret."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from aiohttp import web
from prometheus_client import generate_latest

from fakes.attempts import attempting
from fakes.configuration import delivery, sealed_for, subscription, with_secrets
from fakes.dispatching import TOPICS, dispatching, until
from fakes.echo import WAYS, compressed_echo, echo, echo_in_headers, plain
from fakes.endpoint import answer, endpoint
from fakes.lines import Lines, logged
from hookline.core.redaction import BEGINNING_BYTES_MAX
from hookline.core.sealing import Purpose
from hookline.core.verdict import Answer
from hookline.schemas.records import Subscription

# Each with letters of its own amid all that has to be written otherwise somewhere. No way of writing touches letters.
CANARIES = {
    name: f"Canary{name}7x"
    for name in ("Key", "Text", "Bearer", "User", "Word", "Token", "Next", "Bare", "Mine", "Coming")
}
HEADERS = {
    "X-Api-Key": CANARIES["Key"],
    "X-Text": f'"{CANARIES["Text"]}" & <b>/\\+% %41;\tend',
    "Authorization": f"Bearer {CANARIES['Bearer']}/+==",
    "X-Debug": "true",
}
QUERY = f"token={CANARIES['Token']}%26%C3%A9%2B+1&next=https%3A%2F%2Fx%2F%3Fa%3D{CANARIES['Next']}&page=12&{CANARIES['Bare']}"
SECRET, COMING = f'{CANARIES["Mine"]}/é"<&>', "whsec_" + base64.b64encode(CANARIES["Coming"].encode()).decode()
LOGIN = f"{CANARIES['User']}:{CANARIES['Word']}/é"
UNSEEN = [
    *CANARIES.values(),
    COMING.removeprefix("whsec_"),
    base64.b64encode(LOGIN.encode()).decode(),
    base64.b64encode(LOGIN.encode("latin-1")).decode(),
]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with logged() as found:
        yield found


def secretive(url: str, headers: dict[str, str] = HEADERS, *, user: str = "") -> Subscription:
    """A subscription with every kind of secret."""
    scheme, _, rest = url.partition("://")
    goal = with_secrets(
        subscription("https://shown.example/", secret=SECRET),
        headers=headers,
        url=f"{scheme}://{user}{rest}/in?{QUERY}",
    )
    return replace(goal, next_secret=sealed_for(goal, COMING, Purpose.SECRET), next_secret_from_ms=1 << 50)


def told(found: bytes) -> list[str]:
    """The secrets that can be read in it."""
    return [each for each in UNSEEN if each.encode() in found]


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_no_secret_that_an_endpoint_sends_back_is_in_any_record_metric_or_line(
    way: Callable[[web.Request], str], status: int, lines: Lines
) -> None:
    step = echo(way, status=status, beside=f"secrets: {SECRET} {COMING}")
    async with endpoint(step) as (url, seen), dispatching() as running:
        goal = secretive(url)
        running.configure(goal)
        running.deliver(delivery(goal))
        await until(lambda: len(running.attempts()) == 1 and running.committed() == 1)
        written = [record for topic in TOPICS.specifications() for record in running.broker.records(topic.name)]
        shown = generate_latest(running.metrics.registry)
        kept = running.attempts()[0].response_body
    assert seen[0].headers["X-Text"] == HEADERS["X-Text"]
    assert CANARIES["Token"] in seen[0].path
    assert [told((record.value or b"") + (record.key or b"")) for record in written] == [[]] * len(written)
    assert told(shown) == []
    assert not lines.show(*UNSEEN)
    assert b"***" in kept
    assert all(fine in kept for fine in (b"created", b"Webhook", b"sha256", b"delivery", b"true", b"12"))


@pytest.mark.parametrize("split", [False, True], ids=["as they came", "all in one"])
async def test_no_secret_that_an_endpoint_sends_back_in_its_headers_is_in_any_record_metric_or_line(
    split: bool, lines: Lines
) -> None:
    async with endpoint(echo_in_headers(whole=split)) as (url, _), dispatching() as running:
        goal = secretive(url)
        running.configure(goal)
        running.deliver(delivery(goal))
        await until(lambda: len(running.attempts()) == 1 and running.committed() == 1)
        written = [record for topic in TOPICS.specifications() for record in running.broker.records(topic.name)]
        shown = generate_latest(running.metrics.registry)
        (attempt,) = running.attempts()
    assert [told(record.value or b"") for record in written] == [[]] * len(written)
    assert told(shown) == []
    assert not lines.show(*UNSEEN)
    kept = "\n".join(attempt.response_headers)
    assert all(fine in kept for fine in ("X-Echo", "***", "user.created"))
    assert "X-Api-Key: ***" in attempt.request_headers


async def test_a_user_and_password_are_masked_in_each_form() -> None:
    user = f"{CANARIES['User']}:{CANARIES['Word']}%2F%C3%A9@"
    basic = {"Authorization": f"Basic {base64.b64encode(LOGIN.encode()).decode()}"}
    goals: list[tuple[dict[str, str], str]] = [({}, user), (basic, ""), (basic, user)]
    async with endpoint(echo(plain, beside=LOGIN)) as (url, seen), attempting() as attempt:
        replies = [(await attempt.of(secretive(url, headers, user=given))).reply for headers, given in goals]
    assert [request.headers["Authorization"].partition(" ")[0] for request in seen] == ["Basic"] * 3
    kept = [reply.body for reply in replies if isinstance(reply, Answer)]
    assert [told(body) for body in kept] == [[]] * 3
    assert [b"Authorization: Basic ***\n" in kept[0], *(b"Authorization: ***\n" in body for body in kept[1:])] == [
        True
    ] * 3


@pytest.mark.parametrize("length", range(4, 40, 3))
async def test_a_secret_that_the_end_of_what_is_kept_cuts_off_is_masked(length: int) -> None:
    secret = CANARIES["Key"] * 3
    step = answer(body=(b"." * (BEGINNING_BYTES_MAX - length)) + secret.encode())
    async with endpoint(step) as (url, _), attempting() as attempt:
        reply = (await attempt.of(secretive(url, {"X-Api-Key": secret}))).reply
    assert reply == Answer(200, b"." * (BEGINNING_BYTES_MAX - length) + b"***")


@pytest.mark.parametrize("codings", [("gzip",), ("GZIP",), ("identity", "gzip"), ("identity, gzip",), ("x-unknown",)])
async def test_an_answer_that_came_compressed_is_not_kept(codings: tuple[str, ...]) -> None:
    steps = (compressed_echo(*codings), answer(body=b"ok", headers={"Content-Encoding": "identity"}))
    async with endpoint(*steps) as (url, _), attempting() as attempt:
        assert (await attempt.of(secretive(url))).reply == Answer(200, b"")
        assert (await attempt.of(secretive(url))).reply == Answer(200, b"ok")


async def test_what_was_secret_before_a_change_is_not_looked_for_after_it() -> None:
    async with endpoint(answer(body=b"first-value second-value")) as (url, _), attempting() as attempt:
        goal = subscription(url)
        kept = [
            (await attempt.of(with_secrets(goal, headers={"X-A": value}))).reply
            for value in ("first-value", "second-value")
        ]
    assert kept == [Answer(200, b"*** second-value"), Answer(200, b"first-value ***")]
