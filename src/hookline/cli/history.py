"""`hookline history`: the role that keeps the history, and what is done to its store while none runs."""

import asyncio
import time
from typing import Annotated

import typer

from hookline.cli import roles
from hookline.cli.options import require_kafka, settings_from_environment
from hookline.runtime.admin import members_of
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError

_MARGIN_S = 2.0  # the broker looks for members that went now and then
_LOOK_EVERY_S = 0.5
_history = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(_history, name="history", invoke_without_command=True, rich_help_panel="Roles")


@_history.callback(invoke_without_command=True)
def history(context: typer.Context) -> None:
    """Keep the history of attempts that the API answers from."""
    if context.invoked_subcommand is None:
        from hookline.processors.run import run_history

        roles.run("history", run_history)


@_history.command()
def migrate() -> None:
    """Make the tables of the history store, or bring those of an earlier release up to this one. The embedded one does so itself."""
    from hookline.runtime.history import migrate_history

    is_changed = asyncio.run(migrate_history(settings_from_environment()))
    print("The history store has this release's tables now." if is_changed else "The history store was up to date.")


@_history.command()
def rebuild(
    *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the store may be emptied.")] = False
) -> None:
    """Empty the history store and fill it again from Kafka. What Kafka no longer holds is lost. No history process may run."""
    settings = settings_from_environment()
    require_kafka(settings)
    _refuse_company(settings)
    if not yes:
        typer.confirm("Empty the history store, and fill it with what Kafka still holds?", abort=True)
    from hookline.processors.run import run_rebuild

    roles.run("history", lambda _settings, lifetime: run_rebuild(settings, lifetime, say=print))


def _refuse_company(settings: Settings) -> None:
    """ConfigError while a history process runs: it would write behind what was emptied. One that was killed is waited out."""
    deadline_s = time.monotonic() + settings.session_timeout_s + _MARGIN_S
    for group in settings.history_groups():
        while running := members_of(settings.bootstrap_servers, group):
            if time.monotonic() > deadline_s:
                raise ConfigError(f"{running} history processes run (consumer group {group}); stop them first")
            time.sleep(_LOOK_EVERY_S)
