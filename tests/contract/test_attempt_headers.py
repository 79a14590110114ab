"""What is put on record of a request's headers is what the endpoint got, but for what is secret; and what of its answer's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from fakes.attempts import LOOPBACK, ORIGIN, attempting
from fakes.configuration import MASTER_KEY, account, sealed_for, subscription, with_secrets
from fakes.endpoint import answer, endpoint
from fakes.hostile import ODD_HEADERS, listening
from hookline.core.sealing import Purpose
from hookline.core.shown_headers import ANSWER_HEADERS_BYTES_MAX, ANSWER_HEADERS_MAX
from hookline.core.verdict import Answer, NoAnswer
from hookline.schemas.records import Account, Subscription

STATIC = {"X-Api-Key": "Header5ecret", "accept": "text/5ecret"}


def read(shown: Sequence[str]) -> CIMultiDict[str]:
    return CIMultiDict(tuple(each.partition(": ")[::2]) for each in shown)  # type: ignore[misc]  # pairs, all of them


def changing(goal: Subscription) -> Subscription:
    """Its secret is being changed."""
    coming = sealed_for(goal, "whsec_Y29taW5nLXNlY3JldC1jb21pbmc=", Purpose.SECRET)
    return replace(goal, next_secret=coming, next_secret_from_ms=1 << 50)


PLAIN = account()
FULL = account(signs_ed25519=True, checks_ownership=True)


@pytest.mark.parametrize("owner", [PLAIN, FULL], ids=["plain", "full"])
@pytest.mark.parametrize("headers", [None, STATIC, {"Authorization": "Bearer 5ecret"}], ids=["none", "own", "auth"])
@pytest.mark.parametrize("user", ["", "user:5ecret@"], ids=["", "user"])
@pytest.mark.parametrize("two", [False, True], ids=["", "two"])
async def test_every_header_that_was_sent_is_shown_and_no_other(
    owner: Account, headers: dict[str, str] | None, user: str, two: bool
) -> None:
    async with endpoint(200) as (url, seen), attempting(asymmetric_keys=[MASTER_KEY]) as attempt:
        goal = with_secrets(subscription(url), headers=headers, url=url.replace("//", f"//{user}") + "/in")
        sent = await attempt.of(changing(goal) if two else goal, b'{"a":1}', account=owner)
    shown, got = read(sent.request_headers), seen[0].headers
    assert sorted(map(str.lower, shown)) == sorted(map(str.lower, got))
    masked = {each.lower() for each in headers or ()} | ({"authorization"} if user else set())
    assert {name.lower() for name, value in shown.items() if value == "***"} == masked
    for name, value in shown.items():
        if name.lower() not in masked and "signature" not in name.lower():
            assert value == got[name]
    _check_shortened(shown, got)
    assert "5ecret" not in str(sent)
    assert (ORIGIN in shown.values()) is owner.checks_ownership


def _check_shortened(shown: Mapping[str, str], got: Mapping[str, str]) -> None:
    for name in [name for name in got if "signature" in name.lower()]:
        pairs = list(zip(shown[name].split(" "), got[name].split(" "), strict=True))
        assert pairs
        for short, whole in pairs:
            assert short.endswith("…")
            assert whole.startswith(short[:-1])
            assert len(short) == len(whole.partition("," if "," in whole else "=")[0]) + 1 + 8 + 1


async def test_an_answer_s_headers_are_shown_without_cookies_and_without_what_it_was_sent() -> None:
    step = answer(503, headers={"X-Request-Id": "r1", "X-Echo": "key=Header5ecret", "Set-Cookie": "s=C00kie; Path=/"})
    async with endpoint(step) as (url, _), attempting() as attempt:
        sent = await attempt.of(with_secrets(subscription(url), headers=STATIC))
    shown = read(sent.response_headers)
    assert (shown["X-Request-Id"], shown["X-Echo"], shown["Set-Cookie"]) == ("r1", "key=***", "***")
    assert shown["Content-Length"] == "0"


async def test_where_nobody_answers_only_what_was_sent_is_shown() -> None:
    async with attempting(reach=LOOPBACK) as attempt:
        sent = await attempt.to("http://127.0.0.1:9/")
        unsent = await attempt.to("http://[/")
    assert isinstance(sent.reply, NoAnswer)
    assert ("Host: 127.0.0.1:9" in sent.request_headers, sent.response_headers) == (True, ())
    assert (unsent.request_headers, unsent.response_headers) == ((), ())


async def test_odd_headers_are_kept_as_texts_within_their_bounds() -> None:
    async with listening(ODD_HEADERS) as port, attempting() as attempt:
        sent = await attempt.to(f"http://127.0.0.1:{port}/")
    assert isinstance(sent.reply, Answer)
    assert 2 < len(sent.response_headers) <= ANSWER_HEADERS_MAX
    text = "\n".join(sent.response_headers)
    assert len(text.encode()) <= ANSWER_HEADERS_BYTES_MAX
    assert all(each.isprintable() or each in "\t\n" for each in text)
