"""What is logged while a test runs, by us and by the libraries, down to their debug lines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hookline.runtime.logs import LineFormatter

_LOGGERS = (None, "hookline", "hookline.dispatcher", "hookline.outbound", "aiohttp", "asyncio")


class Lines(logging.Handler):
    """Each line as the roles would write it, and what it was made of."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(LineFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record) + repr(record.args))

    def show(self, *texts: str) -> bool:
        """Whether one of these texts is in any line."""
        return any(text in line for text in texts for line in self.lines)


@contextmanager
def logged() -> Iterator[Lines]:
    """The lines that are logged in the block."""
    found, loggers = Lines(), [logging.getLogger(name) for name in _LOGGERS]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
    loggers[0].addHandler(found)
    try:
        yield found
    finally:
        loggers[0].removeHandler(found)
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
