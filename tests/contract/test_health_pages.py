import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from hookline.runtime.health import build_health_app
from hookline.runtime.metrics import Metrics


@pytest.mark.parametrize(("said", "ready"), [(None, 1), ("the broker is silent", 0)])
async def test_the_metrics_say_whether_the_role_is_ready(said: str | None, ready: int) -> None:
    app = build_health_app(Metrics(CollectorRegistry()), alive=[], ready=[lambda: None, lambda: said])
    async with TestClient(TestServer(app)) as client:
        text = await (await client.get("/metrics")).text()
        status = (await client.get("/readyz")).status
    assert f"hookline_ready {ready}.0" in text
    assert (status == 200) is bool(ready)
