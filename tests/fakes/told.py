"""A helper process that does what lines say, so that a test's own process keeps its hands free."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

_ANSWER_S = 150.0
_TESTS = Path(__file__).parents[1]


class Told:
    """A running process; it answers each line with one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, line: str) -> str:
        """Its answer to a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self.heard()

    async def heard(self) -> str:
        """The next line it says."""
        assert self._process.stdout is not None
        answer = await asyncio.wait_for(self._process.stdout.readline(), _ANSWER_S)
        assert answer, "the process ended; what it said is above"
        return answer.decode()


@asynccontextmanager
async def telling(module: str, asked: Mapping[str, Any]) -> AsyncIterator[Told]:
    """A running `python -m fakes.<module> <asked as JSON>`; it has ended when the block has."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"fakes.{module}",
        json.dumps(asked),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])},
    )
    try:
        yield Told(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
