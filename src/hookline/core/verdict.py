"""What becomes of a delivery after an attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

_GONE = 410


class Trouble(Enum):
    """Why there was no answer to read a status from: the word for the attempt's `error`, a sentence for the endpoint's owner."""

    DNS = "dns", "The endpoint's host name could not be resolved."
    DNS_SILENT = "dns", "No name server answered for the endpoint's host name in time."
    REFUSED = "refused", "Nothing accepted the connection at the endpoint's address and port."
    TIMEOUT_CONNECTING = "timeout", "No connection to the endpoint could be made within the time limit."
    TIMEOUT = "timeout", "The endpoint was connected, but did not answer within the time limit."
    TIMEOUT_BODY = "timeout", "The endpoint began to answer, but its answer was not complete within the time limit."
    RESET = "reset", "The connection was closed before an answer was complete."
    TLS = "tls", "The endpoint's port did not complete a TLS handshake."
    CERTIFICATE_EXPIRED = "tls", "The endpoint's certificate has expired or is not valid yet."
    CERTIFICATE_NAME = "tls", "The endpoint's certificate is for another host name."
    CERTIFICATE_UNTRUSTED = (
        "tls",
        "The endpoint's certificate is not signed by a trusted authority, or an intermediate certificate is not sent.",
    )
    TOO_LARGE = "too_large", "The status line and headers of the endpoint's answer are over 64 KiB or 100 lines."
    PROTOCOL = "protocol", "What the endpoint sent is not valid HTTP."
    ADDRESS = "address", "The endpoint's address may not be called."
    SECRET = (
        "secret",
        "The signing secret, the static headers or the URL could not be opened, so nothing was sent; the operator has to act.",
    )

    def __init__(self, word: str, sentence: str) -> None:
        self.word = word
        self.sentence = sentence


ERRORS = (*dict.fromkeys(trouble.word for trouble in Trouble), "gone", "status")  # the words that `error_of` may say


@dataclass(frozen=True, slots=True)
class Answer:
    """The endpoint answered. `body` is at most its first 4 KiB, redacted; `retry_after_ms` how long it asks to be left alone (429, 503)."""

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
    CALLED_OFF = "called_off"  # while this one was made; which is on record by itself


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
            return trouble.word, trouble.sentence
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
