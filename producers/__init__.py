"""What source systems need: `from hookline.producers import Publisher, new_event`. The base installation has it all."""

from hookline.producers.publisher import Published, Publisher, new_event
from hookline.runtime.producer import Broken
from hookline.schemas.errors import ConfigError, ContractError, HooklineError, NotYet
from hookline.schemas.records import Event

__all__ = [
    "Broken",
    "ConfigError",
    "ContractError",
    "Event",
    "HooklineError",
    "NotYet",
    "Published",
    "Publisher",
    "new_event",
]
