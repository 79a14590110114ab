"""`hookline trigger EVENT`: one sample event through the whole road, and what became of it."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hookline.cli.api_client import ApiClient, Webhook, api_client
from hookline.cli.options import DataDir, Json, settings_from_environment
from hookline.cli.produce import AccountOption, publisher, road
from hookline.cli.up_folder import read_up_file
from hookline.core.ids import delivery_id
from hookline.runtime import draw
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.codec import sample_event
from hookline.schemas.errors import ConfigError, ContractError, NotYet
from hookline.schemas.records import Event

_LOOK_S = 0.1
_WAIT_S = 15.0

Name = Annotated[str, typer.Argument(metavar="EVENT", help="Event type, such as order.created.")]
ApiUrl = Annotated[str, typer.Option("--api-url", help="The API; else that of a running `hookline up`.")]
ApiKeyOption = Annotated[str, typer.Option("--api-key", help="Its key; else that of a running `hookline up`.")]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the outcome.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the event at one webhook. `after_s` is from the broker's yes until the API knew."""

    webhook_id: str
    url: str
    delivery_id: str
    status: str
    response_code: int | None = None
    attempts: int = 0
    next_attempt_at: str | None = None
    after_s: float | None = None


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command("trigger")(trigger)


def trigger(
    event: Name,
    *,
    api_url: ApiUrl = "",
    api_key: ApiKeyOption = "",
    account: AccountOption = "",
    wait: Wait = _WAIT_S,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Publish one sample event and follow it through the API to every webhook that wants it.

    Exit status: 0 delivered everywhere, 1 an attempt failed, 3 not known within --wait.
    """
    url, key = _api(data_dir, api_url=api_url, api_key=api_key)
    outcomes = asyncio.run(_followed(event, url=url, key=key, account=account, wait_s=wait, data_dir=data_dir))
    if as_json:
        print(json.dumps([asdict(each) for each in outcomes], indent=2))
    else:
        _show(event, outcomes)
    raise typer.Exit(exit_status(outcomes))


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """What a script is told."""
    found = {each.status for each in outcomes}
    if "failed" in found:
        return 1
    return 3 if "pending" in found else 0


def outcome(webhook: Webhook, delivery: str, found: Mapping[str, Any] | None, *, after_s: float) -> Outcome:
    """What the API says of this delivery; `pending` while it knows nothing."""
    if found is None:
        return Outcome(webhook_id=webhook.webhook_id, url=webhook.url, delivery_id=delivery, status="pending")
    return Outcome(
        webhook_id=webhook.webhook_id,
        url=webhook.url,
        delivery_id=delivery,
        status=found["status"],
        response_code=found.get("response_code"),
        attempts=found["attempts"],
        next_attempt_at=found.get("next_attempt_at"),
        after_s=round(after_s, 3),
    )


def sentence(found: Outcome) -> str:
    """One line for a person."""
    if found.status == "pending":
        return f"{found.url}  not known yet"
    code = found.response_code if found.response_code is not None else "no answer"
    again = f", next attempt not before {found.next_attempt_at}" if found.next_attempt_at else ""
    took = f" after {found.after_s:.2f} s" if found.after_s is not None else ""
    return f"{found.url}  {found.status} ({code}){took}, attempt {found.attempts}{again}"


async def _followed(
    name: str, *, url: str, key: str, account: str, wait_s: float, data_dir: Path | None
) -> Sequence[Outcome]:
    async with api_client(url, key) as api:
        webhooks = [webhook for webhook in await api.webhooks() if webhook.wants(name)]
        event = await asyncio.to_thread(_publish, name, account, data_dir)
        published_s = time.monotonic()
        watches = [_watch(api, webhook, event, published_s=published_s, wait_s=wait_s) for webhook in webhooks]
        return await asyncio.gather(*watches)


async def _watch(api: ApiClient, webhook: Webhook, event: Event, *, published_s: float, wait_s: float) -> Outcome:
    delivery = delivery_id(event.account_id, event.event_id, webhook.webhook_id)
    while True:
        found = (await api.deliveries(webhook.webhook_id)).get(delivery)
        after_s = time.monotonic() - published_s
        if found is not None or after_s >= wait_s:
            return outcome(webhook, delivery, found, after_s=after_s)
        await asyncio.sleep(_LOOK_S)


def _publish(name: str, account: str, data_dir: Path | None) -> Event:
    settings, account_id = road(data_dir, account=account)
    if not account_id:
        account_id = read_up_file(settings.data_dir).account_id
    try:
        event = sample_event(
            load_catalogue(), name, event_id=draw.event_id(), account_id=account_id, occurred_at=datetime.now(UTC)
        )
    except ContractError as error:
        raise ConfigError(str(error)) from error
    with publisher(settings) as publishing:
        publishing.publish(event)
    return event


def _api(data_dir: Path | None, *, api_url: str, api_key: str) -> tuple[str, str]:
    if api_url and api_key:
        return api_url, api_key
    try:
        up = read_up_file(settings_from_environment(data_dir).data_dir)
    except NotYet as error:
        raise ConfigError(f"{error}; start it, or give --api-url and --api-key") from error
    return api_url or up.api_url, api_key or up.api_key


def _show(event: str, outcomes: Sequence[Outcome]) -> None:
    if not outcomes:
        print(f"{event} published; no active webhook of this account wants it")
    for each in outcomes:
        print(sentence(each))
