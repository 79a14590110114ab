"""`hookline produce` and `hookline demo-source`: events from a file, and made-up ones."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from hookline.cli.options import DataDir, Json, settings_from_environment
from hookline.cli.up_folder import read_up_file
from hookline.producers.publisher import Publisher
from hookline.runtime import logs
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError, NotYet

RATE = 5.0  # events a second: lively, and no load
SEED = 1
_DEMO_TIMEOUT_S = 5.0  # short: the demo waits for a broker by publishing again

AccountOption = Annotated[str, typer.Option("--account", help="Account of the events; else that of `hookline up`.")]
FileArgument = Annotated[str, typer.Argument(metavar="[FILE|-]", help="JSON lines; - or nothing is standard input.")]
RateOption = Annotated[float, typer.Option("--rate", help="Events a second.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed tells the same histories.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command("produce")(produce)
    app.command("demo-source")(demo_source)


def produce(
    file: FileArgument = "-", *, account: AccountOption = "", data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Publish events, one JSON object a line: {"event", "timestamp", "data"}, and "id", "account_id" if known.

    Exit status: 0 all published, 1 bad lines, 2 a wrong setting, 3 the broker is away.
    """
    from hookline.producers.ingest import ingest

    settings, account_id = road(data_dir, account=account)
    with _opened(file) as stream, publisher(settings) as publishing:
        report = ingest(stream, publishing, account_id=account_id or None, complain=_complain)
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        print(
            f"{report.published} of {report.read} events published{', the rest left unread' if report.unread else ''}"
        )
    raise typer.Exit(int(report.exit_status))


def demo_source(
    *, rate: RateOption = RATE, seed: SeedOption = SEED, account: AccountOption = "", data_dir: DataDir = None
) -> None:
    """Publish believable histories until Ctrl-C: users sign up, order, pay or fail to pay, cancel."""
    from hookline.producers.demo import Demo, run_demo
    from hookline.runtime.clock import SystemClock

    settings, account_id = road(data_dir, account=account)
    if not account_id:
        raise ConfigError("--account is missing; it must name the account that the events are for")
    logs.configure(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    demo = Demo(account_id=account_id, rate=rate, seed=seed)
    with publisher(settings, timeout_s=_DEMO_TIMEOUT_S) as publishing:
        count = run_demo(demo, publishing, clock=SystemClock(), stop=stop, say=_complain)
    print(f"{count} events published")


def road(data_dir: Path | None, *, account: str = "") -> tuple[Settings, str]:
    """The settings and account to publish with: the environment's and the options', else those of a running `up`."""
    from dataclasses import replace

    settings = settings_from_environment(data_dir)
    if settings.bootstrap_servers and (account or data_dir is None):
        return settings, account
    try:
        up = read_up_file(settings.data_dir)
    except NotYet as error:
        raise ConfigError(
            f"HOOKLINE_BOOTSTRAP_SERVERS is empty and no `hookline up` runs in {settings.data_dir}; one must name Kafka"
        ) from error
    servers = settings.bootstrap_servers or up.bootstrap_servers
    return replace(settings, bootstrap_servers=servers), account or up.account_id


def publisher(settings: Settings, *, timeout_s: float = 30.0) -> Publisher:
    """A publisher for these settings."""
    return Publisher(
        bootstrap_servers=settings.bootstrap_servers,
        topic_prefix=settings.topic_prefix,
        body_bytes_max=settings.body_bytes_max,
        timeout_s=timeout_s,
    )


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; only its opening is translated
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    with stream:
        yield stream


def _complain(what: object) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()
