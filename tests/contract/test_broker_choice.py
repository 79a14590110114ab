import re
import threading
from pathlib import Path

import pytest

from hookline.runtime.broker import ConfiguredKafka, choose_broker, choose_kind, prepare_broker
from hookline.runtime.broker_docker import IMAGE, DockerKafka, container_settings
from hookline.runtime.broker_files import shipped
from hookline.runtime.broker_jars import KAFKA_VERSION, fetch_jars
from hookline.runtime.broker_java import child_environment, find_java
from hookline.runtime.broker_node import Node, Ports, Proxied, free_port, properties
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.schemas.errors import ConfigError

_COMPOSE = Path(__file__).parents[2] / "infra" / "compose.yaml"
_MAVEN = """
for argument in "$@"; do case $argument in -DoutputDirectory=*) out=${argument#*=};; esac; done
/bin/mkdir -p "$out"; echo jar > "$out/kafka.jar"; echo run >> "$RUNS"
"""
_FAILING_MAVEN = "echo '[ERROR] Could not transfer from https://user:pass@mirror.example/maven'; exit 1"


def test_a_configured_kafka_comes_first(tmp_path: Path) -> None:
    env = _programs(tmp_path, docker="exit 0")
    broker = choose_broker(
        bootstrap_servers="kafka:9092", data_dir=tmp_path, cache_dir=tmp_path, env=env, say=_say_nothing
    )
    assert isinstance(broker, ConfiguredKafka)
    assert (broker.bootstrap_servers, broker.pid, broker.running) == ("kafka:9092", None, True)


def test_docker_comes_second_if_its_daemon_answers(tmp_path: Path) -> None:
    env = _programs(tmp_path, docker="exit 0")
    broker = choose_broker(bootstrap_servers="", data_dir=tmp_path, cache_dir=tmp_path, env=env, say=_say_nothing)
    assert isinstance(broker, DockerKafka)


@pytest.mark.parametrize("docker", ["exit 1", "exec /bin/sleep 30"])
def test_kafkas_jars_come_last(tmp_path: Path, docker: str) -> None:
    env = _programs(tmp_path, docker=docker)
    broker = choose_broker(bootstrap_servers="", data_dir=tmp_path, cache_dir=tmp_path, env=env, say=_say_nothing)
    assert isinstance(broker, EmbeddedKafka)


@pytest.mark.parametrize(("first", "then"), [("exit 1", "exit 0"), ("exit 0", "exit 0")])
def test_a_data_folder_stays_with_its_kind(tmp_path: Path, first: str, then: str) -> None:
    def chosen(docker: str) -> type:
        env = _programs(tmp_path, docker=docker)
        return type(
            choose_broker(bootstrap_servers="", data_dir=tmp_path, cache_dir=tmp_path, env=env, say=_say_nothing)
        )

    assert chosen(first) is chosen(then)


def test_data_in_docker_without_docker_is_a_clear_error(tmp_path: Path) -> None:
    env = _programs(tmp_path, docker="exit 0")
    choose_broker(bootstrap_servers="", data_dir=tmp_path, cache_dir=tmp_path, env=env, say=_say_nothing)
    with pytest.raises(ConfigError, match="is a Docker volume and no daemon answers: start Docker"):
        choose_kind(bootstrap_servers="", data_dir=tmp_path, env={"PATH": ""})


def test_without_java_and_maven_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare_broker(bootstrap_servers="", data_dir=tmp_path, cache_dir=tmp_path, env={"PATH": ""}, say=_say_nothing)
    assert str(caught.value) == (
        "no Kafka to run on: install Java 17 or newer and Maven, or start Docker,"
        " or set HOOKLINE_BOOTSTRAP_SERVERS to a Kafka you have"
    )


def test_without_java_the_embedded_kafka_does_not_start(tmp_path: Path) -> None:
    (tmp_path / f"kafka-{KAFKA_VERSION}" / "libs").mkdir(parents=True)
    broker = EmbeddedKafka(data_dir=tmp_path / "kafka", cache_dir=tmp_path, env={"PATH": ""}, say=_say_nothing)
    with pytest.raises(ConfigError, match="install Java 17 or newer, or start Docker"):
        broker.start()


@pytest.mark.parametrize("version", ['openjdk version "11.0.2"', 'java version "1.8.0_392"', "no Java at all"])
def test_an_old_java_is_none(tmp_path: Path, version: str) -> None:
    with pytest.raises(ConfigError, match="install Java 17 or newer,"):
        find_java(_programs(tmp_path, java=f"echo '{version}' >&2"))


