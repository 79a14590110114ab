"""`hookline history`: the role that keeps the history, and what is done to its store while none runs."""

import asyncio

import typer

from hookline.cli import roles
from hookline.cli.options import settings_from_environment

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
