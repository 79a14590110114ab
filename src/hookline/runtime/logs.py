"""One line per unit of work: time, level, `noun.past_tense`, then every id and number a person would ask for."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`2026-01-02T03:04:05.678Z info delivery.attempted delivery_id=… status=200`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        words = [f"{at}Z", record.levelname.lower(), record.getMessage(), *_pairs(extras)]
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _pairs(extras: Mapping[str, object]) -> list[str]:
    # A value with a space or a control character is quoted as JSON, so that no value can forge a second line.
    return [f"{name}={_quoted(str(value))}" for name, value in extras.items()]


def _quoted(text: str) -> str:
    return text if text.isprintable() and not set(text) & {" ", '"', "="} else json.dumps(text)


def configure(level: str) -> None:
    """Send Hookline's lines to standard error; libraries only speak from `warning` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("hookline").setLevel(level.upper())
