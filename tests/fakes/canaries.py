"""Looks for canaries, texts that a test made up, where they must not be: in files and in the records of topics.

Secrets leak in other forms than they were given in, so each is looked for in UTF-8, UTF-16, hexadecimal, base64 at each
of its three alignments, percent-encoding, and as a JSON string writes it. What is compressed is not opened, nor is base64
with line breaks in it. Kafka's files are compressed with lz4: a search of its data folder misses what lies in there, so
search the records themselves as well:

    assert found_in([data_dir, logs], canaries) == []
    assert found_among(records_of(bootstrap, topics), canaries) == []
"""

import base64
import io
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from confluent_kafka.admin import AdminClient

from fakes.kafka import read

_CANARY_BYTES_MIN = 8  # a shorter one could be anything, above all in base64
_CHUNK_BYTES = 1024 * 1024


class _Needle(NamedTuple):
    """One form of one canary. The canary is named by its number: a report is no place for a secret."""

    label: str
    content: bytes


def found_in(paths: Iterable[Path], canaries: Sequence[str], *, chunk_bytes: int = _CHUNK_BYTES) -> list[str]:
    """Where canaries are in these files and in all files below these folders, and in the names of what lies there.

    One line for each file, canary and form, such as `/tmp/x/log: canary 1 in base64`. Links are not followed; a file
    that goes away meanwhile is left out; a path that is not there is a FileNotFoundError.
    """
    needles = _needles(canaries)
    found = []
    for path in paths:
        root = path.resolve(strict=True)
        for below in _below(root):
            found += [f"{below}: {label} in its name" for label in _labels([os.fsencode(below.name)], needles)]
        for file in (root, *_below(root)):
            found += [f"{file}: {label}" for label in _labels(_chunks(file, chunk_bytes), needles)]
    return found


def found_among(contents: Iterable[tuple[str, bytes]], canaries: Sequence[str]) -> list[str]:
    """The same of named contents that are in memory, such as those of `records_of`."""
    needles = _needles(canaries)
    return [f"{name}: {label}" for name, content in contents for label in _labels([content], needles)]


def records_of(bootstrap: str, topics: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Every key and value that lies on the topics now, decompressed, each with the name of its place.

    Headers are left out: Hookline writes none. A topic that is not there is an AssertionError, not nothing found.
    """
    wanted = list(topics)
    missing = set(wanted) - set(AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=15).topics)
    assert not missing, f"there are no topics {sorted(missing)}"
    for record in read(bootstrap, *wanted):
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        yield f"{place} key", record.key or b""
        yield f"{place} value", record.value or b""


def _below(root: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(root, onerror=_unless_gone):
        folders.sort()
        yield from (Path(parent, name) for name in sorted([*folders, *files]))


def _unless_gone(error: OSError) -> None:
    """A folder that can't be read must not look like one in which there is nothing."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _chunks(path: Path, chunk_bytes: int) -> Iterator[bytes]:
    """What is in the file; of anything else (a folder, a link, a socket) nothing."""
    try:
        file = path.open("rb") if stat.S_ISREG(path.lstat().st_mode) else io.BytesIO()
    except FileNotFoundError:
        return
    with file:
        yield from iter(partial(file.read, chunk_bytes), b"")


def _labels(chunks: Iterable[bytes], needles: Sequence[_Needle]) -> Sequence[str]:
    """What was found, each once. The end of each chunk is kept, so that nothing hides between two."""
    kept_bytes = max((len(needle.content) for needle in needles), default=1) - 1
    found: dict[str, None] = {}
    kept = b""
    for chunk in chunks:
        window = kept + chunk
        found |= dict.fromkeys(each.label for each in needles if each.label not in found and each.content in window)
        kept = window[-kept_bytes:] if kept_bytes else b""
    return list(found)


def _needles(canaries: Sequence[str]) -> Sequence[_Needle]:
    for number, canary in enumerate(canaries, start=1):
        if len(canary.encode()) < _CANARY_BYTES_MIN:
            raise ValueError(f"canary {number} has {len(canary.encode())} bytes; it needs {_CANARY_BYTES_MIN} or more")
    return [
        _Needle(f"canary {number} in {form}", content)
        for number, canary in enumerate(canaries, start=1)
        for form, content in _forms(canary)
    ]


def _forms(canary: str) -> Iterator[tuple[str, bytes]]:
    raw = canary.encode()
    yield "UTF-8", raw
    yield from (("UTF-16", canary.encode(name)) for name in ("utf-16-le", "utf-16-be"))
    yield from (("hexadecimal", text.encode()) for text in (raw.hex(), raw.hex().upper()))
    for text in _base64(raw):
        yield from (("base64", each) for each in {text, text.translate(bytes.maketrans(b"+/", b"-_"))})
    yield from (("percent-encoding", text.encode()) for text in _percent(raw) if text != canary)
    yield from (("a JSON string", text.encode()) for text in _json(canary) if text != canary)


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that are the same whatever stands around `raw`: six bits each, so they begin in three ways."""
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + raw)
        yield text[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]


def _percent(raw: bytes) -> Iterator[str]:
    every = "".join(f"%{byte:02X}" for byte in raw)
    for text in {quote(raw, safe=""), quote(raw, safe="/"), quote(raw, safe="/:@!$&'()*+,;="), quote_plus(raw), every}:
        yield text
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def _json(canary: str) -> Iterator[str]:
    for is_ascii in (True, False):
        text = json.dumps(canary, ensure_ascii=is_ascii)[1:-1]
        yield from (text, text.replace("/", r"\/"))
