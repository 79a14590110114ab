"""`hookline up` as a person or a script runs it: a process of its own in a folder of its own."""

import contextlib
import json
import os
import signal
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest

from fakes.up import READY_S, STOP_S, Up, environment, eventually, hookline, upped

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


def processes_of(folder: Path) -> list[str]:
    """Every process, however far removed, whose arguments or environment name the folder."""
    return [found.name for found in Path("/proc").glob("[0-9]*") if _names(found, str(folder).encode())]


def _names(process: Path, text: bytes) -> bool:
    if process.name == str(os.getpid()):
        return False
    with contextlib.suppress(OSError):
        return text in (process / "cmdline").read_bytes() or text in (process / "environ").read_bytes()
    return False


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    return environment()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    with upped(folder / "data", folder / "screen", "--rate", "20", env=env) as running:
        running.wait_ready()
        yield running


def test_a_first_webhook_is_verified_and_said_so(up: Up) -> None:
    said = eventually(lambda: [line for line in up.screen.read_text().splitlines() if "first verified" in line], 60)
    print(said[0].strip())


def test_up_json_has_what_a_script_needs_for_its_owner_only(up: Up) -> None:
    found = up.file
    assert stat.S_IMODE((up.folder / "up.json").stat().st_mode) == 0o600
    assert found.keys() >= {"api_url", "api_key", "bootstrap_servers", "account_id", "data_dir", "pids", "health"}
    assert found["pids"].keys() >= {"api", "fanout", "dispatcher", "history", "replay", "receiver", "demo-source"}
    assert all(Path(f"/proc/{pid}").exists() for pid in found["pids"].values())


def test_topics_history_and_logs_are_for_their_owner_only(up: Up) -> None:
    segments = up.folder.glob("broker/**/0*.log")  # if the broker is our own
    found = [*up.folder.glob("history.sqlite*"), *up.folder.glob("logs/*.log"), *segments]
    assert {each.name for each in found} >= {"history.sqlite", "api.log", "history.log", "dispatcher.log"}
    assert {stat.S_IMODE(each.stat().st_mode) for each in found} == {0o600}


def test_every_role_says_that_it_is_ready(up: Up) -> None:
    for url in up.file["health"].values():
        with urlopen(f"{url}/readyz", timeout=30) as answer:  # noqa: S310 - http on this machine
            assert answer.status == 200


def test_the_receiver_is_a_webhook_like_any_other(up: Up) -> None:
    webhooks = up.get("/webhooks")["webhooks"]
    assert [(each["url"], len(each["events"])) for each in webhooks] == [(f"{up.file['receiver_url']}/", 8)]


def test_trigger_tells_what_became_of_one_event(up: Up, env: dict[str, str]) -> None:
    run = hookline("trigger", "payment.failed", "--data-dir", str(up.folder), "--json", env=env)
    assert run.returncode == 0, run.stderr
    assert [(each["status"], each["response_code"]) for each in json.loads(run.stdout)] == [("succeeded", 200)]


def test_an_unknown_event_type_is_one_sentence(up: Up, env: dict[str, str]) -> None:
    run = hookline("trigger", "order.eaten", "--data-dir", str(up.folder), env=env)
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "order.eaten" in run.stderr


def test_lines_are_published_for_the_account_of_up(up: Up, env: dict[str, str], tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    data = {"id": "user_1", "username": "ada", "deleted_at": "2023-06-20T14:20:00Z"}
    lines.write_text(json.dumps({"event": "user.deleted", "timestamp": "2023-06-20T14:20:00Z", "data": data}) + "\n{\n")
    run = hookline("produce", str(lines), "--data-dir", str(up.folder), env=env)
    assert (run.returncode, run.stdout) == (1, "1 of 2 events published\n")
    assert run.stderr.startswith("line 2: ")


def test_a_second_up_on_the_same_folder_is_refused(up: Up, env: dict[str, str]) -> None:
    run = hookline("up", "--data-dir", str(up.folder), env=env)
    assert run.returncode == 2
    assert f"another `hookline up` (process {up.process.pid}) uses {up.folder}" in run.stderr


def test_a_port_in_use_is_one_sentence(up: Up, env: dict[str, str], tmp_path: Path) -> None:
    port = up.file["api_url"].rpartition(":")[2]
    run = hookline("up", "--data-dir", str(tmp_path / "data"), "--api-port", port, env=env)
    assert run.returncode == 2
    assert run.stderr == (
        f"hookline: port {port} on 127.0.0.1 is in use by another program; choose another for the API with --api-port"
        " (0: any that is free)\n"
    )


@pytest.mark.parametrize("role", ["dispatcher", "fanout", "api", "receiver", "demo-source"])
def test_a_killed_process_is_started_again_and_the_road_goes_on(up: Up, env: dict[str, str], role: str) -> None:
    killed = up.file["pids"][role]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: up.file["pids"].get(role, killed) != killed, 30)
    assert f"{role} was ended by signal 9" in up.screen.read_text()
    eventually(lambda: _triggered(up, env) == ["succeeded"], 60)


def test_up_stops_whole_and_the_next_keeps_account_and_key(env: dict[str, str], tmp_path: Path) -> None:
    folder, screen = tmp_path / "data", tmp_path / "screen"
    with upped(folder, screen, env=env) as first:
        first.wait_ready()
        before = first.file
        assert first.stop() == 0
    assert processes_of(folder) == []
    assert not (folder / "up.json").exists()
    with upped(folder, screen, "--no-demo", env=env) as second:
        second.wait_ready()
        assert (second.file["account_id"], second.file["api_key"]) == (before["account_id"], before["api_key"])
        assert [each["status"] for each in second.get("/webhooks")["webhooks"]] == ["paused"]
        second.process.kill()
        eventually(lambda: processes_of(folder) == [], 60)


@pytest.mark.parametrize(
    ("said", "asked", "status"),
    [("Hookline ", signal.SIGINT, 130), ("Topics ", signal.SIGTERM, 143)],
)
def test_up_that_is_stopped_before_all_was_ready_is_no_success(
    env: dict[str, str], tmp_path: Path, said: str, asked: signal.Signals, status: int
) -> None:
    with upped(tmp_path / "data", tmp_path / "screen", "--no-demo", env=env) as early:
        eventually(lambda: said in early.screen.read_text(), READY_S)
        early.process.send_signal(asked)
        assert early.process.wait(STOP_S) == status, early.screen.read_text()
    assert processes_of(tmp_path / "data") == []


def _triggered(up: Up, env: Mapping[str, str]) -> list[str]:
    """What became of one more event; nothing if a process was just away."""
    run = hookline("trigger", "user.created", "--data-dir", str(up.folder), "--json", env=env)
    return [each["status"] for each in json.loads(run.stdout)] if run.returncode == 0 else []
