"""Applies each patch to a copy of the tree, runs the tests that must find it, and prints what survived.

python tests/mutants/run.py [words of a name]
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

from mutants.mutant import Mutant
from mutants.patches import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("pyproject.toml", "src", "producers", "processors", "dispatchers", "schemas", "api", "infra", "tests")
_TIMEOUT_S = 300
_SURVIVED, _FOUND = "SURVIVED", "found"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant."""

    mutant: Mutant
    verdict: str
    took_s: float


def main() -> None:
    wanted = [mutant for mutant in MUTANTS if all(word in mutant.name for word in sys.argv[1:])]
    if not wanted:
        sys.exit(f"no mutant's name has all of these words: {' '.join(sys.argv[1:])}")
    with TemporaryDirectory(prefix="hookline-mutants-") as folder:
        trees = [_copied(Path(folder) / str(number)) for number in range(os.cpu_count() or 1)]
        _check_the_copy_is_tested(trees[0])
        _check_unchanged_code_passes(trees[0], sorted({test for mutant in wanted for test in mutant.tests}))
        results = _all_tried(wanted, trees)
    survived = [result for result in results if result.verdict != _FOUND]
    print(f"{len(results)} mutants, {len(results) - len(survived)} found, {len(survived)} not")
    sys.exit(1 if survived else 0)


def patched(text: str, mutant: Mutant) -> str:
    """The file's text with its wrong line; ValueError if the patch no longer applies."""
    if text.count(mutant.old) != 1:
        raise ValueError(
            f'"{mutant.name}" no longer applies: its old text is {text.count(mutant.old)} times in {mutant.file}; '
            "it must be there once"
        )
    return text.replace(mutant.old, mutant.new)


def _all_tried(mutants: Sequence[Mutant], trees: Sequence[Path]) -> list[Result]:
    """One at a time in each tree, a row of the table as each is done."""
    free: Queue[Path] = Queue()
    for tree in trees:
        free.put(tree)

    def attempt(mutant: Mutant) -> Result:
        tree = free.get()
        try:
            result = _tried(mutant, tree)
        finally:
            free.put(tree)
        print(f"{result.verdict:<8}  {result.took_s:5.1f} s  {mutant.file:<36}  {mutant.name}", flush=True)
        return result

    with ThreadPoolExecutor(len(trees)) as pool:
        return list(pool.map(attempt, mutants))


def _tried(mutant: Mutant, tree: Path) -> Result:
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    path.write_text(patched(text, mutant), encoding="utf-8")
    started_s = time.monotonic()
    try:
        status = _tested(tree, mutant.tests).returncode
    finally:
        path.write_text(text, encoding="utf-8")
    # 1: tests failed. Anything else but 0 says that they could not be run, as for a patch that is no Python.
    verdict = {0: _SURVIVED, 1: _FOUND}.get(status, f"NOT RUN ({status})")
    return Result(mutant, verdict, time.monotonic() - started_s)


def _tested(tree: Path, tests: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=tree, env=_environment(tree), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )


def _environment(tree: Path) -> dict[str, str]:
    # No bytecode: a patch that keeps a file's size within one second would not be noticed.
    return os.environ | {"PYTHONPATH": f"{tree / 'src'}:{tree / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1"}


def _copied(tree: Path) -> Path:
    tree.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, tree / name)
    return tree


def _check_the_copy_is_tested(tree: Path) -> None:
    command = [sys.executable, "-c", "import hookline.core.window, hookline.dispatchers.worker as w; print(w.__file__)"]
    found = subprocess.run(command, cwd=tree, env=_environment(tree), capture_output=True, text=True, check=True).stdout
    if not found.startswith(str(tree)):
        sys.exit(f"the tests would run {found.strip()} and not the copy in {tree}")


def _check_unchanged_code_passes(tree: Path, tests: Sequence[str]) -> None:
    done = _tested(tree, tests)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nthe tests fail on the code as it is, so they could not tell a mutant from it")


if __name__ == "__main__":
    main()
