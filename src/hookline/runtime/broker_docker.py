"""Apache Kafka as a container, where a Docker daemon answers. The same settings as the embedded one's."""

import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from hookline.runtime.broker_jars import KAFKA_VERSION
from hookline.runtime.broker_node import HOST, Node, Ports, container_environment, require_free, settle_ports
from hookline.runtime.broker_probe import answers, wait_for
from hookline.schemas.errors import ConfigError, NotYet

IMAGE = f"apache/kafka:{KAFKA_VERSION}"  # as in infra/compose.yaml
_DATA = "/var/lib/kafka/data"  # a volume of the image that its user may write to
_ASK_S = 2.0  # a daemon on this machine answers in 0.1 s
_COMMAND_S = 60.0
_PULL_S = 900.0  # 400 MB
_START_S = 120.0


def docker_answers(env: Mapping[str, str]) -> bool:
    """Whether there is a docker client and its daemon answers within 2 s."""
    docker = shutil.which("docker", path=env.get("PATH", ""))
    if docker is None:
        return False
    try:
        command = [docker, "version", "--format", "{{.Server.Version}}"]
        subprocess.run(
            command, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=_ASK_S
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


class DockerKafka:
    """One Kafka in a container, reachable on 127.0.0.1 only; its data is in a volume that the data folder names."""

    def __init__(self, *, data_dir: Path, env: Mapping[str, str], say: Callable[[str], None], port: int = 0) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._env = env
        self._say = say
        self._wanted_port = port
        self._ports: Ports | None = None
        self._name = f"hookline-kafka-{_token(self._data_dir / 'volume')}"

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; known once it was started."""
        if self._ports is None:
            raise NotYet("the Kafka container has no address before its first start")
        return f"{HOST}:{self._ports.client}"

    @property
    def pid(self) -> None:
        """A container is no process of ours."""
        return

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        try:
            return self._docker("inspect", "--format", "{{.State.Running}}", self._name).strip() == "true"
        except ConfigError:
            return False

    def start(self) -> None:
        """Return when a client can talk to it; ConfigError with Docker's words, NotYet when time runs out."""
        if self._ports is not None and self.running:
            return
        self._remove()  # what a run that was killed left behind; the data is in the volume
        ports = self._settle_ports()
        self._pull()
        self._say(f"starting Apache Kafka in Docker on {self.bootstrap_servers}")
        try:
            self._docker(*self._run_arguments(ports))
            self._await_answer()
        except BaseException:
            self._remove()
            raise

    def stop(self) -> None:
        """End the container; its volume stays."""
        with suppress(ConfigError):
            self._docker("stop", "--time", "20", self._name)
        self._remove()

    def erase(self) -> None:
        """Stop it and remove its data, for a fresh start."""
        self.stop()
        with suppress(ConfigError):
            self._docker("volume", "rm", "--force", self._name)
        shutil.rmtree(self._data_dir, ignore_errors=True)

    def _settle_ports(self) -> Ports:
        if self._ports is None:
            self._ports = settle_ports(self._data_dir, wanted=self._wanted_port)
        require_free(self._ports.client)
        return self._ports

    def _pull(self) -> None:
        try:
            self._docker("image", "inspect", IMAGE)
        except ConfigError:
            self._say(f"fetching the image {IMAGE} (once)")
            self._docker("pull", "--quiet", IMAGE, timeout_s=_PULL_S)

    def _run_arguments(self, ports: Ports) -> list[str]:
        published = f"{HOST}:{ports.client}:{ports.client}"
        environment = container_settings(ports.client) | {"KAFKA_HEAP_OPTS": "-Xmx256m"}
        variables = [text for name, value in environment.items() for text in ("--env", f"{name}={value}")]
        place = ["--publish", published, "--volume", f"{self._name}:{_DATA}"]
        return ["run", "--detach", "--name", self._name, *place, *variables, IMAGE]

    def _await_answer(self) -> None:
        answered = wait_for(lambda: answers(self.bootstrap_servers) or not self.running, deadline_s=_START_S)
        if not self.running:
            raise ConfigError(
                f"the Kafka container ended while it started: {self._docker('logs', '--tail', '5', self._name)}"
            )
        if not answered:
            raise NotYet(f"the Kafka container did not answer within {_START_S:.0f} s")

    def _remove(self) -> None:
        with suppress(ConfigError):
            self._docker("rm", "--force", self._name)

    def _docker(self, *arguments: str, timeout_s: float = _COMMAND_S) -> str:
        command = ["docker", *arguments]
        try:
            run = subprocess.run(
                command,
                env=dict(self._env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=timeout_s,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigError(f"docker {arguments[0]} failed: {_reason(error)}") from error
        return run.stdout.decode(errors="replace")


def container_settings(port: int) -> dict[str, str]:
    """The container's variables when its broker is published on this port.

    It listens on the same port inside, for it also connects to itself where it says it is (transactions do).
    """
    ports = Ports(client=port, controller=_controller_port(port))
    return container_environment(Node(ports=ports, log_dir=_DATA, listen=f"0.0.0.0:{port}"))


def _controller_port(port: int) -> int:
    """Any other port: it is seen inside the container only."""
    return 9093 if port != 9093 else 9094


def _token(path: Path) -> str:
    """The part of the volume's name that is drawn once per data folder: a new folder never finds the data of an old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(secrets.token_hex(4), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said: str = error.stderr.decode(errors="replace").strip()
        return said[-300:]
    return type(error).__name__
