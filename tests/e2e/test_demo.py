"""`make demo`: the page with everything behind it, and nothing left when it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from etl.project import PROJECT_DIR

pytestmark = [pytest.mark.stack, pytest.mark.slow]

TOLD = re.compile(r"(http://127\.0\.0\.1:\d+)(/etl/data-loader/\S+).*?user +(\S+).*?password +(\S+)", re.DOTALL)
PATIENCE_SECONDS = 300


def test_a_load_is_under_way_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    # PostgreSQL, which refuses root, reaches its data as another user
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    folder, output = tmp_path / "demo", tmp_path / "output"
    command = [sys.executable, "-m", "etl.api.demo", "--no-browser", "--folder", str(folder)]
    with output.open("wb") as file:
        demo = subprocess.Popen(command, cwd=PROJECT_DIR, stdout=file, stderr=file, start_new_session=True)
    try:
        told = until(lambda: TOLD.search(output.read_text()), demo)
        address, path, name, password = told.groups()
        with httpx2.Client(base_url=address) as client:
            job, run = sign_in(client, path, name, password)
            until(lambda: has_retried_and_failed(client, run), demo)
            assert client.get(f"/api/runs/{run}").json()["metrics"]["rows_invalid"] > 0
            history = client.get(f"/api/jobs/{job}/runs").json()["runs"]
            assert [each["status"] for each in history[1:]] == ["success"]
            assert client.get("/api/jobs").json()["total"] > 2000
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(120)
    assert demo.returncode == 130, output.read_text()
    assert not folder.exists()
    assert [
        each.cmdline() for each in psutil.process_iter(["cmdline"]) if str(folder) in str(each.info["cmdline"])
    ] == []


def sign_in(client: httpx2.Client, path: str, name: str, password: str) -> tuple[str, str]:
    """The job and the run that the printed address shows."""
    token = client.get("/api/session").json()["csrf_token"]
    given = {"name": name, "password": password}
    answer = client.post("/api/session", headers={"X-CSRF-Token": token}, json=given)
    assert answer.json()["user"] == {"name": "demo", "role": "operator"}
    job, run = path.split("/")[-2:]
    return job, run


def has_retried_and_failed(client: httpx2.Client, run: str) -> bool:
    metrics = client.get(f"/api/runs/{run}").json()["metrics"]
    return bool(metrics["retries"] and metrics["batches_failed"])


def until(found: Callable[[], Any], demo: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert demo.poll() is None
        if value := found():
            return value
        time.sleep(0.5)
    raise TimeoutError
