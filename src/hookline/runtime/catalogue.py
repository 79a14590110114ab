"""Reads the folder of schemas: the one that comes with Hookline, and an operator's own beside it."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from hookline.schemas.catalogue import Catalogue
from hookline.schemas.errors import ConfigError, ContractError


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The packaged schemas and those in `extra`, laid out alike.

    Raises ConfigError when `extra` is no folder, ContractError naming the file that is wrong or that both have.
    """
    texts = dict(_texts_in(files("hookline.schemas") / "avro"))
    if extra is None:
        return Catalogue.from_texts(texts)
    if not extra.is_dir():
        raise ConfigError(f"the folder of further schemas, {extra}, is not there; it must hold <type>/<version>.avsc")
    for path, text in _texts_in(extra):
        if path in texts:
            raise ContractError(
                f"{path}: is in {extra} and in Hookline's own catalogue; a released version never changes"
            )
        texts[path] = text
    return Catalogue.from_texts(texts)


def _texts_in(folder: Traversable) -> Iterator[tuple[str, str]]:
    for schema in folder.iterdir():
        if not schema.is_dir():
            continue
        for version in schema.iterdir():
            if version.name.endswith(".avsc"):
                yield f"{schema.name}/{version.name}", version.read_text(encoding="utf-8")
