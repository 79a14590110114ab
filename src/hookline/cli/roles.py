"""The long-running roles, each a process of its own: `hookline api`, `fanout`, `dispatcher`, `replay` (and `history`, beside this file)."""

from collections.abc import Awaitable, Callable

import typer

from hookline.cli.options import require_kafka, settings_from_environment
from hookline.runtime import logs
from hookline.runtime.lifecycle import Lifetime, run_role
from hookline.runtime.settings import Settings

Run = Callable[[Settings, Lifetime], Awaitable[None]]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    for command in (api, fanout, dispatcher, replay):
        app.command(rich_help_panel="Roles")(command)


def api() -> None:
    """Serve the API: webhooks, and what became of their deliveries."""
    from hookline.api.run import run_api

    run("api", run_api)


def fanout() -> None:
    """Fan events out to the webhooks that want them."""
    from hookline.processors.run import run_fanout

    run("fanout", run_fanout)


def dispatcher() -> None:
    """Deliver: signed requests, retries, dead letters."""
    from hookline.dispatchers.run import run_dispatcher

    run("dispatcher", run_dispatcher)


def replay() -> None:
    """Carry out jobs of recovery: replay the log for a webhook, send what failed once more. Of several processes one does."""
    from hookline.processors.run_replay import run_replay

    run("replay", run_replay)


def run(name: str, role: Run) -> None:
    """Run a role until a signal, and end with its exit status."""
    settings = settings_from_environment()
    require_kafka(settings)
    logs.configure(settings.log_level)
    raise typer.Exit(run_role(name, lambda lifetime: role(settings, lifetime)))
