"""Debian's faketime in jump mode: processes whose wall clock is set forward all at once, while their monotonic clock runs on."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

_LIBRARIES = Path("/usr/lib")
_OURS = Path(__file__).with_suffix(".c")


def missing() -> str | None:
    """What has to be installed first, as a sentence; None if all is there."""
    if _library() is None:
        return "Debian's package faketime is not installed"
    return None if shutil.which("cc") else "there is no C compiler"


def _library() -> Path | None:
    return next(iter(_LIBRARIES.glob("*/faketime/libfaketime.so.1")), None)


class WallClock:
    """The wall clock of all processes that are started with `environment`. It begins with the machine's own time."""

    def __init__(self, folder: Path) -> None:
        self._file, ours = folder / "wall-clock", folder / "ours.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-o", str(ours), str(_OURS)], check=True)
        self._libraries = f"{ours} {_library()}"
        self._ahead_ms = 0
        self._write()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to see this clock."""
        return {
            "LD_PRELOAD": self._libraries,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",  # every look at the clock sees the last jump
            "DONT_FAKE_MONOTONIC": "1",
            # By default libfaketime 0.9.10 takes this system's C library for an older one, and every timed wait on a
            # monotonic clock ends at once: a Kafka then needs 80 s and all of a core to start, instead of 2 s.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",  # files keep their times: Java's class archive compares those of the jars
        }

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def here_ms(self, at_ms: int) -> int:
        """What this clock showed when the machine's own showed `at_ms`, if it was after the last jump."""
        return at_ms + self._ahead_ms

    def jump_to(self, at_ms: int) -> None:
        """Set it forward; it is never set back."""
        self._ahead_ms += max(0, at_ms - self.now_ms())
        self._write()

    def _write(self) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(f"+{self._ahead_ms / 1_000:.3f}\n", encoding="ascii")
        os.replace(beside, self._file)  # noqa: PTH105 - never half a file: it is read at every look at the clock
