"""What an audit entry shows of its subject."""

import json
from collections.abc import Mapping
from typing import Any

_SECRETS = frozenset({"secret", "next_secret", "key", "token"})


def shown(subject: Mapping[str, Any]) -> str:
    """The subject as JSON, without what is shown once only."""
    public = {name: value for name, value in subject.items() if name not in _SECRETS}
    return json.dumps(
        public, ensure_ascii=False, separators=(",", ":")
    )  # escaped, it would be up to three times as long
