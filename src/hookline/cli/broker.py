"""`hookline broker fetch`: what `make jars` runs."""

import os

import typer

from hookline.cli.options import DataDir, settings_from_environment

_broker = typer.Typer(no_args_is_help=True, help="The Kafka that `hookline up` brings along.")
_READY = {
    "configured": "Kafka is configured (HOOKLINE_BOOTSTRAP_SERVERS); nothing to fetch.",
    "docker": "Docker answers; Kafka's image is fetched when it starts.",
    "embedded": "Kafka's jars and Java are there.",
}


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(_broker, name="broker")


@_broker.callback()
def _only() -> None:
    """The Kafka that `hookline up` brings along."""


@_broker.command()
def fetch(*, data_dir: DataDir = None) -> None:
    """Fetch Kafka's jars, if `hookline up` needs them.

    It does not where a broker is configured or Docker answers.
    """
    from hookline.runtime.broker import prepare_broker

    settings = settings_from_environment(data_dir)
    kind = prepare_broker(
        bootstrap_servers=settings.bootstrap_servers,
        data_dir=settings.data_dir / "broker",
        cache_dir=settings.cache_dir,
        env=os.environ,
        say=print,
    )
    print(_READY[kind])
