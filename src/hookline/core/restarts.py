"""Whether a program that ended by itself is started again, and after which pause."""

from dataclasses import dataclass

_FIRST_PAUSE_S = 0.2
_PAUSE_MAX_S = 30.0  # long enough to leave the machine in peace, short enough that a person sees it come back
_STEADY_S = 60.0  # a program that ran this long was well: what went before is forgotten
_WRONG_SETTING = 2  # the exit status of a ConfigError


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after `pause_s`; `count` restarts so far in this row of ends, this one included."""

    pause_s: float
    count: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Starting it again would end the same way: a setting is wrong."""


def after_exit(status: int, *, ran_s: float, restarts: int) -> Restart | GiveUp:
    """What to do when a program ended that should run; `restarts` of it so far, it ran `ran_s` this time."""
    if status == _WRONG_SETTING:
        return GiveUp()
    earlier = 0 if ran_s >= _STEADY_S else restarts
    return Restart(min(_PAUSE_MAX_S, _FIRST_PAUSE_S * 2 ** min(earlier, 10)), earlier + 1)


def described(status: int) -> str:
    """How a process ended, in words."""
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
