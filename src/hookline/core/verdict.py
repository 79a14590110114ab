"""What becomes of a delivery after an attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_GONE = 410


class Trouble(StrEnum):
    """Why there was no answer to read a status from. The word goes into the attempt's `error`."""

    TIMEOUT = "timeout"
    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    PROTOCOL = "protocol"
    ADDRESS = "address"
    SECRET = "secret"  # noqa: S105 - a word for an error


_SENTENCES = {
    Trouble.TIMEOUT: "The endpoint did not answer in full within the time limit.",
    Trouble.DNS: "The endpoint's host name could not be resolved.",
    Trouble.REFUSED: "Nothing accepted the connection at the endpoint's address and port.",
    Trouble.RESET: "The connection was closed before an answer was complete.",
    Trouble.TLS: "The endpoint's certificate was not accepted, or no TLS connection could be made.",
    Trouble.PROTOCOL: "What the endpoint sent is not valid HTTP.",
    Trouble.ADDRESS: "The endpoint's address may not be called.",
    Trouble.SECRET: "The signing secret could not be opened, so nothing was sent; the operator has to act.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The endpoint answered. `body` is at most its first 4 KiB; `retry_after_ms` how long it asks to be left alone (429, 503)."""

    status: int
    body: bytes
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The endpoint did not answer."""

    trouble: Trouble


Reply = Answer | NoAnswer


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint took it."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """One more attempt, `wait_ms` from now; the delay of a tier."""

    wait_ms: int


class Ending(StrEnum):
    """Why no attempt follows."""

    EXHAUSTED = "exhausted"  # that was the last of its attempts
    GONE = "gone"  # the endpoint answered 410: it wants nothing any more


@dataclass(frozen=True, slots=True)
class GiveUp:
    """That was the last attempt."""

    ending: Ending


Verdict = Delivered | RetryAfter | GiveUp


def judge(reply: Reply, *, attempt: int, tiers_ms: Sequence[int]) -> Verdict:
    """Say what follows attempt number `attempt` (1 is the first): 2xx is success, 410 the end, everything else waits for its tier.

    The tier is chosen by the attempt's number, the contract's "Retry Policy": after the first 1 s, after the second 5 min.
    An endpoint that asks for a longer wait gets the shortest tier that is at least as long.
    """
    if isinstance(reply, Answer) and 200 <= reply.status < 300:
        return Delivered()
    if isinstance(reply, Answer) and reply.status == _GONE:
        return GiveUp(Ending.GONE)
    if attempt > len(tiers_ms):
        return GiveUp(Ending.EXHAUSTED)
    own_ms = tiers_ms[attempt - 1]
    asked_ms = reply.retry_after_ms if isinstance(reply, Answer) else None
    if asked_ms is None or asked_ms <= own_ms:
        return RetryAfter(own_ms)
    return RetryAfter(_at_least(asked_ms, tiers_ms))


def _at_least(wait_ms: int, tiers_ms: Sequence[int]) -> int:
    """Waits are tiers and nothing between, else a tier's topic would not be in due order. None is long enough: the longest."""
    return min((tier_ms for tier_ms in tiers_ms if tier_ms >= wait_ms), default=max(tiers_ms))


def error_of(reply: Reply) -> tuple[str | None, str | None]:
    """A short word and a sentence for the endpoint's owner; None and None for a success."""
    match reply:
        case NoAnswer(trouble):
            return trouble.value, _SENTENCES[trouble]
        case Answer(status) if 200 <= status < 300:
            return None, None
        case Answer(status) if status == _GONE:
            return "gone", "The endpoint answered 410: it wants nothing more, so the webhook has been disabled."
        case Answer(status) if 300 <= status < 400:
            return (
                "status",
                f"The endpoint answered {status}: redirects are not followed, and only 2xx counts as success.",
            )
        case Answer(status):
            return "status", f"The endpoint answered {status}; only 2xx counts as success."
