"""A real `hookline up` for tests: a process of its own in a folder of its own."""

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

READY_S = 120.0  # 8 s on an idle machine with 2 cores, everything downloaded
STOP_S = 90.0
T = TypeVar("T")


@dataclass(slots=True)
class Up:
    """One running `hookline up` and what it printed."""

    process: subprocess.Popen[bytes]
    folder: Path
    screen: Path

    @property
    def file(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "up.json").read_text()))

    def wait_ready(self) -> None:
        eventually(lambda: (self.folder / "up.json").exists() or self.process.poll() is not None, READY_S)
        assert self.process.poll() is None, self.screen.read_text()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(STOP_S)

    def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.file['api_key']}"}
        with urlopen(Request(self.file["api_url"] + path, headers=headers), timeout=30) as answer:  # noqa: S310 - http on this machine
            return json.load(answer)


def environment() -> dict[str, str]:
    """Without settings of the caller's; on the broker that the tests were given, if they were."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    configured = os.environ.get("HOOKLINE_TEST_BOOTSTRAP_SERVERS", "")
    prefix = f"t{uuid.uuid4().hex[:7]}."
    return kept | ({"HOOKLINE_BOOTSTRAP_SERVERS": configured, "HOOKLINE_TOPIC_PREFIX": prefix} if configured else {})


def hookline(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hookline", *arguments]
    return subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=90)


@contextlib.contextmanager
def upped(
    folder: Path, screen: Path, *arguments: str, env: Mapping[str, str], python: str = sys.executable
) -> Iterator[Up]:
    """`hookline up` for the block, not yet ready; ended with all it started when the block ends."""
    command = [python, "-m", "hookline", "up", "--data-dir", str(folder), "--api-port", "0", *arguments]
    with screen.open("ab") as out:
        process = subprocess.Popen(command, env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield Up(process, folder, screen)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(STOP_S)


def eventually(condition: Callable[[], T], timeout_s: float) -> T:
    """The first answer that is true."""
    end_s = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < end_s, f"waited {timeout_s} s"
        time.sleep(0.1)
    return answer
