"""Tells Prometheus where a running `hookline up` is: `python infra/prometheus/targets.py .hookline/up.json OUTPUT`.

Standard library only, so that any Python can run it.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path


def main(up_file: Path, output: Path) -> None:
    """Write the roles of `up.json` in the shape that Prometheus's file_sd_configs reads."""
    up = json.loads(up_file.read_text(encoding="utf-8"))
    output.parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".{output.name}.{os.getpid()}")  # not *.json: Prometheus must not read half a file
    beside.write_text(json.dumps(targets(up["health"]), indent=2) + "\n", encoding="utf-8")
    beside.replace(output)


def targets(health: Mapping[str, str]) -> list[dict[str, object]]:
    """One group for each role, from role to the URL of its health pages."""
    return [{"targets": [url.partition("://")[2]], "labels": {"role": role}} for role, url in health.items()]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: targets.py UP_JSON OUTPUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
