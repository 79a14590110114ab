"""The data folder of `hookline up`: whose it is, who uses it now, and what is in it."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hookline.schemas.errors import ConfigError, NotYet

_MARKER = "hookline-data"
_OURS = (
    "logs",
    "account.json",
    "master.key",
    "receiver.secret",
    "up.json",
)  # the broker's folder is erased by the broker
_HISTORY = ("history.sqlite", "history.sqlite-wal", "history.sqlite-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpFile:
    """`up.json`: what a script needs to use a running `hookline up`."""

    api_url: str
    api_key: str = field(repr=False)
    bootstrap_servers: str
    topic_prefix: str
    account_id: str
    data_dir: str
    pids: Mapping[str, int]
    health: Mapping[str, str]
    receiver_url: str | None = None


class DataFolder:
    """One folder, absolute. Nothing is touched before `claimed`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broker = path / "broker"
        self.account = path / "account.json"
        self.master_key = path / "master.key"
        self.receiver_secret = path / "receiver.secret"
        self.roles_lock = path / "roles.lock"
        self.up_file = path / "up.json"

    def log(self, name: str) -> Path:
        """Where a process writes what it has to say."""
        return self.path / "logs" / f"{name}.log"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Have the folder for ourselves while the block runs; ConfigError if it is another's or in use."""
        descriptor = self._opened()
        try:
            _take(descriptor, self.path)
            self.remove_up_file()  # of a run that was killed
            yield
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """Remove what `up` made here, the broker's folder apart."""
        for name in (*_OURS, *_HISTORY):
            found = self.path / name
            if found.is_dir():
                shutil.rmtree(found)
            else:
                found.unlink(missing_ok=True)

    def write_up_file(self, content: UpFile) -> None:
        """Say that all is ready, and where."""
        write_private(self.up_file, json.dumps(asdict(content), indent=2) + "\n")

    def remove_up_file(self) -> None:
        """Say that nothing runs here."""
        self.up_file.unlink(missing_ok=True)

    def _opened(self) -> int:
        try:
            self._make_ours()
            return os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"the data folder {self.path} cannot be used: {error.strerror}") from error

    def _make_ours(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.path / _MARKER).is_file():
            _refuse_foreign(self.path)
            (self.path / _MARKER).write_text("Made by `hookline up`.\n", encoding="utf-8")


def shown(path: Path) -> str:
    """A path as a person would type it: from where they are, if that is shorter."""
    return min(os.path.relpath(path), str(path), key=len)


def read_up_file(data_dir: Path) -> UpFile:
    """What a running `hookline up` says of itself; NotYet if none runs there."""
    path = DataFolder(data_dir).up_file
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return UpFile(**found)
    except FileNotFoundError as error:
        raise NotYet(f"there is no {path}; `hookline up` writes it once all is ready") from error
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read; it must be as `hookline up` wrote it") from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read (mode 0600), whole or not at all; ConfigError says why not."""
    try:
        _write_whole(path, text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def _write_whole(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _refuse_foreign(path: Path) -> None:
    found: Sequence[str] = sorted(each.name for each in path.iterdir())
    if found:
        raise ConfigError(
            f"{path} holds things that `hookline up` did not make, such as {found[0]}; name an empty or a new folder"
        )


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        raise ConfigError(
            f"another `hookline up` (process {holder}) uses {path}; stop it or name another folder"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
