"""`hookline accounts`: an account with its API key, and the key of an administrator."""

import asyncio
import json
from typing import Annotated

import typer

from hookline.cli.configuring import configuring
from hookline.cli.options import Json, require_kafka, settings_from_environment
from hookline.core import apikeys
from hookline.runtime import draw
from hookline.runtime.changes import Decision, Write
from hookline.runtime.clock import SystemClock
from hookline.runtime.keys import new_api_key
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError
from hookline.schemas.records import Account, ApiKey

_NAME_MAX = 200

_accounts = typer.Typer(no_args_is_help=True, help="Accounts and their API keys.")


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(_accounts, name="accounts")


@_accounts.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the account.")],
    *,
    as_json: Json = False,
) -> None:
    """Make an account with one API key, which is shown now and never again."""
    if not name.strip() or len(name) > _NAME_MAX:
        found = f"has {len(name)} characters" if name.strip() else "is blank"
        raise ConfigError(f"the account's name {found}; it must have 1 to {_NAME_MAX} characters")
    settings = settings_from_environment()
    require_kafka(settings)
    now_ms = SystemClock().now_ms()
    account = Account(account_id=draw.account_id(), name=name, created_at_ms=now_ms, updated_at_ms=now_ms)
    text, key = new_api_key(account.account_id, now_ms, name="first")
    asyncio.run(write_account(account, key, settings))
    _tell(account, text, as_json=as_json)


@_accounts.command("admin-key")
def admin_key() -> None:
    """Draw a key for HOOKLINE_ADMIN_KEY, with which further keys and accounts are made through the API. Nothing is written."""
    print(apikeys.write(*draw.api_key()))


@_accounts.command()
def erase(
    account_id: Annotated[str, typer.Argument(help="The account's id, `acct_...`.", metavar="ACCOUNT_ID")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the account may be erased.")] = False,
) -> None:
    """Erase an account: its API keys, its webhooks, and what the history store has of it. Nothing brings it back."""
    settings = settings_from_environment()
    require_kafka(settings)
    if not yes:
        typer.confirm(f"Erase {account_id}, with its API keys, webhooks and history, for ever?", abort=True)
    from hookline.cli.erasing import erase_account

    asyncio.run(erase_account(account_id, settings, say=print))


async def write_account(account: Account, key: ApiKey, settings: Settings, *, way_out: str = "") -> None:
    """Write an account and its key, each unless it is there; returns when every process will see them. NotYet.

    ConfigError if the account was erased; `way_out` says what to do about it.
    """
    async with configuring(settings) as configuration:
        view, topic = configuration.view, configuration.topics.accounts

        def decide() -> Decision[None]:
            if view.marker(account.account_id) is not None:
                raise ConfigError(f"the account {account.account_id} was erased, and is not made again{way_out}")
            new: list[Account | ApiKey] = [
                *([account] if view.account(account.account_id) is None else []),
                *([key] if view.api_key(key.key_id) is None else []),
            ]
            names = [each.account_id if isinstance(each, Account) else each.key_id for each in new]
            writes = [
                Write(topic=topic, key=name.encode(), value=configuration.codec.encode(each))
                for name, each in zip(names, new, strict=True)
            ]
            told = [
                configuration.audit(_operation(each), name, account_id=account.account_id, after={"name": each.name})
                for name, each in zip(names, new, strict=True)
            ]
            return Decision(None, (*writes, *told))

        await configuration.change(decide)


def _operation(made: Account | ApiKey) -> str:
    return "account.create" if isinstance(made, Account) else "key.create"


def _tell(account: Account, api_key: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"account_id": account.account_id, "name": account.name, "api_key": api_key}))
        return
    print(f"account  {account.account_id}")
    print(f"API key  {api_key}")
    print("The key is not shown again.")
