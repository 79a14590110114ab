"""Ends the broker when the process that started it is gone, even by SIGKILL. Run as a script, beside the broker.

Its standard input is a pipe that only the starter holds: the end of the pipe is the end of the starter. (Linux' parent
death signal would do the same, but it also fires when merely the thread that started the broker ends.)
Standard library only, for it is run without site-packages.
"""

import os
import select
import signal
import sys

_STOP_S = 20.0  # a clean stop takes 0.5 s, with the writing of a class archive 3 s


def main(pid: int) -> None:
    """Wait until the broker ends, or the starter: then end the broker."""
    try:
        broker = os.pidfd_open(pid)  # names this very process, also when its id is given to another one later
    except ProcessLookupError:
        return
    ended, _, _ = select.select([broker, sys.stdin], [], [])
    if broker not in ended:
        _end(broker)


def _end(broker: int) -> None:
    signal.pidfd_send_signal(broker, signal.SIGTERM)
    ended, _, _ = select.select([broker], [], [], _STOP_S)
    if not ended:
        signal.pidfd_send_signal(broker, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
