"""One Kafka node: its ports and its settings, for a process here or a container."""

import base64
import json
import secrets
import socket
import string
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from hookline.runtime.broker_files import shipped
from hookline.schemas.errors import ConfigError

HOST = "127.0.0.1"
_FIRST_PORT, _PORTS = 20_000, 12_000  # below Linux' ephemeral range (32,768): see `free_port`


@dataclass(frozen=True, slots=True)
class Ports:
    """Where clients connect, and where the controllers talk to each other."""

    client: int
    controller: int


@dataclass(frozen=True, slots=True)
class Proxied:
    """A second door, for clients behind a proxy: the node listens on one port and tells them to connect to the other."""

    listen: int
    advertised: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What differs from node to node, and from cluster to cluster.

    `voters` as in Kafka: id@host:port of every controller; empty: this one alone. `cluster_id` is the same for all nodes of
    a cluster; empty: one of its own. `replicas`: how many nodes keep a record; a write waits for all but one of them.
    """

    ports: Ports
    log_dir: str
    node_id: int = 1
    voters: str = ""
    cluster_id: str = ""
    replicas: int = 1
    listen: str = ""  # host:port; empty: the advertised one
    proxied: Proxied | None = None


def properties(node: Node) -> str:
    """The text of this node's server.properties."""
    advertised = f"{HOST}:{node.ports.client}"
    proxied = node.proxied
    return string.Template(shipped("server.properties")).substitute(
        node_id=node.node_id,
        voters=node.voters or f"{node.node_id}@{HOST}:{node.ports.controller}",
        advertised=advertised,
        listen=node.listen or advertised,
        controller=f"{HOST}:{node.ports.controller}",
        log_dir=_escaped(node.log_dir),
        replicas=node.replicas,
        in_sync_min=max(1, node.replicas - 1),
        proxied_listen="" if proxied is None else f",PROXIED://{HOST}:{proxied.listen}",
        proxied_advertised="" if proxied is None else f",PROXIED://{HOST}:{proxied.advertised}",
        proxied_protocol="" if proxied is None else ",PROXIED:PLAINTEXT",
    )


def cluster_id() -> str:
    """A new one: 16 bytes in URL-safe base64, as Kafka wants it; the first byte keeps it from beginning with a dash."""
    return base64.urlsafe_b64encode(b"H" + secrets.token_bytes(15)).decode().rstrip("=")


def container_environment(node: Node) -> dict[str, str]:
    """The same settings as the variables that the image apache/kafka reads."""
    lines = [line for line in properties(node).splitlines() if line and not line.startswith("#")]
    settings = dict(line.split("=", maxsplit=1) for line in lines)
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}


def settle_ports(data_dir: Path, *, wanted: int) -> Ports:
    """The ports of the last run if they are free, else new ones; `wanted` (not 0) is taken or refused with ConfigError."""
    kept = _kept_ports(data_dir / "ports.json")
    ports = _ports(data_dir, wanted=wanted, kept=kept)
    (data_dir / "ports.json").write_text(json.dumps(asdict(ports)), encoding="utf-8")
    return ports


def require_free(port: int) -> None:
    """ConfigError if something listens there: a broker of someone else would look like ours, started at once."""
    if not _is_free(port):
        raise ConfigError(
            f"port {port} on {HOST} is in use by another program; Kafka needs it, stop that or choose another"
        )


def free_port(seed: str, *, taken: int = 0) -> int:
    """A port nobody listens on, for the same seed the same one if it can be.

    Never one that the system hands out itself: while the broker is down, a client that connects again and again would
    sooner or later be given the broker's own port to connect from, reach itself, and keep the broker from coming back.
    """
    start = zlib.crc32(seed.encode())
    candidates = (_FIRST_PORT + (start + step) % _PORTS for step in range(_PORTS))
    for port in candidates:
        if port != taken and _is_free(port):
            return port
    raise ConfigError(f"no free port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} on {HOST}; Kafka needs two")


def _ports(data_dir: Path, *, wanted: int, kept: Ports | None) -> Ports:
    if wanted:
        require_free(wanted)
    if kept is not None and wanted in {0, kept.client} and _is_free(kept.client) and _is_free(kept.controller):
        return kept
    client = wanted or free_port(str(data_dir))
    return Ports(client, free_port(str(data_dir), taken=client))


def _kept_ports(path: Path) -> Ports | None:
    try:
        return Ports(**_integers(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _integers(found: Mapping[str, object]) -> dict[str, int]:
    return {str(name): int(str(value)) for name, value in found.items()}


def _is_free(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: connections that ended do not count
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _escaped(text: str) -> str:
    """As Java's properties want it: Latin-1 with escapes."""
    return "".join(_escaped_character(character) for character in text)


def _escaped_character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isascii():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[place] << 8 | units[place + 1]:04x}" for place in range(0, len(units), 2))
