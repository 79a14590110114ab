"""Ends this process when the one that started it is gone, even by SIGKILL: no role of `hookline up` stays alone."""

import os
import signal
import sys
import threading
from typing import BinaryIO

_DRAIN_S = 10.0  # the broker is going, too: there is nothing to wait for longer


def hold(leash: BinaryIO | None = None) -> None:
    """From now on, the end of `leash` (standard input; its other end is only the starter's) stops this process.

    It is asked to stop as by SIGTERM, and ended by force 10 s later.
    """
    held = leash or sys.stdin.buffer
    threading.Thread(target=_watch, args=(held,), name="leash", daemon=True).start()


def _watch(held: BinaryIO) -> None:
    os.read(held.fileno(), 1)  # nothing is ever written to it: this returns when it ends
    killer = threading.Timer(_DRAIN_S, os._exit, args=(1,))
    killer.daemon = True
    killer.start()
    os.kill(os.getpid(), signal.SIGTERM)
