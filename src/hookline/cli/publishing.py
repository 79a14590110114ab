"""Where and for whom the command line publishes: as told, else to a running `hookline up`."""

from dataclasses import replace
from pathlib import Path

from hookline.cli.options import settings_from_environment
from hookline.cli.up_folder import UpFile, read_up_file
from hookline.producers.publisher import Publisher
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError, NotYet


def road(data_dir: Path | None, *, account: str, account_needed: bool) -> tuple[Settings, str]:
    """The settings and the account to publish with; the account may be empty if it is not needed."""
    settings = settings_from_environment(data_dir)
    is_complete = settings.bootstrap_servers and (account or not account_needed)
    if data_dir is None and is_complete:
        return settings, account
    up = _running(settings.data_dir, instead="set HOOKLINE_BOOTSTRAP_SERVERS and --account")
    if data_dir is not None or not settings.bootstrap_servers:
        settings = replace(settings, bootstrap_servers=up.bootstrap_servers, topic_prefix=up.topic_prefix)
    return settings, account or up.account_id


def api_of(data_dir: Path, *, api_url: str, api_key: str) -> tuple[str, str]:
    """The API's address and key."""
    if api_url and api_key:
        return api_url, api_key
    up = _running(data_dir, instead="give --api-url and --api-key")
    return api_url or up.api_url, api_key or up.api_key


def publisher(settings: Settings, *, timeout_s: float = 30.0) -> Publisher:
    """A publisher for these settings."""
    return Publisher(
        bootstrap_servers=settings.bootstrap_servers,
        topic_prefix=settings.topic_prefix,
        body_bytes_max=settings.body_bytes_max,
        timeout_s=timeout_s,
    )


def _running(data_dir: Path, *, instead: str) -> UpFile:
    try:
        return read_up_file(data_dir)
    except NotYet as error:
        raise ConfigError(f"no `hookline up` is ready in {data_dir}: start it, or {instead}") from error
