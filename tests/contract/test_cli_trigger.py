"""`hookline trigger` when the broker takes connections and says nothing, as a frozen one does."""

import socket
import time

import pytest

from fakes.api import Api
from fakes.configuration import short_settings
from hookline.cli.api_client import api_client
from hookline.cli.follow import followed
from hookline.schemas.errors import NotYet


async def test_a_frozen_broker_is_given_up_within_the_wait(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        settings = short_settings(f"127.0.0.1:{frozen.getsockname()[1]}", "t.")
        async with api_client(f"http://127.0.0.1:{api.port}", api.call.key) as client:
            started_s = time.monotonic()
            with pytest.raises(NotYet, match="the broker did not say yes"):
                await followed("order.created", api=client, settings=settings, account_id=api.account_id, wait_s=3)
    assert time.monotonic() - started_s < 15  # and not the publisher's own 30 s
