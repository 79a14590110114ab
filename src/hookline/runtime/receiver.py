"""A receiver of webhooks for trying things out: it checks every signature, says what came, and answers as it is told."""

import asyncio
import json
import math
import re
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from random import Random

from aiohttp import web

from hookline.core.signing import Authenticity, verify
from hookline.runtime.clock import Clock
from hookline.runtime.lifecycle import Lifetime
from hookline.schemas.errors import ConfigError
from hookline.schemas.tiers import tier_ms

ANY_PATH = "*"
BODY_BYTES_MAX = 1024 * 1024  # four times what Hookline sends at most
DELAY_S_MAX = 3_600.0
_SECRETS_FILE_BYTES_MAX = 1024 * 1024
_REMEMBERED_MAX = 10_000  # webhook ids whose requests are counted; an older one begins its script again
_EVENT_NAMES_MAX = 100  # counted apart; anybody can send any name
_WORD_CHARACTERS_MAX = 64
_SHUTDOWN_S = 1.0  # a delayed answer does not hold up the end for longer
_STEP = re.compile(r"([2-5][0-9][0-9])(?:@([1-9][0-9]{0,6}(?:ms|s|m|h)))?")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request is answered, and how late."""

    status: int = 200
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the receiver answers. The n-th request of each webhook id gets the n-th answer, the last from then on.

    With the probability `fail_rate` a request is answered 500 instead. A bad signature is always answered 401.
    """

    answers: tuple[Answer, ...] = (Answer(),)
    fail_rate: float = 0.0

    def __post_init__(self) -> None:
        if not self.answers:
            raise ConfigError("the script of answers is empty; it must be such as 500,500,200")
        if not (math.isfinite(self.fail_rate) and 0 <= self.fail_rate <= 1):
            raise ConfigError(f"fail rate is {self.fail_rate:g}; it must be 0 to 1")

    def answer(self, number: int, *, chance: float) -> Answer:
        """The answer to request `number` (from 0) of a webhook; `chance` is drawn from 0 to 1, excluding 1."""
        planned = self.answers[min(number, len(self.answers) - 1)]
        return Answer(500, planned.delay_s) if chance < self.fail_rate else planned


def parse_answers(script: str, *, delay_s: float = 0.0) -> tuple[Answer, ...]:
    """The answers of a script: `500,500,200`, each with its own delay if need be: `503@2s,200`. ConfigError if it is none."""
    answers = []
    for step in script.split(","):
        match = _STEP.fullmatch(step.strip())
        if match is None:
            raise ConfigError(f"the answer {step.strip()!r} must be a status, 503, or one with a delay, 503@2s")
        late_s = tier_ms(match[2]) / 1_000 if match[2] else delay_s
        if not 0 <= late_s <= DELAY_S_MAX:
            raise ConfigError(f"the delay of {late_s:g} s must be at most {DELAY_S_MAX:g} s")
        answers.append(Answer(int(match[1]), late_s))
    return tuple(answers)


def parse_secrets(text: str) -> Mapping[str, str]:
    """Secrets by path, from a JSON object `{"/path": "secret"}`, or from one secret alone, which is for any path."""
    text = text.strip()
    if not text.startswith("{"):
        return {ANY_PATH: text} if text else {}
    try:
        found = json.loads(text)
    except ValueError:
        raise ConfigError('the secrets are no JSON; they must be {"/path": "secret"}') from None
    for path, secret in found.items():
        if not (isinstance(secret, str) and secret and (path == ANY_PATH or path.startswith("/"))):
            raise ConfigError(f"the secret of {_word(path)} must be a text, and its path begin with / or be *")
    return dict(found)


