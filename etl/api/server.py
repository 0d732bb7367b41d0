"""The process: uvicorn, which ends its streams at once when it is to end."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI

from etl.api.live.hub import Hub
from etl.config.urls import bracketed
from etl.errors import UsageError

GRACE_SECONDS = 10
"""For answers and downloads that are under way when it is to end."""


class PageServer(uvicorn.Server):
    """`proxies`: addresses whose X-Forwarded-* headers are believed; nobody's without any."""

    def __init__(self, app: FastAPI, hub: Hub, proxies: Sequence[str] = ()) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                timeout_graceful_shutdown=GRACE_SECONDS,
                # longer than a proxy's own, so that it never sends a request into a connection that is being closed
                timeout_keep_alive=75,
                lifespan="on",
                ws="none",
            )
        )
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.end_streams()
        await super().shutdown(sockets)


def listening(host: str, port: int) -> socket.socket:
    """Refuses what cannot be listened on before anything else is begun."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return _bound(family, address)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {bracketed(host)}:{port}: {error.strerror}; choose another --port"
        ) from error


def _bound(family: int, address: Any) -> socket.socket:
    held = socket.socket(family)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        held.listen(2048)
    except OSError:
        held.close()
        raise
    return held
