"""`hookline topics apply` and `hookline topics diff`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from hookline.cli.options import Json, settings_from_environment
from hookline.core.topic_differences import Difference, Partitions, as_shown
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.topics import Topic

SizeOption = Annotated[Size, typer.Option("--size", help="How many partitions.")]
Replication = Annotated[int, typer.Option("--replication", min=1, max=10, help="Replicas of a new topic.")]
PartitionsOption = Annotated[
    Partitions,
    typer.Option(
        "--partitions",
        help="Where a topic has fewer than the size says: refuse and change nothing, keep them, or grow, which moves keys "
        "and can't be undone.",
    ),
]
KeptOption = Annotated[
    Partitions,
    typer.Option(
        "--partitions", help="As for `apply`: with keep, a topic that has fewer than the size says is left as it is."
    ),
]

_topics = typer.Typer(no_args_is_help=True, help="Make Kafka's topics, or see what differs.")


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(_topics, name="topics")


@_topics.command()
def apply(
    *,
    size: SizeOption = Size.PRODUCTION,
    replication: Replication = 3,
    partitions: PartitionsOption = Partitions.REFUSE,
    as_json: Json = False,
) -> None:
    """Make what is missing and correct what differs. No topic is removed, and none keeps its records for a shorter time."""
    admin, wanted = _wanted(size, replication)
    differences = admin.apply(wanted, partitions=partitions)
    _tell(differences, as_json=as_json, none=f"All {len(wanted)} topics were as they should be.", done=True)


@_topics.command()
def diff(
    *, size: SizeOption = Size.PRODUCTION, partitions: KeptOption = Partitions.REFUSE, as_json: Json = False
) -> None:
    """Say what is not as specified; exit status 1 if there is anything that `apply` would change, or refuse to."""
    admin, wanted = _wanted(size, 1)
    differences = as_shown(admin.diff(wanted), partitions)
    _tell(differences, as_json=as_json, none=f"All {len(wanted)} topics are as they should be.", done=False)
    raise typer.Exit(0 if all(each.left for each in differences) else 1)


def _wanted(size: Size, replication: int) -> tuple[TopicAdmin, Sequence[Topic]]:
    settings = settings_from_environment()
    specified = list(settings.topics(load_catalogue().domains).specifications())
    return TopicAdmin(settings.bootstrap_servers, size=size, replication=replication), specified


def _made(change: Difference) -> str:
    if change.found is None:
        return f"{change.topic}: made, {change.what} {change.wanted}"
    if change.left:
        return f"{change.topic}: {change.what} is {change.found}, wanted {change.wanted}; left as it is"
    return f"{change.topic}: {change.what} was {change.found}, now {change.wanted}"


def _tell(differences: Sequence[Difference], *, as_json: bool, none: str, done: bool) -> None:
    if as_json:
        print(json.dumps([asdict(each) for each in differences], indent=2))
        return
    for each in differences:
        print(_made(each) if done else str(each))
    if not differences:
        print(none)
