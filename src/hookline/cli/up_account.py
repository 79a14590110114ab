"""The account, key and secrets that `hookline up` makes at its first start and keeps."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from hookline.cli.accounts import write_account
from hookline.cli.up_folder import DataFolder, write_private
from hookline.core import apikeys
from hookline.runtime import draw
from hookline.runtime.settings import MasterKey, Settings
from hookline.schemas.errors import ConfigError
from hookline.schemas.records import Account, ApiKey

_KEY_ID = "up-1"
_NAME = "default"
_WAY_OUT = "; it is the one of account.json: move that file away to begin with another, or start over with --fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the default account is, and how its demo receiver is known. Kept in `account.json`."""

    account_id: str
    created_at_ms: int
    api_key: str = field(repr=False)
    receiver_secret: str = field(repr=False)
    receiver_port: int = 0
    receiver_webhook_id: str = ""
    admin_key: str = field(default="", repr=False)

    @classmethod
    def drawn(cls, now_ms: int) -> Self:
        """A new one."""
        return cls(
            account_id=draw.account_id(),
            created_at_ms=now_ms,
            api_key=apikeys.write(*draw.api_key()),
            receiver_secret=draw.signing_secret(),
            admin_key=apikeys.write(*draw.api_key()),
        )

    def with_receiver(self, *, port: int, webhook_id: str) -> "Identity":
        """The same with the receiver's present address."""
        return replace(self, receiver_port=port, receiver_webhook_id=webhook_id)

    def with_admin_key(self) -> "Identity":
        """The same with a key for administration, which folders of older releases lack."""
        return self if self.admin_key else replace(self, admin_key=apikeys.write(*draw.api_key()))

    def records(self) -> tuple[Account, ApiKey]:
        """What `webhooks.accounts` must hold for this identity; ConfigError if the key is not one of ours."""
        presented = apikeys.parse(self.api_key)
        if presented is None:
            raise ConfigError("the API key in account.json is mistyped; put it right, or start over with --fresh")
        account = Account(account_id=self.account_id, name=_NAME, created_at_ms=self.created_at_ms)
        key = ApiKey(
            key_id=presented.key_id,
            account_id=self.account_id,
            secret_sha256=apikeys.secret_sha256(presented.secret),
            created_at_ms=self.created_at_ms,
            name=_NAME,
        )
        return account, key


def kept_identity(folder: DataFolder, *, now_ms: int) -> Identity:
    """The folder's identity; drawn and kept at the first start."""
    try:
        kept = Identity(**json.loads(folder.account.read_text(encoding="utf-8")))
        identity = kept.with_admin_key()
        if identity is not kept:
            keep_identity(folder, identity)
        return identity
    except FileNotFoundError:
        identity = Identity.drawn(now_ms)
        keep_identity(folder, identity)
        return identity
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{folder.account} cannot be read; restore it, or start over with --fresh") from error


def keep_identity(folder: DataFolder, identity: Identity) -> None:
    """Write it down, for its owner's eyes only."""
    write_private(folder.account, json.dumps(asdict(identity), indent=2) + "\n")


def kept_master_key(path: Path) -> MasterKey:
    """The folder's key that seals signing secrets; drawn and kept at the first start."""
    if not path.exists():
        write_private(path, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
    try:
        key = base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read; restore it, or start over with --fresh") from error
    if len(key) != 32:
        raise ConfigError(f"{path} holds {len(key)} bytes; wanted 32 in base64")
    return MasterKey(_KEY_ID, key)


async def announce(identity: Identity, settings: Settings) -> None:
    """Write the account and its key to Kafka, unless they are there; ConfigError if the account was erased."""
    account, key = identity.records()
    await write_account(account, key, settings, way_out=_WAY_OUT)
