"""Apache Kafka as a Java process of its own: a KRaft node on this machine, its data kept between runs."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from hookline.runtime import broker_guard
from hookline.runtime.broker_archive import Archive, archive
from hookline.runtime.broker_files import last_lines, locked, shipped
from hookline.runtime.broker_jars import fetch_jars
from hookline.runtime.broker_java import Java, child_environment, find_java
from hookline.runtime.broker_node import HOST, Node, cluster_id, properties, require_free, settle_ports
from hookline.runtime.broker_probe import answers, wait_for
from hookline.schemas.errors import ConfigError, NotYet

# Serial and C1 only: listening after 2.8 s instead of 3.8 s, and a third less CPU for 300,000 records (2 cores).
_JAVA_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")
_JAVA_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr", "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=java-crash.log")
_START_S = 90.0  # 1 s to 5 s; a slow machine recovering gigabytes after a kill takes longer
_OWNER_ONLY = 0o077  # umask: the topics hold payloads
_FORMAT_S = 60.0  # 1 s
_STOP_S = 30.0  # 0.5 s, and 2.5 s more when a class archive is written
_EARLIER_RUN_S = 25.0  # the guard of an earlier run kills its broker after 20 s


class EmbeddedKafka:
    """One Kafka on 127.0.0.1. Its data, log and ports are in `data_dir`; it can be started again after any end.

    Guarded, it ends when the process that started it does. It may be used from any thread, one at a time. Given a `node`,
    such as one of several, it is that; `port` is then of no account. A node of several answers once most of them run.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        cache_dir: Path,
        env: Mapping[str, str],
        say: Callable[[str], None],
        port: int = 0,
        node: Node | None = None,
        heap_mb: int = 256,
        guarded: bool = True,
        earlier_run_s: float = _EARLIER_RUN_S,
    ) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._cache_dir = cache_dir.expanduser().absolute()
        self._env = env
        self._say = say
        self._wanted_port = port
        self._heap_mb = heap_mb
        self._guarded = guarded
        self._earlier_run_s = earlier_run_s
        self._node = node
        self._log_dir = self._data_dir / "data" if node is None else Path(node.log_dir)
        self._java: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._archive: Archive | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; known once it was started."""
        if self._node is None:
            raise NotYet("the embedded Kafka has no address before its first start")
        return f"{HOST}:{self._node.ports.client}"

    @property
    def pid(self) -> int | None:
        """The process id of the Java process; None while it does not run."""
        return self._java.pid if self._java is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the Java process lives."""
        return self._java is not None and self._java.poll() is None

    def start(self) -> None:
        """Return when a client can talk to it.

        ConfigError says what is missing, in the way or broken; NotYet if the data folder is held or time runs out.
        """
        if self.running:
            return
        self._forget_process()
        _refuse_paths(data_dir=self._data_dir, cache_dir=self._cache_dir)
        libs = fetch_jars(cache_dir=self._cache_dir, env=self._env, say=self._say)
        java = find_java(self._env)
        self._archive = archive(cache_dir=self._cache_dir, data_dir=self._data_dir, java=java)
        holder = "another run's broker"
        with locked(self._data_dir / "lock", wait_s=self._earlier_run_s, holder=holder, say=self._say) as lock:
            self._write_files(self._settle_node())
            self._say(f"starting Apache Kafka on {self.bootstrap_servers}")
            self._run_with_archive(self._archive, java, libs, lock=lock)

    def stop(self) -> None:
        """End it cleanly; by force when that takes longer than 30 s."""
        if self._java is not None and self.running:
            self._java.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._java.wait(_STOP_S)
                self._keep_archive()
        self.kill()

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        if self._java is not None and self.running:
            os.killpg(self._java.pid, signal.SIGKILL)
        self._forget_process()

    def erase(self) -> None:
        """Stop it and remove its data, for a fresh start."""
        self.stop()
        shutil.rmtree(self._data_dir, ignore_errors=True)

    def _settle_node(self) -> Node:
        if self._node is None:
            ports = settle_ports(self._data_dir, wanted=self._wanted_port)
            self._node = Node(ports=ports, log_dir=str(self._log_dir))
        for port in (self._node.ports.client, self._node.ports.controller):
            require_free(port)
        return self._node

    def _write_files(self, node: Node) -> None:
        (self._data_dir / "server.properties").write_text(properties(node), encoding="ascii")
        (self._data_dir / "log4j2.properties").write_text(shipped("log4j2.properties"), encoding="ascii")
        (self._data_dir / "java.log").write_bytes(b"")

    def _run_with_archive(self, archive: Archive, java: Java, libs: Path, *, lock: int) -> None:
        options = archive.reading()
        try:
            self._run(self._java_command(java, libs, options), archive.writing(), lock=lock)
        except ConfigError:
            if not options:
                raise
            self._run(self._java_command(java, libs, ()), (), lock=lock)
            archive.discard()  # it was to blame: a broken archive must never stop a start

    def _run(self, command: Sequence[str], writing: Sequence[str], *, lock: int) -> None:
        if not (self._log_dir / "meta.properties").exists():
            self._format(command)
        try:
            self._launch([command[0], *writing, *command[1:]], lock=lock)
            self._await_answer()
        except BaseException:  # Ctrl-C, too, leaves no process behind
            self.kill()
            raise

    def _await_answer(self) -> None:
        answered = wait_for(lambda: not self.running or answers(self.bootstrap_servers), deadline_s=_START_S)
        if not self.running:
            raise ConfigError(f"the embedded Kafka ended while it started; {self._log_end()}")
        if not answered:
            raise NotYet(f"the embedded Kafka did not answer within {_START_S:.0f} s; {self._log_end()}")

    def _java_command(self, java: Java, libs: Path, archived: Sequence[str]) -> list[str]:
        log4j = (self._data_dir / "log4j2.properties").as_uri()
        logs = (f"-Dhookline.log_dir={self._data_dir}", f"-Dlog4j2.configurationFile={log4j}")
        class_path = os.pathsep.join(str(jar) for jar in sorted(libs.glob("*.jar")))
        heap = f"-Xmx{self._heap_mb}m"
        return [str(java.executable), heap, *_JAVA_OPTIONS, *_JAVA_QUIET, *archived, *logs, "-cp", class_path]

    def _format(self, command: Sequence[str]) -> None:
        tool = [*command, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", self._cluster_id()]
        try:
            with self._java_log() as log:
                subprocess.run(
                    [*tool, "-c", str(self._data_dir / "server.properties")],
                    cwd=self._data_dir,
                    env=child_environment(self._env),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    check=True,
                    timeout=_FORMAT_S,
                    umask=_OWNER_ONLY,
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigError(f"Kafka's data folder could not be formatted; {self._log_end()}") from error

    def _cluster_id(self) -> str:
        return cluster_id() if self._node is None or not self._node.cluster_id else self._node.cluster_id

    def _launch(self, command: Sequence[str], *, lock: int) -> None:
        with self._java_log() as log:
            self._java = subprocess.Popen(
                [*command, "kafka.Kafka", str(self._data_dir / "server.properties")],
                cwd=self._data_dir,
                env=child_environment(self._env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for us; the broker is stopped last
                pass_fds=(lock,),
                umask=_OWNER_ONLY,
            )
        if self._guarded and hasattr(os, "pidfd_open"):
            self._guard = _guard(self._java.pid)

    def _keep_archive(self) -> None:
        if self._archive is not None:
            self._archive.keep()

    def _forget_process(self) -> None:
        if self._java is not None:
            self._java.wait()
        if self._guard is not None:
            self._guard.communicate()
        if self._archive is not None:
            self._archive.forget_written()
        self._java = self._guard = None

    def _java_log(self) -> BinaryIO:
        return (self._data_dir / "java.log").open("ab")

    def _log_end(self) -> str:
        names = ("server.log", "java.log")
        logs = [text for name in names if (text := last_lines(self._data_dir / name))]
        return f"the end of its logs in {self._data_dir}:\n" + "\n".join(logs)


def _guard(pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", broker_guard.__file__, str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _refuse_paths(*, data_dir: Path, cache_dir: Path) -> None:
    if "," in str(data_dir):
        raise ConfigError(f"the data folder {data_dir} has a comma in its name; Kafka would take it for two folders")
    if os.pathsep in str(cache_dir):
        raise ConfigError(f"the cache folder {cache_dir} has a colon in its name; Java would take it for two folders")
