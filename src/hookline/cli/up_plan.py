"""What `hookline up` runs, in which order it starts and stops, and what each process is told. No I/O."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from hookline.runtime.settings import Endpoints, Settings, as_env


class Part(StrEnum):
    """A process of `up`; its name is also the command that it runs."""

    API = "api"
    FANOUT = "fanout"
    DISPATCHER = "dispatcher"
    HISTORY = "history"
    REPLAY = "replay"
    RECEIVER = "receiver"
    SOURCE = "demo-source"


ROLES = (Part.FANOUT, Part.API, Part.DISPATCHER, Part.HISTORY, Part.REPLAY)  # who takes longest to start goes first
# What makes work first, then along the road, so that each finds what it needs to finish; the broker comes after all.
STOP_ORDER = (Part.SOURCE, Part.API, Part.REPLAY, Part.FANOUT, Part.DISPATCHER, Part.HISTORY, Part.RECEIVER)
_STOP_S = 15.0
_STOP_MARGIN_S = 5.0
_SEALING = (Part.API, Part.DISPATCHER)
_WITH_HISTORY = (Part.API, Part.HISTORY, Part.REPLAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person asked for. `rate` is the demo source's, in events a second; `try_this` a command to go on with."""

    demo: bool
    strict: bool
    rate: float
    seed: int
    fresh: bool
    try_this: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the processes listen; they stay while `up` runs, so that a restarted process is found again."""

    api: int
    receiver: int
    health: Mapping[Part, int]


def parts(*, demo: bool) -> tuple[Part, ...]:
    """All processes, in the order of their start."""
    return (*ROLES, Part.RECEIVER, Part.SOURCE) if demo else ROLES


def road_settings(settings: Settings, *, bootstrap_servers: str, ports: Ports, strict: bool = False) -> Settings:
    """What all processes share: the broker that runs, and endpoints on this machine allowed unless it is `strict`."""
    endpoints = settings.endpoints if strict else Endpoints.LOOPBACK
    return replace(settings, bootstrap_servers=bootstrap_servers, endpoints=endpoints, api_port=ports.api)


def environment(
    part: Part, settings: Settings, *, ports: Ports, inherited: Mapping[str, str], name: str
) -> Mapping[str, str]:
    """The variables of a process: ours replaced, the rest inherited.

    Only who seals or opens secrets, or signs, gets the keys for it, and only who uses the history store its address. `name` makes the static instance id this folder's own: a
    restarted process gets its partitions back at once.
    """
    own = replace(
        settings,
        instance_id=f"{name}-{part}",
        health_port=ports.health.get(part, 0),
        master_keys=settings.master_keys if part in _SEALING else (),
        admin_key=settings.admin_key if part is Part.API else "",
        asymmetric_keys=settings.asymmetric_keys if part in _SEALING else (),
        history_url=settings.history_url if part in _WITH_HISTORY else "",
    )
    rest = {variable: value for variable, value in inherited.items() if not variable.startswith("HOOKLINE_")}
    return rest | dict(as_env(own))


def command(part: Part, *arguments: str) -> tuple[str, ...]:
    """How a process is started; it ends when `up` does."""
    return (sys.executable, "-m", "hookline", "--leashed", part.value, *arguments)


def reachable(host: str) -> str:
    """A host to connect to where a process listens on `host`."""
    return "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host  # noqa: S104 - compared, not listened on


def stop_deadline_s(part: Part, settings: Settings) -> float:
    """How long a process may take to stop before it is ended by force, in seconds."""
    draining = part in {Part.FANOUT, Part.DISPATCHER, Part.REPLAY}
    return max(_STOP_S, settings.drain_s + _STOP_MARGIN_S) if draining else _STOP_S
