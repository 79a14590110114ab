import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from fakes.canaries import found_among, found_in

PLAIN = "canary-4f1d2a"
HARD = 'kanári "☂"/+ 🐟?&'
FORMS: list[tuple[str, Callable[[str], bytes]]] = [
    ("UTF-8", str.encode),
    ("UTF-16", lambda text: text.encode("utf-16-le")),
    ("UTF-16", lambda text: text.encode("utf-16-be")),
    ("UTF-16", lambda text: text.encode("utf-16")),
    ("hexadecimal", lambda text: text.encode().hex().encode()),
    ("hexadecimal", lambda text: text.encode().hex().upper().encode()),
    ("base64", lambda text: base64.b64encode(text.encode())),
    ("base64", lambda text: base64.urlsafe_b64encode(b"1" + text.encode() + b"\xff\xfe")),
    ("percent-encoding", lambda text: "".join(f"%{byte:02x}" for byte in text.encode()).encode()),
    ("percent-encoding", lambda text: "".join(f"%{byte:02X}" for byte in text.encode()).encode()),
]
FORMS_OF_HARD: list[tuple[str, Callable[[str], bytes]]] = [
    ("percent-encoding", lambda text: quote(text).encode()),
    ("percent-encoding", lambda text: quote(text, safe="").encode()),
    ("percent-encoding", lambda text: quote(text, safe="").lower().encode()),
    ("percent-encoding", lambda text: quote_plus(text).encode()),
    ("a JSON string", lambda text: json.dumps({"secret": text}).encode()),
    ("a JSON string", lambda text: json.dumps({"secret": text}, ensure_ascii=False).encode()),
    ("a JSON string", lambda text: json.dumps({"secret": text}).replace("/", r"\/").encode()),
]


@pytest.mark.parametrize(("form", "written"), FORMS)
@pytest.mark.parametrize("canary", [PLAIN, HARD])
def test_a_canary_is_found_in_every_form(
    canary: str, form: str, written: Callable[[str], bytes], tmp_path: Path
) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"before " + written(canary) + b" after")
    assert found_in([tmp_path], ["not-in-there", canary]) == [f"{file}: canary 2 in {form}"]


@pytest.mark.parametrize(("form", "written"), FORMS_OF_HARD)
def test_a_canary_that_is_written_otherwise_in_a_url_or_in_json_is_found(
    form: str, written: Callable[[str], bytes]
) -> None:
    assert found_among([("here", written(HARD))], [HARD]) == [f"here: canary 1 in {form}"]


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("canary", ["12345678", "123456789", "1234567890"])
def test_base64_is_found_whatever_stands_around_the_canary(before: int, after: int, canary: str) -> None:
    text = base64.b64encode(b"\xff" * before + canary.encode() + b"\xff" * after)
    assert found_among([("here", text)], [canary]) == ["here: canary 1 in base64"]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 12, 13, 14, 64])
def test_a_canary_across_the_border_of_two_chunks_is_found(chunk_bytes: int, tmp_path: Path) -> None:
    file = tmp_path / "log"
    for before in range(2 * chunk_bytes + 2):
        file.write_bytes(b"x" * before + PLAIN.encode() + b"x" * 9)
        assert found_in([file], [PLAIN], chunk_bytes=chunk_bytes) == [f"{file}: canary 1 in UTF-8"]


def test_the_longest_form_is_found_across_the_border_too(tmp_path: Path) -> None:
    file = tmp_path / "log"
    written = "".join(f"%{byte:02X}" for byte in HARD.encode()).encode()
    for before in range(90, 110):
        file.write_bytes(b"x" * before + written)
        assert found_in([file], ["12345678", HARD], chunk_bytes=100) == [f"{file}: canary 2 in percent-encoding"]


def test_pieces_that_are_not_next_to_each_other_are_no_canary(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(PLAIN[:7].encode() + b"x" * 57 + PLAIN[7:].encode())
    assert found_in([file], [PLAIN], chunk_bytes=64) == []


def test_folders_are_searched_to_the_ground_and_each_place_is_told_once(tmp_path: Path) -> None:
    deep = tmp_path / "a" / ".hidden" / "b"
    deep.mkdir(parents=True)
    (deep / "one").write_text(f"{PLAIN} {PLAIN} {PLAIN.encode().hex()}")
    (tmp_path / "two").write_text(PLAIN)
    (tmp_path / "none").write_text(PLAIN[:-1])
    (tmp_path / "empty").touch()
    assert sorted(found_in([tmp_path], [PLAIN])) == [
        f"{deep / 'one'}: canary 1 in UTF-8",
        f"{deep / 'one'}: canary 1 in hexadecimal",
        f"{tmp_path / 'two'}: canary 1 in UTF-8",
    ]


def test_names_of_files_and_folders_are_searched(tmp_path: Path) -> None:
    named = tmp_path / f"for-{PLAIN}" / PLAIN.encode().hex()
    named.mkdir(parents=True)
    assert found_in([tmp_path], [PLAIN]) == [
        f"{named.parent}: canary 1 in UTF-8 in its name",
        f"{named}: canary 1 in hexadecimal in its name",
    ]


def test_links_are_followed_only_where_the_search_begins(tmp_path: Path) -> None:
    elsewhere, searched = tmp_path / "elsewhere", tmp_path / "searched"
    elsewhere.mkdir()
    searched.mkdir()
    (elsewhere / "log").write_text(PLAIN)
    (searched / "folder").symlink_to(elsewhere)
    (searched / "file").symlink_to(elsewhere / "log")
    (searched / "nowhere").symlink_to(elsewhere / "gone")
    found = [f"{elsewhere / 'log'}: canary 1 in UTF-8"]
    assert found_in([searched], [PLAIN]) == []
    assert found_in([searched / "folder"], [PLAIN]) == found
    assert found_in([searched / "file"], [PLAIN]) == found


def test_a_path_that_is_not_there_is_not_one_without_canaries(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        found_in([tmp_path / "gone"], [PLAIN])


@pytest.mark.parametrize("canary", ["", "1234567", "ééé"])
def test_a_canary_that_could_be_anything_is_refused(canary: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="canary 2 has"):
        found_in([tmp_path], [PLAIN, canary])


def test_without_canaries_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x" * 100)
    assert found_in([tmp_path], [], chunk_bytes=10) == []
