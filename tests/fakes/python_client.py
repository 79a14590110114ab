"""A Python client generated from an OpenAPI document: the generator of tests/client/requirements.lock, installed once into the cache folder.

Where no registry can be reached, the test is skipped. Anything else that pip refuses, such as a package that is not the
one of the lock file, is a failure.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fakes.documents import ROOT

FOLDER = ROOT / "tests" / "client"
LOCK = FOLDER / "requirements.lock"
_INSTALL = (
    "--quiet",
    "--disable-pip-version-check",
    "--retries",
    "1",
    "--timeout",
    "10",
    "--require-hashes",
    "--no-deps",
)
_INSTALL_S = 100  # 5 s with a registry nearby
_RUN_S = 60
_NO_NETWORK = ("Failed to establish a new connection", "ConnectTimeoutError", "ReadTimeoutError", "NameResolutionError")


def generated(document: Mapping[str, Any], *, cache_dir: Path, folder: Path) -> Sequence[Path]:
    """The folders in which Python finds the client of this document, and what it needs. Every warning of the generator is a failure."""
    packages = _installed(cache_dir)
    (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "config.yml").write_text("post_hooks: []\n", encoding="utf-8")  # it would format what it made
    run(
        [packages],
        *("-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
        *("--path", str(folder / "openapi.json"), "--config", str(folder / "config.yml")),
        *("--output-path", str(folder / "hookline_client")),
    )
    return [folder, packages]


def run(folders: Sequence[Path], *arguments: str, **environment: str) -> str:
    """What Python prints, with these folders before its own packages."""
    path = os.pathsep.join(map(str, folders))
    ran = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": path, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=_RUN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def _installed(cache_dir: Path) -> Path:
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    key = sha256(LOCK.read_bytes()).hexdigest()[:16]
    folder = cache_dir.expanduser().absolute() / f"python-client-{version}-{key}"
    if not folder.exists():
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    """All of it or nothing: it is installed beside its place, and put there when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as beside:
        whole = Path(beside) / folder.name
        _pip(whole)
        try:
            whole.rename(folder)
        except OSError:  # another run was faster
            assert folder.exists()


def _pip(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", *_INSTALL, "--target", str(target), "-r", str(LOCK)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"this test needs packages of PyPI, and no registry answered within {_INSTALL_S} s")
    if any(words in ran.stderr for words in _NO_NETWORK):
        pytest.skip("this test needs packages of PyPI, and no registry can be reached")
    assert ran.returncode == 0, ran.stderr
