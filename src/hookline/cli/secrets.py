"""`hookline secrets rewrap`: everything sealed anew under the newest master key."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import typer

from hookline.cli.configuring import Configuring, as_json, configuring
from hookline.cli.options import Json, settings_from_environment
from hookline.core.rewrapping import forgets, key_ids, rewrapped
from hookline.runtime import draw
from hookline.runtime.changes import Decision, Write
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import Subscription

_BATCH = 100
_NAMED_MAX = 10  # webhooks that do not open; --json names all of them
_secrets = typer.Typer(no_args_is_help=True, help="Secrets of webhooks, encrypted in Kafka.")


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(_secrets, name="secrets")


@_secrets.callback()
def _noun() -> None:
    """Keep `rewrap` a command of its own: with one command alone typer would drop its name."""


@_secrets.command()
def rewrap(*, as_json_: Json = False) -> None:
    """Seal everything under the first of HOOKLINE_MASTER_KEYS; the others are needed until this is done. Delivery goes on."""
    settings = settings_from_environment()
    if not settings.master_keys:
        raise ConfigError("HOOKLINE_MASTER_KEYS is empty; it must have the new key first, and the old ones behind it")
    found = asyncio.run(_rewrap(settings))
    _tell(found, settings, as_json_=as_json_)
    if found["unopened"]:
        some = "; ".join(found["unopened"][:_NAMED_MAX])
        raise ConfigError(f"{len(found['unopened'])} webhooks do not open and were left as they are: {some}")


def _tell(found: Mapping[str, Any], settings: Settings, *, as_json_: bool) -> None:
    if as_json_:
        print(as_json(found))
        return
    print(
        f"{found['rewrapped']} of {found['webhooks']} webhooks were sealed anew under {settings.master_keys[0].key_id}."
    )
    if found["forgotten"]:
        print(
            f"{found['forgotten']} of them no longer know the request that made them, for it did not open: the API refuses it if"
            " it comes again with its Idempotency-Key."
        )
    others = [f"{name}: {count}" for name, count in found["keys"].items()]
    print(f"Webhooks by the master keys that they need: {', '.join(others) or 'none'}.")


async def _rewrap(settings: Settings) -> dict[str, Any]:
    async with configuring(settings) as configuration:
        left = iter([each.subscription_id for each in configuration.view.subscriptions()])
        counted, unopened = Counter[str](), dict[str, str]()
        while batch := list(islice(left, _BATCH)):
            counted += await _rewrap_batch(configuration, settings, batch, unopened)
        subscriptions = configuration.view.subscriptions()
        needed = Counter(key_id for each in subscriptions for key_id in key_ids(each))
        return {
            "webhooks": len(subscriptions),
            "rewrapped": counted["rewrapped"],
            "forgotten": counted["forgotten"],
            "keys": dict(needed),
            "unopened": list(unopened.values()),
        }


async def _rewrap_batch(
    configuration: Configuring, settings: Settings, batch: Sequence[str], unopened: dict[str, str]
) -> Counter[str]:
    """How many were sealed anew, and how many of them forgot their request; `unopened` gets a sentence for each that does not open: it must not hold up the others."""

    def rewrap_one(subscription: Subscription) -> Subscription:
        if configuration.view.cannot_read(subscription.subscription_id):
            unopened[subscription.subscription_id] = f"{subscription.subscription_id}: a newer release wrote it"
            return subscription
        try:
            return rewrapped(subscription, keys=settings.master_keys, nonce=draw.sealing_nonce)
        except (ConfigError, ContractError) as error:
            unopened[subscription.subscription_id] = str(error)
            return subscription

    def decide() -> Decision[Counter[str]]:
        there = [found for each in batch if (found := configuration.view.subscription(each)) is not None]
        pairs = [(each, rewrap_one(each)) for each in there]
        changed = [new for old, new in pairs if new is not old]
        if not changed:
            return Decision(Counter())
        writes = [
            Write(
                topic=configuration.topics.subscriptions,
                key=each.subscription_id.encode(),
                value=configuration.codec.encode(each),
            )
            for each in changed
        ]
        key_id = settings.master_keys[0].key_id
        told = configuration.audit("secrets.rewrap", key_id, after={"webhooks": len(changed)})
        forgotten = sum(forgets(old, new) for old, new in pairs)
        return Decision(Counter(rewrapped=len(changed), forgotten=forgotten), (*writes, told))

    return await configuration.change(decide)
