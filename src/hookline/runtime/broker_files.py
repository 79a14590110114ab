"""Small things the broker's files need: locks that outlive no process, and the texts shipped in infra/kafka."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

from hookline.runtime.broker_probe import wait_for
from hookline.schemas.errors import NotYet


def shipped(name: str) -> str:
    """The text of a file of infra/kafka, from the checkout or the wheel."""
    return (resources.files("hookline.infra") / "kafka" / name).read_text(encoding="utf-8")


@contextmanager
def locked(path: Path, *, wait_s: float, holder: str, say: Callable[[str], None]) -> Iterator[int]:
    """Hold the lock file; yields its descriptor: a child that inherits it holds the lock until it ends.

    NotYet when another process (`holder` says what it is) keeps it for longer than `wait_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(descriptor):
            say(f"waiting for {holder} to end")
        if not wait_for(lambda: _taken(descriptor), deadline_s=wait_s):
            raise NotYet(f"{path} is held by {holder}; waited {wait_s:.0f} s for it to end")
        yield descriptor
    finally:
        os.close(descriptor)  # never LOCK_UN: that would take the lock from a child, too


def last_lines(path: Path, *, lines_max: int = 6) -> str:
    """The end of a log without Java's stack frames, for an error message; empty if there is none."""
    with suppress(OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if not line.startswith("\tat ")]
        return "\n".join(line[:300] for line in lines[-lines_max:])
    return ""


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
