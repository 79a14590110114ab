"""`hookline` as an operator runs it."""

import asyncio
import os
import subprocess
import sys

from hookline.runtime.settings import Settings, as_env


async def command(settings: Settings, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with these settings, and nothing of this process's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "hookline", *arguments],
        env=kept | dict(as_env(settings)),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
