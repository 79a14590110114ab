"""A bare aiohttp client that posts the same signed body: what the dispatcher's rate is weighed against."""

import asyncio
import resource
import sys
import time

import aiohttp
import uvloop

from hookline.core.signing import Signer

_CONCURRENCY = 64  # more gains nothing against one receiver process
_BODY = b'{"event":"user.created","timestamp":"2023-06-20T14:15:30Z","data":{"id":"user_123","username":"1234567890123456789","email":"john@example.com","status":"active","created_at":"2023-06-20T14:15:30Z"}}'


async def main(url: str, requests: int) -> None:
    signer, numbers = Signer("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="), iter(range(requests))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def post() -> None:
            for number in numbers:
                headers = signer.headers(
                    delivery_id=f"delivery_{number:032x}", timestamp_s=int(time.time()), body=_BODY
                )
                async with session.post(url, data=_BODY, headers=headers) as response:
                    await response.read()

        started_s = time.monotonic()
        await asyncio.gather(*(post() for _ in range(_CONCURRENCY)))
        took_s = time.monotonic() - started_s
    usage = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(f"{requests / took_s} {(usage.ru_utime + usage.ru_stime) / requests * 1_000}\n")


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
