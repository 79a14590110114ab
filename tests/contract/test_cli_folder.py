import json
import stat
from pathlib import Path

import pytest

from hookline.cli.up_account import kept_identity, kept_master_key
from hookline.cli.up_folder import DataFolder, UpFile, read_up_file, shown, write_private
from hookline.cli.up_ports import distinct
from hookline.core import apikeys
from hookline.schemas.errors import ConfigError, NotYet

UP = UpFile(
    api_url="http://127.0.0.1:1",
    api_key="hl_key",
    bootstrap_servers="127.0.0.1:2",
    topic_prefix="",
    account_id="acct_1",
    data_dir="/data",
    pids={"api": 1},
    health={"api": "http://127.0.0.1:3"},
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_up_json_is_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.write_up_file(UP)
    assert (mode(folder.up_file), read_up_file(tmp_path)) == (0o600, UP)
    assert [each.name for each in tmp_path.iterdir()] == ["up.json"]


def test_a_folder_where_nothing_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match=r"there is no .*up\.json"):
        read_up_file(tmp_path)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with (
        DataFolder(tmp_path).claimed(),
        pytest.raises(ConfigError, match=r"another `hookline up` \(process \d+\) uses"),
        DataFolder(tmp_path).claimed(),
    ):
        pytest.fail("two runs share a folder")


def test_a_folder_that_up_did_not_make_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with (
        pytest.raises(ConfigError, match=r"holds things that `hookline up` did not make, such as thesis\.txt"),
        DataFolder(tmp_path).claimed(),
    ):
        pytest.fail("a foreign folder was taken")
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_used_says_so_in_a_sentence(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    (tmp_path / "hookline-data").touch()
    (
        tmp_path / "lock"
    ).mkdir()  # what opening it for writing is answered in a folder that is read-only, too: an OSError
    with pytest.raises(ConfigError, match=r"the data folder .* cannot be used: Is a directory"), folder.claimed():
        pytest.fail("a lock that is a folder was opened")


def test_a_file_that_cannot_be_written_says_so_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"up\.json cannot be written: No such file or directory"):
        DataFolder(tmp_path / "gone").write_up_file(UP)


def test_a_path_is_shown_as_a_person_would_type_it() -> None:
    assert shown(Path.cwd() / ".hookline" / "logs") == ".hookline/logs"
    assert shown(Path("/var")) == "/var"


def test_a_fresh_start_removes_only_what_up_made(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.claimed():
        kept_identity(folder, now_ms=1)
        kept_master_key(folder.master_key)
        folder.log("api").parent.mkdir()
        (folder.path / "history.sqlite").write_bytes(b"")
        (folder.path / "notes.txt").write_text("mine")
        folder.clear()
    assert sorted(each.name for each in folder.path.iterdir()) == ["hookline-data", "lock", "notes.txt"]


def test_an_up_json_of_a_killed_run_is_removed_by_the_next(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.claimed():
        folder.write_up_file(UP)
    with folder.claimed():
        assert not folder.up_file.exists()


def test_account_key_and_master_key_are_made_once_and_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    identity, key = kept_identity(folder, now_ms=1), kept_master_key(folder.master_key)
    assert (kept_identity(folder, now_ms=2), kept_master_key(folder.master_key)) == (identity, key)
    assert (mode(folder.account), mode(folder.master_key)) == (0o600, 0o600)


def test_the_records_of_an_identity_prove_its_key(tmp_path: Path) -> None:
    identity = kept_identity(DataFolder(tmp_path), now_ms=1)
    account, key = identity.records()
    presented = apikeys.parse(identity.api_key)
    assert presented is not None
    assert apikeys.proves(presented, key)
    assert account.account_id == key.account_id == identity.account_id


@pytest.mark.parametrize("text", ["", "{", '{"account_id": 1}', "[]"])
def test_a_damaged_account_file_is_never_replaced(tmp_path: Path, text: str) -> None:
    folder = DataFolder(tmp_path)
    folder.account.write_text(text)
    with pytest.raises(ConfigError, match=r"account\.json cannot be read; restore it, or start over with --fresh"):
        kept_identity(folder, now_ms=1)
    assert folder.account.read_text() == text


def test_no_secret_is_in_the_text_of_an_identity(tmp_path: Path) -> None:
    identity = kept_identity(DataFolder(tmp_path), now_ms=1)
    kept = json.loads(DataFolder(tmp_path).account.read_text())
    assert not [name for name in ("api_key", "receiver_secret") if kept[name] in repr(identity)]


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    write_private(tmp_path / "file", "a long text")
    write_private(tmp_path / "file", "short")
    assert (tmp_path / "file").read_text() == "short"


def test_no_two_ports_are_alike() -> None:
    taken = {5}
    ports = [distinct(lambda seed: 5 + seed.count("#") + len(seed.partition("#")[2]), "seed", taken) for _ in range(1)]
    assert ports == [7]
    assert taken == {5, 7}
