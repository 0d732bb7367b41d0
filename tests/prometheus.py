"""A real Prometheus with our alert rules, and a real Pushgateway that it scrapes: the machine's own, or Debian's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

from etl.project import PROJECT_DIR
from tests.debian import free_port, program, wait_until_open

RULES = PROJECT_DIR / "conf" / "prometheus"


@dataclass(frozen=True)
class Prometheus:
    """`gateway`: where one pushes to."""

    gateway: str
    port: int

    def values(self, query: str) -> list[float]:
        """One a series, at this moment."""
        found = self._get("query", query=query)
        if found["resultType"] == "scalar":
            return [float(found["result"][1])]
        return [float(series["value"][1]) for series in found["result"]]

    def rules(self) -> dict[str, dict[str, Any]]:
        """By name, with health and alerts."""
        return {rule["name"]: rule for group in self._get("rules")["groups"] for rule in group["rules"]}

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = httpx2.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters, timeout=10)
        told: dict[str, Any] = answer.json()
        assert told["status"] == "success", told
        data: dict[str, Any] = told["data"]
        return data


@contextmanager
def prometheus(folder: Path, scraped_ports: Sequence[int] = ()) -> Iterator[Prometheus]:
    """Asks each second. Skips the test where the programs cannot be had."""
    server, gateway = program("prometheus"), program("prometheus-pushgateway")
    port, gateway_port = free_port(), free_port()
    ports = {"pushed": [gateway_port], "scraped": list(scraped_ports)}
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(file) for file in sorted(RULES.glob("*.yaml"))],
        "scrape_configs": [
            {
                "job_name": name,
                "honor_labels": name == "pushed",
                "static_configs": [{"targets": [f"127.0.0.1:{each}" for each in found]}],
            }
            for name, found in ports.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with ExitStack() as stack:
        stack.enter_context(_running([gateway, f"--web.listen-address=127.0.0.1:{gateway_port}"], folder))
        wait_until_open(gateway_port, "the Pushgateway")
        options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}"]
        stack.enter_context(_running([server, *options], folder))
        wait_until_open(port, "Prometheus")
        yield Prometheus(f"127.0.0.1:{gateway_port}", port)


@contextmanager
def _running(command: list[Any], folder: Path) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen([*map(str, command)], cwd=folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)
