"""The project's documents and the examples in them."""

import re
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def documents() -> Sequence[Path]:
    """Every page, relative to the project's folder."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page.relative_to(ROOT) for page in found)


def blocks(page: Path, language: str) -> Sequence[str]:
    """The examples of a page in one language, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def python_blocks(page: Path) -> Sequence[str]:
    """The Python examples of a page, in order."""
    return blocks(page, "python")
