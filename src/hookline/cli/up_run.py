"""`hookline up` itself: the folder, the broker and its topics, then the processes."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Never

from hookline import __version__
from hookline.cli.up_account import kept_identity, kept_master_key
from hookline.cli.up_broker import apply_topics, chosen, described, erase
from hookline.cli.up_folder import DataFolder, shown, write_private
from hookline.cli.up_plan import ROLES, Wish, road_settings
from hookline.cli.up_ports import choose_ports, require_api_port
from hookline.cli.up_road import Ground, Road, status_of
from hookline.cli.up_screen import Screen
from hookline.runtime.broker import Broker
from hookline.runtime.broker_files import locked
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.settings import Settings

_EARLIER_RUN_S = 30.0  # processes of a run that was killed end themselves within 10 s


def run_up(settings: Settings, wish: Wish, *, screen: Screen, started_s: float) -> int:
    """Run until a signal; the exit status. A signal while the broker starts ends it as cleanly, but is no success."""
    folder = DataFolder(settings.data_dir)
    with _interruptible():
        try:
            with folder.claimed():
                return _claimed(folder, settings, wish, screen=screen, started_s=started_s)
        except KeyboardInterrupt as asked:
            screen.note("stopped before all was ready")
            return status_of(asked.args[0] if asked.args else signal.SIGINT)


def _claimed(folder: DataFolder, settings: Settings, wish: Wish, *, screen: Screen, started_s: float) -> int:
    screen.heading(f"Hookline {__version__}", beside=f"data in {shown(folder.path)}")
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
    _migrate(settings, screen)
    identity = kept_identity(folder, now_ms=SystemClock().now_ms())
    write_private(folder.receiver_secret, identity.receiver_secret)
    ports = choose_ports(folder.path, api_port=settings.api_port, receiver_port=identity.receiver_port, parts=ROLES)
    keys = settings.master_keys or (kept_master_key(folder.master_key),)
    shared = replace(settings, master_keys=keys, admin_key=settings.admin_key or identity.admin_key)
    return Ground(
        settings=road_settings(shared, bootstrap_servers=broker.bootstrap_servers, ports=ports, strict=wish.strict),
        catalogue=catalogue,
        folder=folder,
        identity=identity,
        ports=ports,
        broker=broker,
        roles_lock=roles_lock,
        wish=wish,
        started_s=started_s,
    )


def _migrate(settings: Settings, screen: Screen) -> None:
    """Bring a history store of the operator's up to this release; the one in the folder does so itself."""
    if not settings.history_url:
        return
    from hookline.runtime.history import migrate_history  # SQLAlchemy takes a second to import

    with screen.step("History store") as step:
        step.detail = "migrated" if asyncio.run(migrate_history(settings)) else "up to date"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Any signal that asks to stop is a KeyboardInterrupt with its number inside the block."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> Never:
    raise KeyboardInterrupt(number)
