"""Makes `src/hookline/core/address_blocks.py` from IANA's registries, which lie beside it: `python infra/iana/generate.py`.

`ipv4-special.csv` and `ipv6-special.csv` are the registries of special-purpose addresses (with those of multicast and of
6to4); more specific blocks of the same kind are left out. `ipv6-unicast.csv` has the allocated blocks of global unicast. A
test says when the module is stale, and when the data is no longer what a newer library knows.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

_HERE = Path(__file__).parent
TARGET = _HERE.parents[1] / "src" / "hookline" / "core" / "address_blocks.py"
_TABLES = {
    "IPV4_SPECIAL": ("ipv4-special.csv", "Never public."),
    "IPV6_SPECIAL": ("ipv6-special.csv", "Never public, though inside what is allocated or may be."),
    "IPV6_ALLOCATED": ("ipv6-unicast.csv", "Nothing else of IPv6 is public."),
    "METADATA": (
        "metadata.csv",
        "What answers here hands out a cloud's credentials: refused whatever an operator allows.",
    ),
}


def main() -> None:
    """Write the module."""
    TARGET.write_text(made(), encoding="utf-8")


def made() -> str:
    """The module's text, as the tables say it is."""
    head = '"""Blocks of addresses. Made by `python infra/iana/generate.py` from the tables there; do not edit."""\n'
    return "\n".join([head, *(_table(name, file, text) for name, (file, text) in _TABLES.items())])


def _table(name: str, file: str, text: str) -> str:
    lines = "\n".join(f'    "{block}",  # {what}' for block, what, _ in _rows(file))
    return f"# {text}\n{name} = (\n{lines}\n)\n"


def _rows(file: str) -> Sequence[tuple[str, str, str]]:
    with (_HERE / file).open(encoding="utf-8", newline="") as lines:
        return [(row["block"], row["name"], row["source"]) for row in csv.DictReader(lines)]


if __name__ == "__main__":
    main()
