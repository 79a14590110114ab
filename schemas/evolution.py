"""Whether a reader with a newer schema understands what an older one wrote.

Stricter than Avro in one point that Avro forgets: a decimal's scale is not in the bytes and not in the fingerprint, so
99.99 written at scale 2 would read as 0.9999 at scale 4.
"""

from collections.abc import Iterator

from hookline.schemas.shapes import REQUIRED, Choice, Fields, Many, Maybe, Money, Shape, Table, Whole


def obstacles(older: Shape, newer: Shape, *, path: str = "") -> Iterator[str]:
    """Why `newer` can't read what `older` wrote, a sentence each; none when it can."""
    match older, newer:
        case Fields(), Fields():
            yield from _field_obstacles(older, newer, path)
        case Many(), Many():
            yield from obstacles(older.item, newer.item, path=f"{path}[]")
        case Table(), Table():
            yield from obstacles(older.value, newer.value, path=f"{path}{{}}")
        case Maybe(), Maybe():
            yield from obstacles(older.of, newer.of, path=path)
        case _, Maybe():
            yield from obstacles(older, newer.of, path=path)
        case Money(), Money():
            yield from _money_obstacles(older, newer, path)
        case Choice(), Choice():
            yield from _choice_obstacles(older, newer, path)
        case Whole(), Whole() if older.bits <= newer.bits:
            return
        case _:
            if older != newer:
                yield f"{_named(path)} changed from {_kind(older)} to {_kind(newer)}"


def _field_obstacles(older: Fields, newer: Fields, path: str) -> Iterator[str]:
    if older.name != newer.name:
        yield f"{_named(path)} changed its name from {older.name} to {newer.name}"
    for field in newer.fields:
        here = f"{path}.{field.name}" if path else field.name
        before = older.field(field.name)
        if before is not None:
            yield from obstacles(before.shape, field.shape, path=here)
        elif field.default is REQUIRED:
            yield f"{here} is new and has no default"


def _money_obstacles(older: Money, newer: Money, path: str) -> Iterator[str]:
    if older.scale != newer.scale:
        yield f"{_named(path)} changed its scale from {older.scale} to {newer.scale}; money's scale never changes"
    if older.precision > newer.precision:
        yield f"{_named(path)} lost precision, from {older.precision} to {newer.precision} digits"


def _choice_obstacles(older: Choice, newer: Choice, path: str) -> Iterator[str]:
    if older.name != newer.name:
        yield f"{_named(path)} changed its enum's name from {older.name} to {newer.name}"
    lost = [symbol for symbol in older.symbols if symbol not in newer.symbols]
    if lost:
        yield f"{_named(path)} lost the words {', '.join(lost)}"


def _named(path: str) -> str:
    return path or "the record"


def _kind(shape: Shape) -> str:
    return type(shape).__name__.lower()
