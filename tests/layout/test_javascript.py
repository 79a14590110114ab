"""What tests take from npm is exact, checked, and had from whatever registry a machine is set up for."""

import json
import re

from fakes.javascript import FOLDER

PACKAGE = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
LOCK_TEXT = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
LOCK = json.loads(LOCK_TEXT)


def test_versions_are_exact() -> None:
    versions = PACKAGE["dependencies"].values()
    assert [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_the_lock_file_is_of_this_package_file() -> None:
    assert LOCK["packages"][""]["dependencies"] == PACKAGE["dependencies"]


def test_the_lock_file_has_a_hash_for_every_package_and_names_no_host() -> None:
    packages = [package for place, package in LOCK["packages"].items() if place]
    assert [package for package in packages if not package["integrity"].startswith("sha512-")] == []
    assert [word for word in ("resolved", "://") if word in LOCK_TEXT] == []
