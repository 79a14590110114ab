"""Errors say who acts.

HooklineError
├── ConfigError     the operator changes a setting; the process stops with exit code 2
├── ContractError   nobody can: the record can't be read or written; it goes to dead letters, or the caller gets it back
│   ├── TooLarge    its topic takes no record of this size: a smaller one may be written in its place
│   └── UnknownSchema  it is framed as ours are, with a schema that this release lacks: a newer one reads it
└── NotYet          we do, later: the broker is down, a queue is full, the store is busy

What an endpoint does is no error at all: it is a value that `core.verdict.judge` reads.
They live in `schemas` because that is the lowest layer, and the codec raises one of them.
"""


class HooklineError(Exception):
    """The root of everything Hookline raises on purpose."""


class ConfigError(HooklineError):
    """A setting or a command's argument is wrong. The message names it, what was found and what was wanted."""


class ContractError(HooklineError):
    """A record breaks its schema or a limit, today and for ever. The message never holds the payload."""


class TooLarge(ContractError):  # noqa: N818 - a fact about the record, and its message says the error
    """The topic takes no record of this size. What is written in its place must be smaller: no payload, no answer's body."""


class UnknownSchema(ContractError):  # noqa: N818 - a fact about the record, and its message says the error
    """The record is framed like ours, and this release lacks its schema. On our own topics a newer release wrote it: it must not be lost."""


class NotYet(HooklineError):  # noqa: N818 - it is a "not yet", not a failure
    """Something outside is not there now. Trying again later is right, and nothing was lost."""
