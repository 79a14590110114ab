"""Every setting, once: name, type, default, unit and meaning. `--help` and docs/reference/settings.md are made from this table.

A setting `in_flight_max` is read from `HOOKLINE_IN_FLIGHT_MAX`.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Self

from hookline.core import apikeys
from hookline.core.address import Network, Reach
from hookline.schemas.errors import ConfigError
from hookline.schemas.tiers import tier_ms, tier_name
from hookline.schemas.topics import EVENT_RETENTION_DAYS, POSTPONED_TIERS_MS, RETRY_TIERS_MS, Topics

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ORIGIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_DAY_MS = 86_400_000
_PORT_MAX = 65_535


class Endpoints(StrEnum):
    """Which endpoint addresses may be called."""

    PUBLIC = "public"  # https to public addresses
    LOOPBACK = "loopback"  # also http to this machine: for `hookline up` and tests


class Schemes(StrEnum):
    """How endpoints may be called."""

    HTTPS = "https"
    HTTP = "http"  # or https: for networks of one's own


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key that seals signing secrets; `key_id` travels in the record."""

    key_id: str
    key: bytes = field(repr=False)


def _setting(
    default: Any,
    text: str,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    parse: Any = None,
    show: Any = str,
) -> Any:
    return field(
        default=default,
        metadata={
            "text": text,
            "at_least": at_least,
            "at_most": at_most,
            "parse": parse or type(default),
            "show": show,
        },
    )


def _tiers(text: str) -> tuple[int, ...]:
    tiers = tuple(tier_ms(name) for name in text.split(","))
    if len(tiers) > 20 or max(tiers) > 30 * _DAY_MS:
        raise ConfigError("it must be at most 20 tiers of at most 30d")
    return tiers


def _show_tiers(tiers: tuple[int, ...]) -> str:
    return ",".join(tier_name(tier) for tier in tiers)


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(f"{error}; wanted networks such as 10.1.0.0/16, separated by commas") from error


def _ports(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdecimal() and 1 <= int(part) <= _PORT_MAX for part in parts):
        raise ConfigError("it must be ports from 1 to 65535, separated by commas")
    return tuple(int(part) for part in parts)


