"""Apache Kafka's jars: fetched once with Maven, kept in the cache folder."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from hookline.runtime.broker_files import locked, shipped
from hookline.runtime.broker_java import Java, child_environment, find_java_and_maven
from hookline.schemas.errors import ConfigError, NotYet

KAFKA_VERSION = "4.1.2"  # as in infra/kafka/pom.xml
_FETCH_TIMEOUT_S = 900.0  # 10 s on a good line; long enough for 44 MB on a bad one
_USERINFO = re.compile(r"//[^/@\s]+@")  # a mirror's URL may hold a password


def fetch_jars(*, cache_dir: Path, env: Mapping[str, str], say: Callable[[str], None]) -> Path:
    """The folder with Kafka's jars, fetched if it is not there; two processes never fetch twice.

    ConfigError says what to install, or what Maven said; NotYet when another process fetches for too long.
    """
    libs = kafka_folder(cache_dir) / "libs"
    if jars_are_there(cache_dir):
        return libs
    java, maven = find_java_and_maven(env)
    lock = kafka_folder(cache_dir) / "fetch.lock"
    with locked(lock, wait_s=_FETCH_TIMEOUT_S, holder="another fetch of Kafka's jars", say=say):
        if not jars_are_there(cache_dir):
            say(f"fetching Apache Kafka {KAFKA_VERSION} with Maven (44 MB, once)")
            _fetch(libs, maven=maven, env=_maven_environment(env, java))
    return libs


def kafka_folder(cache_dir: Path) -> Path:
    """Where everything made from this version of Kafka is kept."""
    return cache_dir / f"kafka-{KAFKA_VERSION}"


def jars_are_there(cache_dir: Path) -> bool:
    """Whether they were fetched before; the folder appears only when it is complete."""
    return (kafka_folder(cache_dir) / "libs").is_dir()


def _fetch(libs: Path, *, maven: Path, env: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix="fetching-") as name:
        folder = Path(name)
        (folder / "pom.xml").write_text(shipped("pom.xml"), encoding="utf-8")
        _run_maven([str(maven), "--batch-mode", "--quiet", "dependency:copy-dependencies"], folder=folder, env=env)
        (folder / "libs").rename(libs)


def _run_maven(command: list[str], *, folder: Path, env: Mapping[str, str]) -> None:
    goal = [*command, f"-DoutputDirectory={folder / 'libs'}"]
    try:
        run = subprocess.run(
            goal,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_FETCH_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise NotYet(f"Maven did not fetch Kafka's jars within {_FETCH_TIMEOUT_S:.0f} s") from error
    if run.returncode != 0:
        raise ConfigError(f"Maven could not fetch Kafka's jars: {_reason(run.stdout + run.stderr)}")


def _reason(output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()
    errors = [line.removeprefix("[ERROR]").strip() for line in lines if line.startswith("[ERROR]")]
    return _USERINFO.sub("//", (errors or lines or ["it said nothing"])[0])[:500]


def _maven_environment(env: Mapping[str, str], java: Java) -> dict[str, str]:
    if shutil.which("java", path=env.get("PATH", "")) is not None:
        return child_environment(env)
    return {"JAVA_HOME": str(java.home)} | child_environment(env)
