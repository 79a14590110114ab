"""Static headers and sealed URLs: they reach the endpoint, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from prometheus_client import generate_latest

from fakes.attempts import ORIGIN, attempting
from fakes.configuration import account, delivery, sealed_for, subscription, with_secrets
from fakes.dispatching import TOPICS, dispatching, until
from fakes.endpoint import answer, endpoint
from fakes.hostile import ALL, HEAD, listening, reset_at_once, saying
from fakes.lines import Lines, logged
from hookline.core.address import Reach
from hookline.core.sealing import Purpose
from hookline.core.verdict import Answer, NoAnswer, Trouble
from hookline.runtime.settings import MasterKey
from hookline.schemas.records import Subscription

QUERY, PASSWORD, VALUE = "Query5ecret", "Pass5ecret", "Header5ecret"
SECRETS = (QUERY, PASSWORD, VALUE)
OURS = {
    "webhook-id": "delivery_",
    "webhook-timestamp": "1",
    "webhook-signature": "v1,",
    "x-webhook-signature": "sha256=",
    "x-webhook-event": "user.created",
    "x-webhook-attempt": "1",
    "user-agent": "Hookline/",
    "content-type": "application/json",
    "content-length": "2",
    "accept-encoding": "identity",
    "host": "127.0.0.1:",
}


@pytest.fixture
def lines() -> Iterator[Lines]:
    with logged() as found:
        yield found


@pytest.fixture
async def place() -> AsyncIterator[str]:
    """Where no request may go."""
    async with endpoint(200) as (url, seen):
        yield f"{url}/"
        assert not len(seen)


def secretive(url: str) -> Subscription:
    """A subscription that has every kind of secret."""
    scheme, _, rest = url.partition("://")
    return with_secrets(
        subscription("https://shown.example/"),
        headers={"X-Api-Key": VALUE},
        url=f"{scheme}://user:{PASSWORD}@{rest}?key={QUERY}",
    )


async def test_a_sealed_url_is_called_with_all_that_is_not_shown_of_it() -> None:
    async with endpoint() as (url, seen), attempting() as attempt:
        goal = with_secrets(subscription("https://shown.example/"), url=f"{url}/a%2Fb?key={QUERY}%2B&empty=")
        assert QUERY not in goal.url
        assert (await attempt.of(goal)).reply == Answer(200, b"")
    assert seen[0].path == f"/a%2Fb?key={QUERY}%2B&empty="


async def test_static_headers_go_with_every_attempt() -> None:
    headers = {"Authorization": f"Bearer {VALUE}", "x-Empty": "", "X-Text": 'a "b";\tc', "Accept": "text/plain"}
    async with endpoint(500, 200) as (url, seen), dispatching(forwarding=True) as running:
        goal = with_secrets(subscription(url), headers=headers)
        running.configure(goal)
        running.deliver(delivery(goal))
        requests = await seen.wait_for(2)
    for request in requests:
        assert {name: request.headers[name] for name in headers} == headers
        assert "Authorization" in request.headers
    assert [request.headers["X-Webhook-Attempt"] for request in requests] == ["1", "2"]


async def test_static_headers_of_a_changed_subscription_take_effect_at_once() -> None:
    async with endpoint() as (url, seen), attempting() as attempt:
        goal = with_secrets(subscription(url), headers={"X-A": "old"})
        await attempt.of(goal)
        await attempt.of(with_secrets(goal, headers={"X-A": "new"}))
        await attempt.of(replace(goal, headers=None, header_names=()))
    assert [request.headers.get("X-A") for request in seen] == ["old", "new", None]


@pytest.mark.parametrize("written", [str.lower, str.upper, str.title])
async def test_a_record_that_the_api_would_have_refused_overrides_nothing_of_ours(
    written: Callable[[str], str],
) -> None:
    headers = {written(name): VALUE for name in (*OURS, "transfer-encoding", "cookie", "x-forwarded-for")}
    async with endpoint() as (url, seen), attempting() as attempt:
        goal = with_secrets(subscription(url), headers=dict(list(headers.items())[:20]) | {"X-Fine": "x"})
        assert (await attempt.of(goal)).reply == Answer(200, b"")
    sent = seen[0].headers
    assert {name: len(sent.getall(name)) for name in OURS} == dict.fromkeys(OURS, 1)
    assert {name: sent[name].startswith(value) for name, value in OURS.items()} == dict.fromkeys(OURS, True)
    assert (VALUE in sent.values(), sent["X-Fine"]) == (False, "x")


@pytest.mark.parametrize("bad", [{"X-A": "a\r\nX-B: b"}, {"X-A\r\nX-B": "b"}, {"": "x"}, {"X-A": "\u00fc"}])
async def test_a_header_that_could_not_be_sent_is_left_out_and_the_rest_is_sent(bad: dict[str, str]) -> None:
    async with endpoint() as (url, seen), attempting() as attempt:
        assert (await attempt.of(with_secrets(subscription(url), headers=bad | {"X-C": "c"}))).reply == Answer(200, b"")
    assert seen[0].headers["X-C"] == "c"
    assert not {"X-A", "X-B"} & set(seen[0].headers)


async def test_an_authorization_of_the_subscription_goes_before_its_urls_user() -> None:
    async with endpoint() as (url, seen), attempting() as attempt:
        with_user = url.replace("//", f"//user:{PASSWORD}@")
        await attempt.of(with_secrets(subscription(url), url=with_user))
        await attempt.of(with_secrets(subscription(url), url=with_user, headers={"authorization": VALUE}))
    assert [request.headers["Authorization"] for request in seen] == ["Basic dXNlcjpQYXNzNWVjcmV0", VALUE]


@pytest.mark.parametrize("field", ["headers", "sealed_url", "next_secret"])
async def test_what_can_not_be_opened_is_the_operators_business_and_nothing_is_sent(
    place: str, lines: Lines, field: str
) -> None:
    goal = subscription(place)
    other_key, other = MasterKey("k9", bytes(32)), subscription(place)
    purpose = {"headers": Purpose.HEADERS, "sealed_url": Purpose.URL, "next_secret": Purpose.SECRET}[field]
    text = f'{{"X-A":"{VALUE}"}}'
    wrong = [
        sealed_for(goal, text, purpose, key=other_key),
        sealed_for(other, text, purpose),
        sealed_for(goal, text, Purpose.REQUEST),
    ]
    async with attempting() as attempt:
        for sealed in wrong:
            spoilt = replace(goal, next_secret_from_ms=0, **{field: sealed})  # type: ignore[arg-type]  # one of three fields
            assert (await attempt.of(spoilt)).reply == NoAnswer(Trouble.SECRET)
    assert [
        f"subscription_id={goal.subscription_id}" in line for line in lines.lines if "secret.unreadable" in line
    ] == [True] * 3
    assert not lines.show(VALUE)


@pytest.mark.parametrize("text", ["", "[]", f'{{"X-A": ["{VALUE}"]}}', VALUE])
async def test_headers_that_can_not_be_read_are_told_as_a_secret_that_can_not_be_opened(
    place: str, lines: Lines, text: str
) -> None:
    goal = subscription(place)
    async with attempting() as attempt:
        sent = await attempt.of(replace(goal, headers=sealed_for(goal, text, Purpose.HEADERS)))
    assert sent.reply == NoAnswer(Trouble.SECRET)
    assert (lines.show("secret.unreadable"), lines.show(VALUE)) == (True, False)


@pytest.mark.parametrize(
    "url", [f"no url?{QUERY}", f"/{QUERY}", "", f"http://[{QUERY}", f"http://h:{QUERY}/", "http://\0"]
)
async def test_a_sealed_text_that_is_no_url_is_told_as_an_address_that_may_not_be_called(
    url: str, lines: Lines
) -> None:
    goal = subscription("https://shown.example/")
    async with attempting() as attempt:
        sent = await attempt.of(replace(goal, sealed_url=sealed_for(goal, url, Purpose.URL)))
    assert isinstance(sent.reply, NoAnswer)
    assert sent.reply.trouble in {Trouble.ADDRESS, Trouble.DNS}
    assert not lines.show(QUERY)


async def test_whatever_an_endpoint_does_no_secret_of_its_request_is_logged(lines: Lines) -> None:
    asyncio.get_running_loop().set_debug(True)  # then asyncio and aiohttp say the most
    urls = ["http://127.0.0.1:1/", "https://nobody.invalid/", "http://10.0.0.1/"]

    async def attempted(url: str) -> object:
        return (await attempt.of(secretive(url))).reply

    async with attempting(timeout_s=0.3, lookup_timeout_s=0.2, reach=Reach(loopback=True, plain_http=True)) as attempt:
        for scheme, manner in [("http", each) for each in ALL] + [("https", reset_at_once)]:
            async with listening(manner) as port:
                await attempted(f"{scheme}://127.0.0.1:{port}/")
        replies = [await attempted(url) for url in urls]
    asyncio.get_running_loop().set_debug(False)
    assert {type(reply) for reply in replies} == {NoAnswer}
    assert lines.show("127.0.0.1")  # of the connections, at least
    assert not lines.show(*SECRETS, "user:")


@pytest.mark.parametrize("status", [200, 302, 410, 500])
async def test_no_secret_of_a_request_is_in_any_record_metric_or_line(status: int, lines: Lines) -> None:
    async with endpoint(answer(status, body=b"{}")) as (url, seen), dispatching() as running:
        goal = secretive(f"{url}/")
        running.configure(goal)
        running.deliver(delivery(goal))
        await until(lambda: len(running.attempts()) == 1 and running.committed() == 1)
        written = [record for topic in topics() for record in running.broker.records(topic)]
        shown = generate_latest(running.metrics.registry)
    assert (len(seen), QUERY in seen[0].path, seen[0].headers["X-Api-Key"]) == (1, True, VALUE)
    assert written
    for secret in SECRETS:
        assert not any(secret.encode() in (record.value or b"") + (record.key or b"") for record in written)
        assert secret.encode() not in shown
    assert lines.show("delivery.attempted")
    assert not lines.show(*SECRETS)


async def test_what_is_prepared_for_sending_shows_nothing_of_itself() -> None:
    async with endpoint() as (url, _), attempting() as attempt:
        goal = secretive(f"{url}/")
        await attempt.of(goal)
        shown = repr(attempt.sender._preparer.prepared(goal, None)) + repr(goal)
    assert not any(secret in shown for secret in SECRETS)


def topics() -> Sequence[str]:
    return [topic.name for topic in TOPICS.specifications()]


async def test_an_answer_that_is_no_http_is_told_without_the_url(lines: Lines) -> None:
    async with listening(saying(HEAD.replace(b"200", b"2x0") + b"\r\n")) as port, attempting() as attempt:
        assert (await attempt.of(secretive(f"http://127.0.0.1:{port}/"))).reply == NoAnswer(Trouble.PROTOCOL)
    assert not lines.show(*SECRETS)


@pytest.mark.parametrize(("checks", "origins"), [(True, [ORIGIN]), (False, [])])
async def test_an_endpoint_that_agreed_to_be_called_is_told_by_whom(checks: bool, origins: list[str]) -> None:
    async with endpoint() as (url, seen), attempting() as attempt:
        goal = with_secrets(subscription(url), headers={"Webhook-Request-Origin": "other.example"})
        await attempt.of(goal, account=account(checks_ownership=checks))
    assert seen[0].headers.getall("WebHook-Request-Origin", []) == origins
