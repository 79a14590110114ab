"""What the test of a generated client takes from a registry is exact, checked, and had from whatever registry a machine is set up for."""

import re

from fakes.python_client import FOLDER, LOCK

LOCKED = LOCK.read_text(encoding="utf-8")


def test_the_lock_file_has_a_hash_for_every_package_and_names_no_host() -> None:
    packages = re.split(r"\n(?=\S)", LOCKED.strip())
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert [word for word in ("--index-url", "--extra-index-url", "://") if word in LOCKED] == []


def test_the_lock_file_is_of_what_is_asked_for() -> None:
    asked = re.findall(r"^[a-z].*==.*$", (FOLDER / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    assert asked
    assert [each for each in asked if f"{each} " not in LOCKED] == []
