"""What several commands ask for, and where they read it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError

RATE = 5.0  # events a second of the demo source: lively, and no load
SEED = 1

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of `hookline up`; else HOOKLINE_DATA_DIR.", show_default=False)
]
AccountOption = Annotated[str, typer.Option("--account", help="Account of the events; else that of `hookline up`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def require_kafka(settings: Settings) -> None:
    """ConfigError if no Kafka is named."""
    if not settings.bootstrap_servers:
        raise ConfigError("HOOKLINE_BOOTSTRAP_SERVERS is empty; it must name Kafka, such as 127.0.0.1:9092")


def settings_from_environment(data_dir: Path | None = None) -> Settings:
    """The settings of this process; the data folder is absolute. ConfigError names what is wrong."""
    settings = Settings.from_env(os.environ)
    folder = settings.data_dir if data_dir is None else data_dir
    return replace(settings, data_dir=folder.expanduser().absolute())
