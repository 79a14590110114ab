"""What Hookline signs is accepted by the libraries of Standard Webhooks and by the contract's code, in Python and JavaScript.

The libraries take text only, as every body of Hookline's is: bytes that are not UTF-8 are left out.
"""

import base64
import json
import string
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from fakes.contract import CONTRACT_BODIES, verify_signature, verify_webhook_signature
from fakes.javascript import answers, installed
from hookline.core.signing import Signer, headers_of_two

COUNT = 1_000
SEED = 20_230_620
BODY_BYTES_MAX = 256 * 1024  # HOOKLINE_BODY_BYTES_MAX, unless it is set
VERIFIED = "verified"
NOT_MATCHING = "No matching signature found"
LINE_ENDS = "\x00\n\r\t\v\f\x1c\x85\u2028\u2029 "
PLANES = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0x21, 0x7F, 0xE9, 0x3042, 0xFFFD, 0xFFFF))
ALPHABETS = (string.printable, LINE_ENDS, PLANES, PLANES + LINE_ENDS + string.printable, '{}[]":,\\0e-')
ALWAYS = (
    "",
    "0",
    "\x00",
    "\r\n",
    "\ufeff{}",
    '{"a":"b\x00c"}\r\n\n',
    LINE_ENDS,
    PLANES,
    "a" * BODY_BYTES_MAX,
    "\U0001f41f" * (BODY_BYTES_MAX // 4),
    *(json.dumps(body) for body in CONTRACT_BODIES.values()),
)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as a customer gives it to Hookline, and as the same customer gives it to a library."""

    text: str
    for_library: str


@dataclass(frozen=True, slots=True)
class Request:
    """What arrives at a receiver, and the secret that it knows."""

    body: str
    headers: Mapping[str, str]
    secret: Secret

    def with_header(self, name: str, value: str) -> "Request":
        return replace(self, headers={**self.headers, name: value})


@dataclass(frozen=True, slots=True)
class Twice:
    """A request of a secret that is being changed, as a receiver with either secret sees it."""

    current: Request
    coming: Request


class Said(NamedTuple):
    """What a receiver says of a request: in the library's words, and by the contract's code."""

    standard: str
    contract: bool


Receiver = Callable[[Sequence[Request]], Sequence[Said]]


@pytest.fixture(scope="module")
def requests() -> Sequence[Request]:
    """A thousand signed requests, the same in every run but for the time."""
    random = Random(SEED)  # noqa: S311 - the same in every run
    bodies = [*ALWAYS, *(drawn_body(random) for _ in range(COUNT - len(ALWAYS)))]
    return [signed(body, drawn_secret(random), random) for body in bodies]


@pytest.fixture(scope="module", params=["python", "javascript"])
def receiver(request: pytest.FixtureRequest, cache_dir: Path) -> Receiver:
    return in_python if request.param == "python" else partial(in_javascript, modules=installed(cache_dir))


@pytest.fixture(scope="module")
def twice() -> Sequence[Twice]:
    random = Random(SEED + 1)  # noqa: S311 - the same in every run
    return [signed_twice(drawn_body(random), random) for _ in range(100)]


def test_the_thousand_are_what_they_should_be(requests: Sequence[Request]) -> None:
    lengths = {len(request.body.encode()) for request in requests}
    secrets = [request.secret for request in requests]
    assert len(requests) == COUNT
    assert {0, 1, BODY_BYTES_MAX} <= lengths
    assert max(lengths) == BODY_BYTES_MAX
    assert 300 < sum(secret.text == secret.for_library for secret in secrets) < 700
    assert any(not secret.text.isascii() for secret in secrets)


def test_the_library_and_the_contracts_code_accept_all(requests: Sequence[Request], receiver: Receiver) -> None:
    said = receiver(requests)
    assert [each for each in enumerate(said) if each[1] != Said(VERIFIED, contract=True)] == []
    assert len(said) == COUNT


@pytest.mark.parametrize("part", ["body", "webhook-id", "webhook-timestamp", "webhook-signature"])
def test_one_changed_character_is_refused(part: str, requests: Sequence[Request], receiver: Receiver) -> None:
    random = Random(SEED + 2)  # noqa: S311 - the same in every run
    said = receiver([changed(request, part, random) for request in requests])
    is_covered = part != "body"  # the contract's signature is over the body alone
    assert [each for each in enumerate(said) if each[1] != Said(NOT_MATCHING, contract=is_covered)] == []
    assert len(said) == COUNT


def test_another_secret_is_refused(requests: Sequence[Request], receiver: Receiver) -> None:
    said = receiver([replace(request, secret=whsec(b"another")) for request in requests])
    assert set(said) == {Said(NOT_MATCHING, contract=False)}


def test_while_a_secret_is_changed_who_has_the_current_one_notices_nothing(
    twice: Sequence[Twice], receiver: Receiver
) -> None:
    assert set(receiver([both.current for both in twice])) == {Said(VERIFIED, contract=True)}


def test_while_a_secret_is_changed_the_library_accepts_the_coming_one(
    twice: Sequence[Twice], receiver: Receiver
) -> None:
    assert set(receiver([both.coming for both in twice])) == {Said(VERIFIED, contract=False)}


def test_while_a_secret_is_changed_the_contracts_code_finds_the_coming_one_in_a_header_of_its_own(
    twice: Sequence[Twice], receiver: Receiver
) -> None:
    coming = [both.coming for both in twice]
    renamed = [each.with_header("X-Webhook-Signature", each.headers["X-Webhook-Signature-Next"]) for each in coming]
    assert set(receiver(renamed)) == {Said(VERIFIED, contract=True)}


def test_while_a_secret_is_changed_a_third_one_is_refused(twice: Sequence[Twice], receiver: Receiver) -> None:
    third = [replace(both.current, secret=whsec(b"another")) for both in twice]
    assert set(receiver(third)) == {Said(NOT_MATCHING, contract=False)}


def in_python(requests: Sequence[Request]) -> Sequence[Said]:
    return [Said(library_in_python(request), contract_in_python(request)) for request in requests]


def library_in_python(request: Request) -> str:
    library = Webhook(request.secret.for_library)
    try:
        library.verify(request.body.encode(), dict(request.headers), json_parse=False)
    except WebhookVerificationError as error:
        return str(error)
    return VERIFIED


def contract_in_python(request: Request) -> bool:
    signature, secret = request.headers["X-Webhook-Signature"], request.secret.text
    of_text = verify_webhook_signature(request.body, signature, secret)
    of_bytes = verify_signature(request.body.encode(), signature, secret)
    assert of_text == of_bytes
    return of_text


def in_javascript(requests: Sequence[Request], modules: Path) -> Sequence[Said]:
    questions = (
        {
            "body": base64.b64encode(request.body.encode()).decode(),
            "headers": request.headers,
            "secret": request.secret.text,
            "librarySecret": request.secret.for_library,
        }
        for request in requests
    )
    return [Said(**answer) for answer in answers("verify.js", questions, modules=modules)]


def signed(body: str, secret: Secret, random: Random) -> Request:
    signer = Signer(secret.text)
    headers = signer.headers(delivery_id=drawn_id(random), timestamp_s=int(time.time()), body=body.encode())
    return Request(body, headers, secret)


def signed_twice(body: str, random: Random) -> Twice:
    current, coming = drawn_secret(random), drawn_secret(random)
    headers = headers_of_two(
        Signer(current.text),
        Signer(coming.text),
        delivery_id=drawn_id(random),
        timestamp_s=int(time.time()),
        body=body.encode(),
    )
    return Twice(Request(body, headers, current), Request(body, headers, coming))


def drawn_id(random: Random) -> str:
    return f"delivery_{random.randbytes(16).hex()}"


def drawn_body(random: Random) -> str:
    """Mostly short: every power of two up to 16,384 characters is as likely as the next."""
    return drawn_text(random, ALPHABETS, most=2 ** random.randint(0, 14))


def drawn_secret(random: Random) -> Secret:
    """Half are `whsec_` and base64, the others any text, some of which only look like that."""
    if random.random() < 0.5:
        return whsec(random.randbytes(random.randint(1, 64)))
    text = drawn_text(random, (string.printable, PLANES, PLANES + string.printable), most=512) or "s"
    return plain(random.choice(("", "", "whsec_-", "WHSEC_", "whsec_ ")) + text)


def whsec(key: bytes) -> Secret:
    """Such a secret goes into a library as it is."""
    text = f"whsec_{base64.b64encode(key).decode()}"
    return Secret(text, text)


def plain(text: str) -> Secret:
    """Of any other secret the key is its bytes, and a library takes keys as base64."""
    return Secret(text, base64.b64encode(text.encode()).decode())


def drawn_text(random: Random, alphabets: Sequence[str], *, most: int) -> str:
    return "".join(random.choices(random.choice(alphabets), k=random.randint(0, most)))


def changed(request: Request, part: str, random: Random) -> Request:
    """The request with one character of one part another one; the time stays within the libraries' five minutes."""
    match part:
        case "body":
            return replace(request, body=with_another(request.body, random, PLANES))
        case "webhook-timestamp":
            time_text = request.headers[part]
            return request.with_header(part, time_text[:-2] + with_another(time_text[-2:], random, string.digits))
        case "webhook-signature":
            version, digest = request.headers[part].split(",")
            return request.with_header(part, f"{version},{with_another(digest[:-2], random, 'AB')}{digest[-2:]}")
        case _:
            return request.with_header(part, with_another(request.headers[part], random, string.ascii_letters))


def with_another(text: str, random: Random, alphabet: str) -> str:
    """The text with one character replaced; with one more, if it has none."""
    place = random.randrange(len(text) or 1)
    other = next(each for each in random.sample(alphabet, k=len(alphabet)) if each != text[place : place + 1])
    return text[:place] + other + text[place + 1 :]