@pytest.mark.parametrize("version", ["17", "17.0.15", "21-ea", "25.0.2"])
def test_a_recent_java_is_found(tmp_path: Path, version: str) -> None:
    env = _programs(
        tmp_path, java=f"""echo 'Picked up JAVA_TOOL_OPTIONS: -Da=b' >&2; echo 'x version "{version}"' >&2"""
    )
    assert find_java(env).version == version


def test_java_home_goes_before_the_path(tmp_path: Path) -> None:
    home = _programs(tmp_path / "home", java="""echo 'version "21"' >&2""")
    env = _programs(tmp_path / "path", java="""echo 'version "17"' >&2""")
    assert find_java(env | {"JAVA_HOME": str(Path(home["PATH"]).parent)}).version == "21"


def test_a_java_process_sees_no_setting_of_ours() -> None:
    assert "HOOKLINE_MASTER_KEYS" not in child_environment({"HOOKLINE_MASTER_KEYS": "a", "PATH": "/bin"})


def test_two_fetches_at_once_are_one(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    env = _programs(tmp_path, java="""echo 'version "17"' >&2""", mvn=_MAVEN) | {"RUNS": str(runs)}
    fetch = {"cache_dir": tmp_path / "cache", "env": env, "say": _say_nothing}
    threads = [threading.Thread(target=fetch_jars, kwargs=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    libs = fetch_jars(cache_dir=tmp_path / "cache", env={}, say=_say_nothing)
    assert ([jar.name for jar in libs.iterdir()], runs.read_text()) == (["kafka.jar"], "run\n")


def test_a_fetch_that_failed_leaves_nothing_and_tells_no_password(tmp_path: Path) -> None:
    env = _programs(tmp_path, java="""echo 'version "17"' >&2""", mvn=_FAILING_MAVEN)
    with pytest.raises(ConfigError, match=r"Could not transfer from https://mirror\.example/maven"):
        fetch_jars(cache_dir=tmp_path / "cache", env=env, say=_say_nothing)
    assert [path.name for path in (tmp_path / "cache" / f"kafka-{KAFKA_VERSION}").iterdir()] == ["fetch.lock"]


def test_every_way_runs_the_same_kafka() -> None:
    assert f"<version>{KAFKA_VERSION}</version>" in shipped("pom.xml")
    assert f"image: {IMAGE}\n" in _COMPOSE.read_text()


def test_compose_has_the_settings_of_the_embedded_broker() -> None:
    written = dict(re.findall(r'^      (KAFKA_\w+): "(.*)"$', _COMPOSE.read_text(), re.MULTILINE))
    assert written == container_settings(9092) | {"KAFKA_HEAP_OPTS": "-Xmx256m"}


def test_a_container_listens_on_the_port_that_it_says() -> None:
    settings = container_settings(9093)
    assert settings["KAFKA_LISTENERS"] == "PLAINTEXT://0.0.0.0:9093,CONTROLLER://127.0.0.1:9094"
    assert settings["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:9093"


def test_the_embedded_broker_listens_on_loopback_only() -> None:
    lines = properties(Node(ports=Ports(20_001, 20_002), log_dir="/data")).splitlines()
    assert "listeners=PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002" in lines
    assert "controller.quorum.voters=1@127.0.0.1:20002" in lines


def test_one_of_three_nodes_keeps_three_copies_and_waits_for_two() -> None:
    lines = properties(Node(ports=Ports(1, 2), log_dir="/data", node_id=3, voters="1@a:2", replicas=3)).splitlines()
    assert {"node.id=3", "controller.quorum.voters=1@a:2"} <= set(lines)
    assert {"default.replication.factor=3", "offsets.topic.replication.factor=3", "min.insync.replicas=2"} <= set(lines)


def test_clients_behind_a_proxy_are_told_the_proxys_port() -> None:
    lines = properties(Node(ports=Ports(1, 2), log_dir="/data", proxied=Proxied(listen=3, advertised=4))).splitlines()
    assert "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2,PROXIED://127.0.0.1:3" in lines
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:1,PROXIED://127.0.0.1:4" in lines


def test_a_folder_with_unusual_letters_is_written_as_java_reads_it() -> None:
    assert r"log.dirs=/a\\b \u00e9\ud83d\ude00" in properties(Node(ports=Ports(1, 2), log_dir="/a\\b é😀"))


def test_the_same_seed_has_the_same_free_port_unless_it_is_taken() -> None:
    port = free_port("a folder")
    assert free_port("a folder") == port
    assert free_port("a folder", taken=port) != port


def _programs(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH has just these programs."""
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return {"PATH": str(programs)}


def _say_nothing(text: str) -> None:
    """Progress is of no interest here."""
