"""The ports of one `hookline up`: chosen once, so that a process that is started again is found where it was."""

from collections.abc import Callable, Iterable
from pathlib import Path

from hookline.cli.up_plan import Part, Ports
from hookline.runtime.broker_node import free_port, require_free
from hookline.schemas.errors import ConfigError

_TRIES = 100


def choose_ports(data_dir: Path, *, api_port: int, receiver_port: int, parts: Iterable[Part]) -> Ports:
    """Free ports; the API's is the one asked for (0: any), the receiver's the last one (0: none yet) if it is free.

    ConfigError when the API's is in use.
    """
    taken: set[int] = set()
    require_api_port(api_port)
    api = _kept(api_port, taken) if api_port else _new(f"{data_dir}:api", taken)
    receiver = _kept(receiver_port, taken) if receiver_port and _is_free(receiver_port) else _new(str(data_dir), taken)
    health = {part: _new(f"{data_dir}:{part}:health", taken) for part in parts}
    return Ports(api=api, receiver=receiver, health=health)


def require_api_port(port: int) -> None:
    """ConfigError when the API's port is in use (0 asks for any)."""
    if port and not _is_free(port):
        raise ConfigError(
            f"port {port} on 127.0.0.1 is in use by another program; choose another for the API with --api-port"
            " (0: any that is free)"
        )


def distinct(find: Callable[[str], int], seed: str, taken: set[int]) -> int:
    """A port that `find` gives for the seed, or for the seed changed, and that is not taken yet."""
    for number in range(_TRIES):
        port = find(f"{seed}#{number}" if number else seed)
        if port not in taken:
            taken.add(port)
            return port
    raise ConfigError("no free ports are left on this machine")


def _new(seed: str, taken: set[int]) -> int:
    return distinct(free_port, seed, taken)


def _kept(port: int, taken: set[int]) -> int:
    taken.add(port)
    return port


def _is_free(port: int) -> bool:
    try:
        require_free(port)
    except ConfigError:
        return False
    return True
