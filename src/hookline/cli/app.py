"""All commands put together, and the edge where errors become a sentence and an exit status."""

import sys

import typer

from hookline.cli import (
    accounts,
    broker,
    config,
    history,
    produce,
    receiver,
    roles,
    secrets,
    settings,
    topics,
    trigger,
    up,
)
from hookline.runtime import leash
from hookline.schemas.errors import ConfigError, ContractError, NotYet

EXIT_CONTRACT = 1
EXIT_CONFIG = 2
EXIT_NOT_YET = 3

app = typer.Typer(
    name="hookline",
    help="Delivers webhooks from Kafka. Settings are HOOKLINE_* variables: `hookline settings` lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for noun in (up, trigger, produce, receiver, roles, history, topics, accounts, config, secrets, broker, settings):
    noun.register(app)


@app.callback()
def _options(*, leashed: bool = typer.Option(False, "--leashed", hidden=True)) -> None:
    if leashed:  # started by `hookline up`
        leash.hold()


def run(arguments: list[str]) -> int:
    """The exit status of a command: 2 what the operator must change, 3 what may be tried again later."""
    try:
        app(arguments, prog_name="hookline")
    except ConfigError as error:
        return _said(error, EXIT_CONFIG)
    except NotYet as error:
        return _said(error, EXIT_NOT_YET)
    except ContractError as error:
        return _said(error, EXIT_CONTRACT)
    except ModuleNotFoundError as error:
        if (error.name or "hookline").startswith("hookline"):
            raise
        return _said(f"this command needs more packages ({error.name}): pip install 'hookline[all]'", EXIT_CONFIG)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _said(error: object, status: int) -> int:
    sys.stderr.write(f"hookline: {error}\n")
    return status
