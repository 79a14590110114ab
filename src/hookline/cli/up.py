"""`hookline up`: everything on this machine, from the broker to a receiver that verifies."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from hookline import __version__
from hookline.cli.options import DataDir, settings_from_environment
from hookline.cli.produce import RATE, SEED
from hookline.cli.up_account import kept_identity, kept_master_key
from hookline.cli.up_broker import apply_topics, chosen, described, erase
from hookline.cli.up_folder import DataFolder, write_private
from hookline.cli.up_plan import ROLES, Wish, road_settings
from hookline.cli.up_ports import choose_ports, require_api_port
from hookline.cli.up_road import Ground, Road
from hookline.cli.up_screen import Screen
from hookline.runtime.broker import Broker
from hookline.runtime.broker_files import locked
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError

_EARLIER_RUN_S = 30.0  # processes of a run that was killed end themselves within 10 s

Fresh = Annotated[bool, typer.Option("--fresh", help="Start over: remove what `up` keeps in its folder.")]
ApiPort = Annotated[
    int | None,
    typer.Option("--api-port", min=0, max=65_535, help="Port of the API; 0: one that is free.", show_default=False),
]
Demo = Annotated[bool, typer.Option("--demo/--no-demo", help="With a demo source and receiver.")]
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
    rate: Rate = RATE,
    seed: Seed = SEED,
) -> None:
    """Run the whole road on this machine: Kafka, the API, every role, a demo source and receiver. Ctrl-C stops it."""
    started_s = time.monotonic() - time.process_time()  # what was imported so far was pure computing
    settings = settings_from_environment(data_dir)
    if api_port is not None:
        settings = replace(settings, api_port=api_port)
    wish = Wish(demo=demo, rate=_checked(rate), seed=seed, fresh=fresh)
    raise typer.Exit(run_up(settings, wish, screen=Screen(Console(highlight=False)), started_s=started_s))


def run_up(settings: Settings, wish: Wish, *, screen: Screen, started_s: float) -> int:
    """Run until a signal; the exit status. A signal while the broker starts ends it as cleanly."""
    folder = DataFolder(settings.data_dir)
    with _interruptible():
        try:
            with folder.claimed():
                return _claimed(folder, settings, wish, screen=screen, started_s=started_s)
        except KeyboardInterrupt:
            screen.note("stopped before all was ready")
            return 0


def _claimed(folder: DataFolder, settings: Settings, wish: Wish, *, screen: Screen, started_s: float) -> int:
    screen.heading(f"Hookline {__version__}", beside=f"data in {folder.path}")
    require_api_port(settings.api_port)
    with locked(
        folder.roles_lock, wait_s=_EARLIER_RUN_S, holder="the processes of an earlier run", say=screen.note
    ) as roles_lock:
        if wish.fresh:
            erase(settings, folder, say=screen.note)
            folder.clear()
        broker = _started_broker(settings, folder, screen)
        try:
            ground = _ground(folder, settings, wish, broker, screen, started_s=started_s, roles_lock=roles_lock)
            return asyncio.run(Road(ground, screen=screen, inherited=os.environ).run())
        finally:
            broker.stop()


def _started_broker(settings: Settings, folder: DataFolder, screen: Screen) -> Broker:
    with screen.step("Kafka") as step:
        broker = chosen(settings, folder, say=step.say)
        broker.start()
        step.detail = described(broker)
    return broker


def _ground(
    folder: DataFolder,
    settings: Settings,
    wish: Wish,
    broker: Broker,
    screen: Screen,
    *,
    started_s: float,
    roles_lock: int,
) -> Ground:
    catalogue = load_catalogue()
    with screen.step("Topics") as step:
        step.detail = f"{apply_topics(broker, settings, catalogue)} there"
    identity = kept_identity(folder, now_ms=SystemClock().now_ms())
    write_private(folder.receiver_secret, identity.receiver_secret)
    ports = choose_ports(folder.path, api_port=settings.api_port, receiver_port=identity.receiver_port, parts=ROLES)
    keys = settings.master_keys or (kept_master_key(folder.master_key),)
    shared = replace(settings, master_keys=keys)
    return Ground(
        settings=road_settings(shared, bootstrap_servers=broker.bootstrap_servers, ports=ports),
        catalogue=catalogue,
        folder=folder,
        identity=identity,
        ports=ports,
        broker=broker,
        roles_lock=roles_lock,
        wish=wish,
        started_s=started_s,
    )


def _checked(rate: float) -> float:
    if not 0 < rate <= 10_000:
        raise ConfigError(f"--rate is {rate:g}; it must be more than 0 and at most 10000 events a second")
    return rate


@contextmanager
def _interruptible() -> Iterator[None]:
    """Any signal that asks to stop is a KeyboardInterrupt inside the block."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
