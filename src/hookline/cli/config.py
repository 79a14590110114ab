"""`hookline config export` and `hookline config import`: the whole configuration as a file. Secrets stay encrypted."""

import asyncio
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from hookline.cli.configuring import Configuring, as_json, configuring
from hookline.cli.erasing import what_belongs_to
from hookline.cli.options import Json, settings_from_environment
from hookline.core.portable import Configured, Step, id_of, is_marker, lines, over, records, step
from hookline.core.rewrapping import key_ids
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.changes import Decision, Write
from hookline.runtime.settings import Settings
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ConfigError
from hookline.schemas.records import Account, ApiKey, Disabling, EndpointHealth, Subscription, disabling_key

_NAMED_MAX = 10  # of what is left out, in an error
_BATCH = 200  # records in one transaction: what is read and decided in it holds up the API for a moment
_config = typer.Typer(no_args_is_help=True, help="Take the configuration out of Kafka, and bring it back.")

_File = Annotated[Path, typer.Argument(help="A file that `config export` wrote; - for standard input.")]
_Replace = Annotated[bool, typer.Option("--replace", help="Also write over what is newer in Kafka than in the file.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(_config, name="config")


@_config.command("export")
def export_() -> None:
    """Print accounts, keys (hashes only), webhooks and what was judged of them, a JSON object on each line."""
    asyncio.run(_export(settings_from_environment()))


@_config.command("import")
def import_(file: _File, *, replace: _Replace = False, as_json_: Json = False) -> None:
    """Write what is in the file and not in Kafka, or older there. Nothing is deleted but what is of accounts that the file says are erased."""
    found = read_file(file)
    counted = asyncio.run(_import(settings_from_environment(), found, replaces=replace))
    if as_json_:
        print(as_json(counted))
        return
    print(f"{counted['written']} written, {counted['same']} were there already, {counted['newer']} are newer in Kafka.")
    if counted["erased"]:
        print(f"{counted['erased']} left out: their accounts are erased.")


def read_file(file: Path) -> Sequence[Configured]:
    """The records of an export, all of them read before one is written; ConfigError if there is no such file."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
    return records(text.splitlines(), Codec(load_catalogue()))


async def _export(settings: Settings) -> None:
    async with configuring(settings) as configuration:
        _require_readable(configuration.view)
        for line in lines(everything(configuration.view), configuration.codec):
            print(line)


def _require_readable(view: View) -> None:
    """ConfigError if this release can't export all that is there: an export that says it is whole must be."""
    newer = view.newer_records()
    if newer:
        more = f" and {len(newer) - _NAMED_MAX} more" if len(newer) > _NAMED_MAX else ""
        raise ConfigError(
            f"a newer release wrote {', '.join(newer[:_NAMED_MAX])}{more}, which this one can't read; nothing was exported:"
            " export with the newer one"
        )


def everything(view: View) -> Iterator[Configured]:
    """All records of the configuration, each account's before what belongs to it."""
    yield from view.accounts()
    yield from view.markers()
    yield from view.keys()
    yield from view.subscriptions()
    yield from view.disablings()
    yield from view.healths()


async def _import(settings: Settings, found: Sequence[Configured], *, replaces: bool) -> dict[str, int]:
    counted: Counter[Step] = Counter()
    erased = frozenset(each.account_id for each in found if is_marker(each))
    _warn_of_missing_keys(settings, found)
    async with configuring(settings) as configuration:
        accepted = _not_accepted_yet(configuration.view, found, erased)
        left = iter(found)
        while batch := list(islice(left, _BATCH)):
            counted += await _import_batch(configuration, batch, erased, replaces=replaces)
    _warn_of_keys(accepted)
    return {
        "written": counted[Step.WRITE],
        "same": counted[Step.SAME],
        "newer": counted[Step.NEWER_HERE],
        "erased": counted[Step.ERASED],
    }


def _not_accepted_yet(view: View, found: Sequence[Configured], erased: Collection[str]) -> int:
    """How many API keys will be accepted that are not now."""
    keys = [each for each in found if isinstance(each, ApiKey) and view.api_key(each.key_id) is None]
    return sum(each.account_id not in erased and view.marker(each.account_id) is None for each in keys)


async def _import_batch(
    configuration: Configuring, batch: Sequence[Configured], erased: Collection[str], *, replaces: bool
) -> Counter[Step]:
    def decide() -> Decision[Counter[Step]]:
        steps = [_step(configuration.view, each, erased, replaces=replaces) for each in batch]
        wanted = [record for taken, record in steps if taken is Step.WRITE]
        gone = [each.account_id for each in wanted if is_marker(each)]
        writes = [
            *(_write(configuration, each) for each in wanted),
            *(write for each in gone for write in what_belongs_to(each, configuration)),
        ]
        told = [
            configuration.audit("config.import", id_of(each), account_id=each.account_id, after=_told(each))
            for each in wanted
        ]
        return Decision(Counter(taken for taken, _ in steps), (*writes, *told))

    return await configuration.change(decide)


def _step(view: View, record: Configured, erased: Collection[str], *, replaces: bool) -> tuple[Step, Configured]:
    """What is done with an imported record, and the record as it is written."""
    is_hidden = isinstance(record, Account | ApiKey | Subscription) and view.cannot_read(id_of(record))
    if is_hidden and not replaces:  # a newer release wrote it
        return Step.NEWER_HERE, record
    is_erased = record.account_id in erased or view.marker(record.account_id) is not None
    before = there(view, record)
    taken = step(record, before, replaces=replaces, is_erased=is_erased)
    if taken is not Step.WRITE:
        return taken, record
    written = over(record, before, judged_from=_judged_from(view, record) if replaces else 1)
    return (Step.SAME if written == before else Step.WRITE), written


def _judged_from(view: View, record: Configured) -> int:
    """From which version on judgements count, if it is one."""
    if not isinstance(record, Disabling | EndpointHealth):
        return 1
    judged = view.subscription(record.subscription_id)
    return 1 if judged is None else judged.judged_from


def there(view: View, record: Configured) -> Configured | None:
    """The record of the same kind and id that is there."""
    match record:
        case Account():
            return view.account(record.account_id) or view.marker(record.account_id)
        case ApiKey():
            return view.api_key(record.key_id)
        case Subscription():
            return view.subscription(record.subscription_id)
        case Disabling():
            return view.disabling(record.subscription_id)
        case EndpointHealth():
            return view.health(record.subscription_id)


def _write(configuration: Configuring, record: Configured) -> Write:
    topics, value = configuration.topics, configuration.codec.encode(record)
    match record:
        case Account() | ApiKey():
            return Write(topic=topics.accounts, key=id_of(record).encode(), value=value)
        case Subscription():
            return Write(topic=topics.subscriptions, key=id_of(record).encode(), value=value)
        case Disabling():
            return Write(topic=topics.endpoint_state, key=disabling_key(record.subscription_id), value=value)
        case EndpointHealth():
            return Write(topic=topics.endpoint_state, key=id_of(record).encode(), value=value)


def _told(record: Configured) -> dict[str, object]:
    version = {"version": record.version} if isinstance(record, Account | Subscription) else {}
    return {"kind": type(record).__name__, **version}


def _warn_of_keys(count: int) -> None:
    if count:
        sys.stderr.write(
            f"hookline: {count} API keys that were not in Kafka are accepted now; one that was revoked after the export was"
            " made has to be revoked again\n"
        )


def _warn_of_missing_keys(settings: Settings, found: Sequence[Configured]) -> None:
    wanted = {key_id for each in found if isinstance(each, Subscription) for key_id in key_ids(each)}
    missing = sorted(wanted - {key.key_id for key in settings.master_keys})
    if missing:
        sys.stderr.write(
            f"hookline: secrets are sealed with the master keys {', '.join(missing)}, which HOOKLINE_MASTER_KEYS does not"
            " have here; their webhooks can't be delivered by processes without them\n"
        )
