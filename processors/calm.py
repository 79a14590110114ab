"""Keeps a library that says the same sentence ten times a second to one line in a while."""

import logging
from collections.abc import Callable

_AGAIN_S = 30.0
_SENTENCES_MAX = 1_000  # templates, not messages: a library has dozens


class Calm(logging.Handler):
    """Passes a library's warnings on to our log, each kind at most once in 30 seconds.

    aiokafka complains some sixty times a second while its broker is away.
    """

    def __init__(self, log: logging.Logger, *, monotonic_s: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._monotonic_s = monotonic_s
        self._said_s: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind = (record.name, str(record.msg))
        now_s = self._monotonic_s()
        if now_s - self._said_s.get(kind, float("-inf")) < _AGAIN_S or len(self._said_s) > _SENTENCES_MAX:
            return
        self._said_s[kind] = now_s
        # A broker that is away is waited for: a person need not act on the library's errors, so none is passed on as one.
        self._log.warning("kafka.client_said", extra={"client": record.name, "text": record.getMessage()})


def calm(library: str, log: logging.Logger, *, monotonic_s: Callable[[], float]) -> None:
    """Let this library's loggers speak through `Calm` only."""
    speaker = logging.getLogger(library)
    speaker.handlers = [Calm(log, monotonic_s=monotonic_s)]
    speaker.propagate = False
