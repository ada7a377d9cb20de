"""Middleware that slows answers down to a simulated network."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...pipeline.report.networks import Network

slice_bytes = 16_384


class Throttle:
    """Passes requests on and slows down the answers; all connections share the bandwidth."""

    def __init__(self, app: ASGIApp, network: Network, exempt: str) -> None:
        """Slow ``app`` down to ``network``, except below the path ``exempt``."""
        self._app = app
        self._network = network
        self._exempt = exempt
        self._free = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return

        async def slowly(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(self._network.latency)
                await send(message)
                return
            body = message.get("body", b"")
            for start in range(0, len(body), slice_bytes):
                part = body[start : start + slice_bytes]
                await self._turn(len(part))
                await send({**message, "body": part, "more_body": True})
            await send({**message, "body": b""})

        await self._app(scope, receive, slowly)

    async def _turn(self, count: int) -> None:
        now = asyncio.get_running_loop().time()
        self._free = max(now, self._free) + count / self._network.rate
        await asyncio.sleep(self._free - now)
