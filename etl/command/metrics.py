"""Prometheus metrics of a run: served while it goes, pushed or written to a file when it ends."""

from __future__ import annotations

from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, push_to_gateway, start_http_server, write_to_textfile

from etl.errors import UsageError

log = structlog.get_logger(__name__)


class RunMetrics:
    """What all tools do with their series; how a push is named is the tool's own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()

    def serve(self, port: int) -> None:
        """On every interface, as a scraper needs it: the metrics hold counts and names."""
        try:
            start_http_server(port, registry=self.registry)
        except OSError as error:
            told = error.strerror or error
            said = f"metrics cannot be served on port {port}: {told}; name a free one"
            raise UsageError(f"--metrics-port {port}: {said}") from error

    def push(self, gateway: str) -> None:
        """A gateway that is down fails no run."""
        job, grouping = self.pushed_as()
        try:
            push_to_gateway(gateway, job, self.registry, grouping)
        except Exception as error:  # noqa: BLE001 - of HTTP's libraries there are many; none decides a load
            log.warning("metrics not pushed", gateway=gateway, error=str(error))

    def write(self, path: Path) -> None:
        """For node_exporter's textfile collector; whole or not at all. A full disk fails no run."""
        try:
            write_to_textfile(str(path), self.registry)
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("metrics not written", path=str(path), error=str(error))

    def pushed_as(self) -> tuple[str, dict[str, str]]:
        """The gateway's job, and what else tells one run's series from another's."""
        raise NotImplementedError
