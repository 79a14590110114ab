"""How a role lives: until a signal asks it to stop, or something fatal ends it."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable

from hookline.schemas.errors import ConfigError

_log = logging.getLogger("hookline.lifecycle")
EXIT_CONFIG = 2
EXIT_FATAL = 70  # EX_SOFTWARE of sysexits.h: start it again


class Lifetime:
    """Says when a role must end. `stop` is a wish (a signal), `fail` a fact (a fatal client error, the watchdog)."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None

    def stop(self) -> None:
        self._ended.set()

    def fail(self, error: BaseException) -> None:
        """End the role because of an error; the first one counts."""
        if self._failure is None:
            self._failure = error
        self._ended.set()

    async def lasts_until(self, condition: Awaitable[object]) -> bool:
        """Wait for a condition, or for the end: False if that came first; raises what `fail` was given."""
        waiting, ended = asyncio.ensure_future(condition), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((waiting, ended), return_when=asyncio.FIRST_COMPLETED)
            if self._failure is not None:
                raise self._failure
            return waiting.done()
        finally:
            waiting.cancel()
            ended.cancel()

    async def wait(self) -> None:
        """Until the end; raises what `fail` was given."""
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure


Role = Callable[[Lifetime], Awaitable[None]]


def run_role(name: str, role: Role) -> int:
    """Run a role until SIGTERM or SIGINT; returns the process's exit status."""
    import uvloop

    try:
        uvloop.run(_run(role))
    except ConfigError as error:
        sys.stderr.write(f"hookline {name}: {error}\n")
        return EXIT_CONFIG
    except Exception:  # noqa: BLE001 - the edge of the process: logged whole, and the exit status says it
        _log.exception("role.failed", extra={"role": name})
        return EXIT_FATAL
    return 0


async def _run(role: Role) -> None:
    # Thousands of records are open at a time; collecting at the default pace cost 13 % of a dispatcher's CPU (measured).
    gc.set_threshold(50_000, 20, 20)
    lifetime = Lifetime()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lifetime.stop)
    await role(lifetime)
