from collections.abc import Mapping
from typing import Any


def page(document: Mapping[str, Any]) -> str:
    return str(len(document))


def content_security_policy() -> str:
    return "default-src 'none'"
