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

from hookline.cli.options import RATE, SEED, AccountOption, DataDir, Json
from hookline.runtime import logs
from hookline.schemas.errors import ConfigError

_DEMO_TIMEOUT_S = 5.0  # short: the demo waits for a broker by publishing again

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
    """Publish events from lines of JSON.

    A line is {"event", "timestamp", "data"}, and "id" and "account_id" if known. A bad line is reported with its number,
    and the rest goes on.

    Exit status: 0 all published, 1 bad lines, 2 a wrong setting, 3 the broker is away.
    """
    from hookline.cli.publishing import publisher, road
    from hookline.producers.ingest import ingest

    settings, account_id = road(data_dir, account=account, account_needed=False)
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
    """Publish believable histories until Ctrl-C.

    Users sign up, order, pay or fail to pay, cancel.
    """
    from hookline.cli.publishing import publisher, road
    from hookline.producers.demo import Demo, run_demo
    from hookline.runtime.clock import SystemClock

    settings, account_id = road(data_dir, account=account, account_needed=True)
    logs.configure(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    demo = Demo(account_id=account_id, rate=rate, seed=seed)
    with publisher(settings, timeout_s=_DEMO_TIMEOUT_S) as publishing:
        count = run_demo(demo, publishing, clock=SystemClock(), stop=stop, say=_complain)
    print(f"{count} events published")


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