def read_secrets(file: Path) -> Mapping[str, str]:
    """The secrets in a file, as `parse_secrets` reads them."""
    try:
        with file.open("rb") as opened:
            return parse_secrets(opened.read(_SECRETS_FILE_BYTES_MAX).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the secrets in {file} can't be read ({type(error).__name__})") from error


class Finding(StrEnum):
    """What the receiver says of a request's signatures."""

    VERIFIED = "verified"
    BAD = "BAD SIGNATURE"
    UNKNOWN = "no secret known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One webhook as it came, for people to read. What the sender wrote is cut short and made printable."""

    at: datetime
    path: str
    event: str
    webhook_id: str
    attempt: str
    finding: Finding
    reason: str
    status: int

    def __str__(self) -> str:
        because = f" ({self.reason})" if self.finding is Finding.BAD else ""
        return (
            f"{self.at:%H:%M:%S} {self.event:<18} {self.webhook_id} attempt {self.attempt}"
            f" {self.finding}{because}, answered {self.status}"
        )


class Receiver:
    """Takes webhooks on any path, and counts them.

    `secrets` has a secret for each path, or for `*`; it may be filled while the receiver runs. `say` hears of each webhook.
    """

    def __init__(
        self,
        *,
        secrets: Mapping[str, str],
        manner: Manner,
        clock: Clock,
        random: Random,
        say: Callable[[Received], None],
    ) -> None:
        self._secrets = secrets
        self._manner = manner
        self._clock = clock
        self._random = random
        self._say = say
        self._requests: OrderedDict[str, int] = OrderedDict()
        self._findings: Counter[Finding] = Counter()
        self._events: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()

    def app(self) -> web.Application:
        """The receiver as an application: POST anywhere, and GET /stats."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_get("/stats", self._show_stats)
        app.router.add_post("/{path:.*}", self._take)
        return app

    def stats(self) -> Mapping[str, object]:
        """The counts since the start, as JSON has them."""
        return {
            "received": self._findings.total(),
            "verified": self._findings[Finding.VERIFIED],
            "bad": self._findings[Finding.BAD],
            "unknown": self._findings[Finding.UNKNOWN],
            "by_event": dict(self._events),
            "by_status": {str(status): count for status, count in self._statuses.items()},
        }

    async def _show_stats(self, _request: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()  # 413 when it is over the limit
        finding, reason = self._check(request, body)
        answer = self._answer(request, finding)
        received = self._received(request, finding, reason, answer.status)
        self._count(received)
        self._say(received)
        await asyncio.sleep(answer.delay_s)
        return web.json_response({"received": finding is not Finding.BAD}, status=answer.status)

    def _check(self, request: web.Request, body: bytes) -> tuple[Finding, str]:
        secret = self._secrets.get(request.path) or self._secrets.get(ANY_PATH)
        if secret is None:
            return Finding.UNKNOWN, ""
        now_s = self._clock.now_ms() / 1_000
        found = verify(secret=secret, headers=request.headers, body=body, now_s=now_s)
        return (Finding.VERIFIED if found is Authenticity.VERIFIED else Finding.BAD), found.value

    def _answer(self, request: web.Request, finding: Finding) -> Answer:
        if finding is Finding.BAD:
            return Answer(HTTPStatus.UNAUTHORIZED)
        return self._manner.answer(self._number(_header(request, "webhook-id")), chance=self._random.random())

    def _number(self, webhook_id: str) -> int:
        """How many requests of this webhook came before."""
        number = self._requests.pop(webhook_id, 0)
        self._requests[webhook_id] = number + 1
        if len(self._requests) > _REMEMBERED_MAX:
            self._requests.popitem(last=False)
        return number

    def _received(self, request: web.Request, finding: Finding, reason: str, status: int) -> Received:
        return Received(
            at=datetime.fromtimestamp(self._clock.now_ms() / 1_000, UTC),
            path=_word(request.path),
            event=_header(request, "X-Webhook-Event"),
            webhook_id=_header(request, "webhook-id"),
            attempt=_header(request, "X-Webhook-Attempt"),
            finding=finding,
            reason=reason,
            status=status,
        )

    def _count(self, received: Received) -> None:
        self._findings[received.finding] += 1
        self._statuses[received.status] += 1
        is_known = received.event in self._events or len(self._events) < _EVENT_NAMES_MAX
        self._events[received.event if is_known else "other"] += 1


async def run_receiver(
    receiver: Receiver, lifetime: Lifetime, *, host: str, port: int, listening: Callable[[str], None]
) -> None:
    """Receive until the lifetime ends; `listening` hears the URL. ConfigError when the address can't be listened on."""
    async with receiving(receiver, host=host, port=port) as url:
        listening(url)
        await lifetime.wait()


@asynccontextmanager
async def receiving(receiver: Receiver, *, host: str, port: int) -> AsyncIterator[str]:
    """Receive while the block runs; yields the URL, with the port that the system chose if 0 was given."""
    runner = web.AppRunner(receiver.app(), access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError(f"the receiver can't listen on {host}:{port} ({error.strerror})") from error


def _header(request: web.Request, name: str) -> str:
    return _word(request.headers.get(name, "?"))


def _word(text: str) -> str:
    """What a stranger wrote, so that it can't forge lines or speak to the terminal."""
    return "".join(each if each.isprintable() else "?" for each in text[:_WORD_CHARACTERS_MAX])
