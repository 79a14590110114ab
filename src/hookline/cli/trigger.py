"""`hookline trigger EVENT`: one sample event through the whole road, and what became of it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hookline.cli.options import AccountOption, DataDir, Json

if TYPE_CHECKING:
    from hookline.cli.follow import Outcome

_WAIT_S = 15.0

Name = Annotated[str, typer.Argument(metavar="EVENT", help="Event type, such as order.created.")]
ApiUrl = Annotated[str, typer.Option("--api-url", help="The API; else that of a running `hookline up`.")]
ApiKeyOption = Annotated[str, typer.Option("--api-key", help="Its key; else that of a running `hookline up`.")]
Wait = Annotated[
    float, typer.Option("--wait", min=0, max=3_600, help="Seconds to wait for the outcome, publishing included.")
]


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
    """Publish one sample event and say what became of it.

    It is followed through the API to every active webhook that wants it.

    Exit status: 0 delivered everywhere, 1 an attempt failed, 3 not known within --wait.
    """
    from hookline.cli.follow import exit_status

    outcomes = asyncio.run(_outcomes(event, api_url, api_key, account, wait_s=wait, data_dir=data_dir))
    if as_json:
        print(json.dumps([asdict(each) for each in outcomes], indent=2))
    else:
        _show(event, outcomes)
    raise typer.Exit(exit_status(outcomes))


async def _outcomes(
    event: str, api_url: str, api_key: str, account: str, *, wait_s: float, data_dir: Path | None
) -> "Sequence[Outcome]":
    from hookline.cli.api_client import api_client
    from hookline.cli.follow import followed
    from hookline.cli.publishing import api_of, road

    settings, account_id = road(data_dir, account=account, account_needed=True)
    url, key = api_of(settings.data_dir, api_url=api_url, api_key=api_key)
    async with api_client(url, key) as api:
        return await followed(event, api=api, settings=settings, account_id=account_id, wait_s=wait_s)


def _show(event: str, outcomes: "Sequence[Outcome]") -> None:
    if not outcomes:
        print(f"{event} published; no active webhook of this account wants it")
    for each in outcomes:
        print(each)
