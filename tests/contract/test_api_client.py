"""A client is generated from the OpenAPI document, and works: openapi-python-client, against a real API."""

import json
from pathlib import Path
from typing import Any

import pytest

from fakes.history import FAILED, FAILED_STEPS, MANY_REQUESTS, SUCCEEDED
from fakes.openapi import read_document
from fakes.python_client import FOLDER, generated, run
from fakes.served import served_api


@pytest.mark.timeout(240)  # the packages are installed the first time
def test_a_generated_client_calls_every_kind_of_operation(tmp_path: Path, cache_dir: Path) -> None:
    with served_api() as served:
        folders = generated(served.do(read_document), cache_dir=cache_dir, folder=tmp_path)
        history = served.api.history
        history.delivery_rows, history.step_rows = [SUCCEEDED, FAILED], {FAILED.delivery_id: FAILED_STEPS}
        history.numbers = MANY_REQUESTS
        told: Any = json.loads(run(folders, str(FOLDER / "calls.py"), URL=served.url, KEY=served.api.call.key))
    made = told["made"]
    assert (made["url"], made["events"], made["status"]) == ("https://example.com/hook", ["user.created"], "active")
    assert made["secret"].startswith("whsec_")
    assert told["again"] == made["id"]
    assert (told["stale"]["status"], told["stale"]["type"]) == (412, "urn:hookline:problem:changed-meanwhile")
    assert told["changed"] == ["for users", made["created_at"].replace("Z", "+00:00")]
    assert told["listed"] == [made["id"]]
    assert told["deliveries"] == ["SucceededDelivery", "FailedDelivery"]
    assert told["delivery"] == ["retrying", "no_longer_kept", ["failed"] * 3]
    assert told["event"] == ["order.completed", ["wh_1"]]
    assert told["numbers"] == [0.99, 480, {"status_5xx": 7, "timeout": 3}]
    assert told["deleted"] == 204
    assert (told["gone"]["status"], told["gone"]["request_id"][:4]) == (404, "req_")
