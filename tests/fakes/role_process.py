"""One role as a process of its own, for tests that want its signals and its log and not the whole road."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from fakes.road import free_port
from hookline.runtime.settings import Settings, as_env


@asynccontextmanager
async def role_process(
    settings: Settings, log_file: Path, *arguments: str, port: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`hookline` with these arguments, the role first; killed at the block's end if it is still there. `port`: of its metrics."""
    env = {"PYTHONPATH": ":".join(sys.path)} | dict(as_env(replace(settings, health_port=port or free_port())))
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hookline", *arguments, env=env, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
