"""A tier is one retry delay; its name is a part of its topic's name: `5m` in `webhooks.retry.5m`."""

import re

from hookline.schemas.errors import ConfigError

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NAME = re.compile(r"([1-9][0-9]*)(ms|s|m|h|d)")


def tier_ms(name: str) -> int:
    """The delay that a tier's name says, in milliseconds; ConfigError if it is no such name."""
    found = _NAME.fullmatch(name.strip())
    if found is None:
        raise ConfigError(f"tier {name!r} is not a number and one of ms, s, m, h, d, such as 30m")
    return int(found[1]) * _UNITS_MS[found[2]]


def tier_name(delay_ms: int) -> str:
    """The name of a delay, in its largest whole unit: 300_000 is `5m`."""
    unit = next(unit for unit in ("d", "h", "m", "s", "ms") if delay_ms % _UNITS_MS[unit] == 0)
    return f"{delay_ms // _UNITS_MS[unit]}{unit}"