def _file(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _admin_key(text: str) -> str:
    if text and apikeys.parse(text) is None:
        raise ConfigError("it must be an API key as `hookline accounts admin-key` makes one: hl_...")
    return text


def _show_secret(value: object) -> str:
    return "***" if value else ""


def _master_keys(text: str) -> tuple[MasterKey, ...]:
    keys = list[MasterKey]()
    for number, part in enumerate((part for part in text.split(",") if part.strip()), start=1):
        key_id, _, encoded = part.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError as error:  # binascii.Error is one, and a character beyond ASCII makes another
            raise ConfigError(f"key number {number} is not base64; wanted id:base64 of 32 bytes") from error
        if _KEY_ID.fullmatch(key_id) is None or len(key) != 32:
            raise ConfigError(f"key number {number} has {len(key)} bytes; wanted id:base64 of 32 bytes")
        if key_id in {each.key_id for each in keys}:
            raise ConfigError(f"key number {number} has the id of one before it; wanted another id for each key")
        keys.append(MasterKey(key_id, key))
    return tuple(keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every role is started with. Durations and sizes carry their unit in the name."""

    bootstrap_servers: str = _setting("", "Kafka's addresses, host:port, separated by commas")
    topic_prefix: str = _setting("", "put before every topic's name and every consumer group")
    data_dir: Path = _setting(Path(".hookline"), "where `hookline up` keeps everything, and history its SQLite file")
    cache_dir: Path = _setting(Path("~/.cache/hookline"), "where Kafka's jars are kept")

    retry_tiers: tuple[int, ...] = _setting(
        RETRY_TIERS_MS,
        "waits before the 2nd, 3rd, ... attempt; one topic each, at most 20 of at most 30d",
        parse=_tiers,
        show=_show_tiers,
    )
    postponed_tiers: tuple[int, ...] = _setting(
        POSTPONED_TIERS_MS,
        "waits of deliveries whose turn has not come; one topic each, at most 20 of at most 30d",
        parse=_tiers,
        show=_show_tiers,
    )
    event_retention_days: int = _setting(
        EVENT_RETENTION_DAYS,
        "days for which `hookline topics apply` has event topics keep events, as far back as a replay reaches; fewer than history keeps",
        at_least=1,
        at_most=3_650,
    )
    delivery_age_max_s: int = _setting(3 * 86_400, "a delivery held back longer than this expires", at_least=1)
    body_bytes_max: int = _setting(
        256 * 1024, "JSON of one webhook; larger events go to dead letters", at_least=1, at_most=1024 * 1024
    )

    endpoints: Endpoints = _setting(Endpoints.PUBLIC, "public, or loopback to allow http to this machine as well")
    endpoint_networks: tuple[Network, ...] = _setting(
        (),
        "networks that may be called beside public addresses; never a cloud's metadata",
        parse=_networks,
        show=_listed,
    )
    endpoint_schemes: Schemes = _setting(Schemes.HTTPS, "https, or http to allow both")
    endpoint_ports: tuple[int, ...] = _setting(
        (), "ports that may be called; empty: all but those of other protocols", parse=_ports, show=_listed
    )
    endpoint_ca_file: Path | None = _setting(
        None,
        "PEM file of authorities that may vouch for endpoints beside the system's; empty: none",
        parse=_file,
        show=lambda file: "" if file is None else str(file),
    )
    request_timeout_s: int = _setting(
        30, "one attempt, from looking up the name to the end of the answer", at_least=1, at_most=30
    )
    in_flight_max: int = _setting(
        400, "requests in flight in one dispatcher; replays have an eighth as many beside", at_least=4, at_most=10_000
    )
    endpoint_in_flight_max: int = _setting(
        16, "of these, to one endpoint (three quarters first attempts)", at_least=2, at_most=1_000
    )
    doubt_held_s: int = _setting(
        30,
        "how long a delivery waits in memory for an endpoint in doubt before it is postponed",
        at_least=1,
        at_most=300,
    )
    disable_after_s: int = _setting(
        5 * 86_400,
        "a webhook whose every attempt failed for this long is disabled; 0: never",
        at_least=0,
        at_most=3_650 * 86_400,
    )
    dns_servers: str = _setting("", "name servers, address or address:port, separated by commas; empty: the system's")
    lookup_timeout_s: int = _setting(5, "one lookup of an endpoint's name", at_least=1, at_most=30)
    window_records_max: int = _setting(16_000, "open deliveries of one partition", at_least=1, at_most=16_000)
    window_bytes_max: int = _setting(
        64 * 1024 * 1024,
        "open deliveries of one dispatcher, in bytes; replays have an eighth as many beside",
        at_least=2 * 1024 * 1024,
    )
    waiting_records_max: int = _setting(
        2_000, "records of one tier partition held in memory until due", at_least=1, at_most=100_000
    )
    commit_interval_ms: int = _setting(200, "how often offsets are committed", at_least=10, at_most=60_000)
    commit_records: int = _setting(500, "and after how many finished records at the latest", at_least=1)
    drain_s: int = _setting(35, "how long a stop or a rebalance waits for what is in flight", at_least=0, at_most=240)

    fanout_outstanding_max: int = _setting(
        5_000, "deliveries written and not yet acknowledged in one fan-out", at_least=1
    )
    instance_id: str = _setting("", "a stable name of this process for static group membership; empty: dynamic")
    session_timeout_s: int = _setting(
        10, "after this long without a sign of life a process's partitions go to others", at_least=6, at_most=1_800
    )

    master_keys: tuple[MasterKey, ...] = _setting(
        (),
        "keys that seal secrets, static headers and URLs: id:base64 of 32 bytes, the newest first; read by API, dispatcher and `secrets rewrap`",
        parse=_master_keys,
        show=_show_secret,
    )
    asymmetric_keys: tuple[MasterKey, ...] = _setting(
        (),
        "keys that accounts' Ed25519 keys are derived from: id:base64 of 32 bytes, the newest first; empty: no such signatures; "
        "read by API and dispatcher",
        parse=_master_keys,
        show=_show_secret,
    )
    history_url: str = _setting(
        "",
        "the history store's database, postgresql://user:password@host/name or sqlite:////path; empty: a file in the data folder; "
        "read by API, history, replay and `accounts erase`",
        show=_show_secret,
    )
    history_retention_days: int = _setting(
        30,
        "days for which the history store keeps attempts and deliveries; more than event topics keep events",
        at_least=2,
        at_most=3_650,
    )

    api_host: str = _setting("127.0.0.1", "address that the API listens on")
    api_port: int = _setting(8080, "port of the API; 0: one that is free", at_least=0, at_most=65_535)
    admin_key: str = _setting(
        "",
        "an API key for administration, beside those that were made through the API; read by the API",
        parse=_admin_key,
        show=_show_secret,
    )
    request_bytes_max: int = _setting(64 * 1024, "body of one API request", at_least=1_024)
    requests_per_minute: int = _setting(
        6_000, "requests with one API key that one API process answers in a minute; 0: any number", at_least=0
    )
    origin: str = _setting(
        "hookline", "the name under which endpoints are asked whether they may be called, such as hooks.example.com"
    )
    subscriptions_max: int = _setting(100, "webhooks of one account", at_least=1)
    health_host: str = _setting("127.0.0.1", "address that /metrics, /healthz and /readyz listen on")
    health_port: int = _setting(
        0, "port of /metrics, /healthz and /readyz; 0: one that is free", at_least=0, at_most=65_535
    )
    log_level: str = _setting("info", "debug, info, warning or error")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the HOOKLINE_* variables that are set; ConfigError names the one that is wrong."""
        known = {variable(each.name): each for each in fields(cls)}
        given = {
            name: text
            for name, text in environ.items()
            if name.startswith("HOOKLINE_") and not name.startswith("HOOKLINE_TEST_")
        }
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise ConfigError(f"{unknown[0]} is no setting; `hookline settings` lists them all")
        return cls(**{known[name].name: _parsed(known[name], text) for name, text in given.items()})

    def __post_init__(self) -> None:
        for each in fields(self):
            _check_bounds(each, getattr(self, each.name))
        if self.log_level not in {"debug", "info", "warning", "error"}:
            raise ConfigError(f"HOOKLINE_LOG_LEVEL is {self.log_level!r}; it must be debug, info, warning or error")
        if _ORIGIN.fullmatch(self.origin) is None:
            raise ConfigError("HOOKLINE_ORIGIN is no host name; it must be one, such as hooks.example.com")
        if self.event_retention_days >= self.history_retention_days:
            raise ConfigError(
                f"HOOKLINE_EVENT_RETENTION_DAYS is {self.event_retention_days}; it must be below HOOKLINE_HISTORY_RETENTION_DAYS,"
                f" which is {self.history_retention_days}: a replay sends again what history no longer knows as delivered"
            )
        self.topics()

    def topics(self, domains: tuple[str, ...] = ("user", "order", "payment")) -> Topics:
        """The topics that these settings ask for."""
        return Topics(self.topic_prefix, self.retry_tiers, self.postponed_tiers, domains, self.event_retention_days)

    def reach(self) -> Reach:
        """What endpoints may be."""
        return Reach(
            loopback=self.endpoints is Endpoints.LOOPBACK,
            networks=self.endpoint_networks,
            plain_http=self.endpoint_schemes is Schemes.HTTP,
            ports=frozenset(self.endpoint_ports),
            own=tuple((host, self.api_port) for host in _addresses(self.api_host)),
        )

    def group(self, role: str) -> str:
        """The consumer group of a role."""
        return f"{self.topic_prefix}hookline.{role}"

    def history_groups(self) -> tuple[str, str]:
        """The groups of the history role: of attempts, and of audit entries."""
        return self.group("history"), self.group("history.audit")

    def history_address(self) -> str:
        """The history store's SQLAlchemy URL."""
        return self.history_url or f"sqlite+aiosqlite:///{self.data_dir.expanduser().absolute() / 'history.sqlite'}"


def _addresses(host: str) -> tuple[str, ...]:
    """The addresses that this name of ours is sure to have."""
    if host == "localhost":
        return ("127.0.0.1", "::1")
    try:
        return (str(ip_address(host)),)
    except ValueError:
        return ()


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"HOOKLINE_{name.upper()}"


def as_env(settings: Settings) -> Mapping[str, str]:
    """The variables that make these settings again, for a process that is started with them; holds all keys."""
    given = {each.name: each.metadata["show"](getattr(settings, each.name)) for each in fields(settings)}
    given |= {"master_keys": _written(settings.master_keys), "asymmetric_keys": _written(settings.asymmetric_keys)}
    given |= {"admin_key": settings.admin_key, "history_url": settings.history_url}
    return {variable(name): text for name, text in given.items()}


def _written(keys: Iterable[MasterKey]) -> str:
    return ",".join(f"{key.key_id}:{base64.b64encode(key.key).decode()}" for key in keys)


def _parsed(setting: Field[Any], text: str) -> Any:
    parse: Callable[[str], Any] = setting.metadata["parse"]
    try:
        return parse(text)
    except ConfigError as error:
        raise ConfigError(f"{variable(setting.name)}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{variable(setting.name)} is {text!r}; it must be {_wanted(setting)}") from error


def _wanted(setting: Field[Any]) -> str:
    parse = setting.metadata["parse"]
    if isinstance(parse, type) and issubclass(parse, StrEnum):
        return " or ".join(parse)
    return "a whole number" if parse is int else f"a {parse.__name__}"


def _check_bounds(setting: Field[Any], value: Any) -> None:
    at_least, at_most = setting.metadata["at_least"], setting.metadata["at_most"]
    if at_least is not None and value < at_least:
        raise ConfigError(f"{variable(setting.name)} is {value}; it must be at least {at_least}")
    if at_most is not None and value > at_most:
        raise ConfigError(f"{variable(setting.name)} is {value}; it must be at most {at_most}")
