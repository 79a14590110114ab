"""What an API key may be used for."""

from enum import StrEnum


class Scope(StrEnum):
    """`write` includes `read`; `admin` includes both, in every account."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_INCLUDED = {
    Scope.READ: frozenset({Scope.READ, Scope.WRITE, Scope.ADMIN}),
    Scope.WRITE: frozenset({Scope.WRITE, Scope.ADMIN}),
    Scope.ADMIN: frozenset({Scope.ADMIN}),
}


def allows(scopes: str, wanted: Scope) -> bool:
    """Whether one of these scopes, separated by spaces, is enough for what wants this one."""
    return not _INCLUDED[wanted].isdisjoint(scopes.split())
