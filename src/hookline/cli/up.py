"""`hookline up`: everything on this machine, from the broker to a receiver that verifies."""

import shlex
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hookline.cli.options import RATE, SEED, DataDir, settings_from_environment
from hookline.cli.up_folder import shown
from hookline.schemas.errors import ConfigError

_RATE_MAX = 10_000.0

Fresh = Annotated[bool, typer.Option("--fresh", help="Start over: remove what `up` keeps in its folder.")]
ApiPort = Annotated[
    int | None,
    typer.Option("--api-port", min=0, max=65_535, help="Port of the API; 0: one that is free.", show_default=False),
]
Demo = Annotated[bool, typer.Option("--demo/--no-demo", help="With a demo source and receiver.")]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Endpoints as in production: https on public addresses. Without the demo, whose receiver is here.",
    ),
]
Rate = Annotated[float, typer.Option("--rate", help="Events a second of the demo source.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed tells the same histories.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command("up")(up)


def up(
    *,
    data_dir: DataDir = None,
    fresh: Fresh = False,
    api_port: ApiPort = None,
    demo: Demo = True,
    strict: Strict = False,
    rate: Rate = RATE,
    seed: Seed = SEED,
) -> None:
    """Run the whole road on this machine.

    Kafka, the API, every role, a demo source and a demo receiver; what dies is started again, Ctrl-C stops it all. The
    data is kept in one folder, with up.json for scripts and the logs of each process.

    Exit status: 0 stopped by a signal once all was ready; 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP) if the signal came
    before, or if a second one ended everything by force.
    """
    started_s = time.monotonic() - time.process_time()  # what was imported so far was pure computing
    from rich.console import Console

    from hookline.cli.up_plan import Wish
    from hookline.cli.up_run import run_up
    from hookline.cli.up_screen import Screen

    settings = settings_from_environment(data_dir)
    if api_port is not None:
        settings = replace(settings, api_port=api_port)
    try_this = _command("trigger", "order.created", data_dir=data_dir)
    wish = Wish(demo=demo and not strict, strict=strict, rate=_checked(rate), seed=seed, fresh=fresh, try_this=try_this)
    raise typer.Exit(run_up(settings, wish, screen=Screen(Console(highlight=False)), started_s=started_s))


def _checked(rate: float) -> float:
    if not 0 < rate <= _RATE_MAX:
        raise ConfigError(f"--rate is {rate:g}; it must be more than 0 and at most {_RATE_MAX:g} events a second")
    return rate


def _command(*arguments: str, data_dir: Path | None) -> str:
    """A further command, as this one was called."""
    path = Path(sys.argv[0])
    called = "hookline"
    if path.name == called and shutil.which(called) != str(path):
        called = shown(path)
    folder = () if data_dir is None else ("--data-dir", str(data_dir))
    return shlex.join((called, *arguments, *folder))
