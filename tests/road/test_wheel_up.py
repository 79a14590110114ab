"""The wheel, installed in an empty environment outside the checkout, runs `hookline up`."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from urllib.request import urlopen

import pytest

from fakes.up import environment, eventually, upped

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that holds the locked packages and the wheel, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=_ROOT, check=True, capture_output=True, timeout=120)
    venv.create(folder / "venv", with_pip=True)
    installed = str(folder / "venv" / "bin" / "python")
    (wheel,) = folder.glob("*.whl")
    for what in (["--require-hashes", "-r", str(_ROOT / "requirements.lock")], ["--no-deps", str(wheel)]):
        command = [installed, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
        subprocess.run(command, check=True, cwd=folder, timeout=400)
    return installed


def test_the_installed_wheel_runs_the_road(python: str, tmp_path: Path) -> None:
    where = [python, "-c", "import hookline; print(hookline.__file__)"]
    assert str(_ROOT) not in subprocess.run(where, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    with upped(tmp_path / "data", tmp_path / "screen", env=environment(), python=python) as up:
        up.wait_ready()

        def verified() -> int:
            with urlopen(f"{up.file['receiver_url']}/stats", timeout=30) as answer:  # noqa: S310 - http on this machine
                return int(json.load(answer)["verified"])

        eventually(lambda: verified() > 0, 60)
        assert up.stop() == 0
