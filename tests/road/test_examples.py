"""The Python examples of README and guides that need a Kafka, each run as a reader would: a script of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fakes.documents import python_blocks
from fakes.kafka import make_topics, read
from fakes.road import CODEC
from hookline.core import apikeys
from hookline.schemas.records import Account, ApiKey
from hookline.schemas.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


def example(page: str, containing: str) -> str:
    (found,) = (block for block in python_blocks(Path(page)) if containing in block)
    return found


def run(code: str, folder: Path, **settings: str) -> str:
    """What the example prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    return kept | {f"HOOKLINE_{name.upper()}": value for name, value in settings.items()}


def test_the_readmes_ten_lines_publish_an_event(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    make_topics(bootstrap, Topics())  # the example has no prefix
    account_id = f"acct_{prefix}"
    (tmp_path / ".hookline").mkdir()
    (tmp_path / ".hookline" / "up.json").write_text(
        json.dumps({"bootstrap_servers": bootstrap, "account_id": account_id})
    )
    assert "topic='events.order'" in run(example("README.md", "publish"), tmp_path)
    events = [CODEC.decode_event(each.value) for each in read(bootstrap, "events.order")]
    assert [event.type for event in events if event.account_id == account_id] == ["order.completed"]


def test_the_guides_example_publishes_an_event(bootstrap: str, tmp_path: Path) -> None:
    make_topics(bootstrap, Topics())
    said = run(example("docs/guides/publishing.md", "publish"), tmp_path, bootstrap_servers=bootstrap)
    assert said.startswith("events.payment ")


def test_the_command_makes_an_account_and_a_key(bootstrap: str, prefix: str) -> None:
    topics = Topics(prefix)
    make_topics(bootstrap, topics)
    environment = {**os.environ, "HOOKLINE_BOOTSTRAP_SERVERS": bootstrap, "HOOKLINE_TOPIC_PREFIX": prefix}
    command = [sys.executable, "-m", "hookline", "accounts", "create", "Example", "--json"]
    printed = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60).stdout)
    account, record = (CODEC.decode_any(each.value) for each in read(bootstrap, topics.accounts))
    account_id, presented = printed["account_id"], apikeys.parse(printed["api_key"])
    assert isinstance(account, Account)
    assert isinstance(record, ApiKey)
    assert presented is not None
    assert account.account_id == record.account_id == account_id
    assert presented.key_id == record.key_id
    assert apikeys.proves(presented, record)
