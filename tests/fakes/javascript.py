"""Packages of npm for tests: those of tests/javascript/package-lock.json, installed once into the cache folder.

Where node or npm is missing or no registry can be reached, the test is skipped. Anything else that npm refuses, such as
a package that is not the one of the lock file, is a failure.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fakes.documents import ROOT

FOLDER = ROOT / "tests" / "javascript"
_FILES = ("package.json", "package-lock.json")
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
_INSTALL_S = 60  # 1 s with a registry nearby
_RUN_S = 60
# npm's codes for "nobody answered" (docs.npmjs.com, "Common errors", and the names of Node's socket errors).
_NO_NETWORK = (
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTCACHED",
    "ENOTFOUND",
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
)


def installed(cache_dir: Path) -> Path:
    """The folder `node_modules`, installed if it is not there yet."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"this test runs JavaScript, and there is no `{program}` on PATH")
    key = sha256(b"".join((FOLDER / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    folder = cache_dir.expanduser().absolute() / f"javascript-{key}"
    if not folder.exists():
        _install(folder)
    return folder / "node_modules"


def _install(folder: Path) -> None:
    """All of it or nothing: it is installed beside its place, and put there when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as beside:
        for name in _FILES:
            shutil.copy(FOLDER / name, beside)
        _npm(beside)
        _put(Path(beside), folder)


def _npm(folder: str) -> None:
    try:
        run = subprocess.run(
            ["npm", *_INSTALL], cwd=folder, capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"this test needs packages of npm, and no registry answered within {_INSTALL_S} s")
    if any(f"code {code}" in run.stderr for code in _NO_NETWORK):
        why = run.stderr.strip().partition("\n")[0]
        pytest.skip(f"this test needs packages of npm, and no registry can be reached: {why}")
    assert run.returncode == 0, run.stderr


def _put(beside: Path, folder: Path) -> None:
    whole = beside / folder.name
    whole.mkdir()
    (beside / "node_modules").rename(whole / "node_modules")
    try:
        whole.rename(folder)
    except OSError:  # another run was faster
        assert (folder / "node_modules").exists()


def answers(script: str, questions: Iterable[Any], *, modules: Path) -> Sequence[Any]:
    """What a script of tests/javascript says to each question, all asked of one Node process as lines of JSON."""
    run = subprocess.run(
        ["node", str(FOLDER / script)],
        env=os.environ | {"NODE_PATH": str(modules)},
        input="\n".join(map(json.dumps, questions)),
        capture_output=True,
        encoding="utf-8",
        timeout=_RUN_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.split("\n") if line]
