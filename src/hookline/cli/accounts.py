"""`hookline accounts create`: an account and its API key, on Kafka's `webhooks.accounts`."""

import json
from typing import Annotated

import typer

from hookline.cli.options import Json, require_kafka, settings_from_environment
from hookline.core import apikeys
from hookline.runtime import draw
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.producer import ProducerConfig, ThreadedProducer
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.records import Account, ApiKey

_ACKNOWLEDGED_S = 30.0
_NAME_MAX = 200

_accounts = typer.Typer(no_args_is_help=True, help="Accounts and their API keys.")


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(_accounts, name="accounts")


@_accounts.callback()
def _noun() -> None:
    """Keep `create` a command of its own: with one command alone typer would drop its name."""


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
    key_id, secret = draw.api_key()
    now_ms = SystemClock().now_ms()
    account = Account(account_id=draw.account_id(), name=name, created_at_ms=now_ms)
    key = ApiKey(
        key_id=key_id,
        account_id=account.account_id,
        secret_sha256=apikeys.secret_sha256(secret),
        created_at_ms=now_ms,
    )
    write_account(account, key, settings, Codec(load_catalogue()))
    _tell(account, apikeys.write(key_id, secret), as_json=as_json)


def write_account(account: Account, key: ApiKey, settings: Settings, codec: Codec) -> None:
    """Write an account and its key to Kafka; returns when the broker has both, NotYet if it does not say so."""
    topic = settings.topics().accounts
    producer = ThreadedProducer(
        ProducerConfig(bootstrap_servers=settings.bootstrap_servers, timeout_s=_ACKNOWLEDGED_S, linger_ms=0)
    )
    try:
        written = [
            producer.write(topic, key=account.account_id.encode(), value=codec.encode(account)),
            producer.write(topic, key=key.key_id.encode(), value=codec.encode(key)),
        ]
        for future in written:
            future.result(producer.answer_timeout_s)
    except TimeoutError as error:
        raise NotYet(f"{topic}: no answer from the broker within {_ACKNOWLEDGED_S:.0f} s") from error
    finally:
        producer.close(1.0)


def _tell(account: Account, api_key: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"account_id": account.account_id, "name": account.name, "api_key": api_key}))
        return
    print(f"account  {account.account_id}")
    print(f"API key  {api_key}")
    print("The key is not shown again.")
