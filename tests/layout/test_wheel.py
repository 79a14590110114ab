"""The wheel holds what the tree holds, under one name, and runs from there."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Where each folder of the tree goes; of infra only what a running `hookline up` reads.
PLACES = {
    "src/hookline/cli": "hookline/cli",
    "src/hookline/core": "hookline/core",
    "src/hookline/runtime": "hookline/runtime",
    "producers": "hookline/producers",
    "processors": "hookline/processors",
    "dispatchers": "hookline/dispatchers",
    "schemas": "hookline/schemas",
    "api": "hookline/api",
    "infra/kafka": "hookline/infra/kafka",
}
FILES = ("hookline/__init__.py", "hookline/__main__.py", "hookline/py.typed", "hookline/infra/__init__.py")
EVERYTHING_UP_READS = """
import hookline, sys
from hookline.runtime.broker_files import shipped
from hookline.runtime.catalogue import load_catalogue
assert hookline.__file__.startswith(sys.argv[1]), hookline.__file__
assert len(load_catalogue().event_types) == 8
assert all(shipped(name) for name in ("pom.xml", "server.properties", "log4j2.properties"))
import hookline.cli.up_run, hookline.api.run, hookline.dispatchers.run, hookline.processors.run, hookline.producers.demo
import hookline.processors.fanout, hookline.runtime.receiver
import asyncio
from hookline.runtime.history import migrate_history
from hookline.runtime.settings import Settings
assert asyncio.run(migrate_history(Settings(history_url=f"sqlite:///{sys.argv[1]}/history.sqlite")))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_tree_and_nothing_else(wheel: Path) -> None:
    assert sorted(name for name in _names(wheel) if name.startswith("hookline/")) == sorted(_wanted())


def test_only_hookline_lands_in_site_packages(wheel: Path) -> None:
    tops = {PurePosixPath(name).parts[0] for name in _names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hookline"}
    assert len(tops) == 2


def test_the_wheel_brings_the_command_and_the_licence(wheel: Path) -> None:
    texts = {PurePosixPath(name).name: name for name in _names(wheel) if ".dist-info/" in name}
    with zipfile.ZipFile(wheel) as archive:
        assert "hookline = hookline.cli:main" in archive.read(texts["entry_points.txt"]).decode()
        assert "Apache License" in archive.read(texts["LICENSE"]).decode()


def test_all_that_up_reads_is_in_the_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "-c", EVERYTHING_UP_READS, str(tmp_path)]
    run = subprocess.run(
        command, cwd="/", env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _wanted() -> Iterator[str]:
    yield from FILES
    for folder, place in PLACES.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{place}/{path.relative_to(ROOT / folder).as_posix()}"
