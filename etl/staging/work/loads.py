"""A load as a process in a session of its own: neither the worker's end nor its Ctrl-C reaches it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from etl.redaction import redact
from etl.staging.ledger.failures import cut
from etl.staging.ledger.values import Request

OUTPUT_BYTES = 8000
REFUSAL_CHARACTERS = 2000


@dataclass(frozen=True)
class Load:
    """`output`: a file without a name, so that a worker that is killed leaves nothing behind and breaks nothing."""

    request: Request
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    started: float = field(default_factory=time.monotonic)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; below zero the signal that killed it."""
        return self.process.poll()

    def tail(self) -> str:
        """The end of what it has printed."""
        descriptor = self.output.fileno()
        size = os.fstat(descriptor).st_size
        text = os.pread(descriptor, OUTPUT_BYTES, max(0, size - OUTPUT_BYTES)).decode(errors="replace")
        return redact(text).replace("\0", "")

    def refusal(self, exit_code: int) -> str:
        """What it said, without its log, before it ended without having begun."""
        lines = [line for line in self.tail().splitlines() if line.strip() and not line.startswith("{")]
        if exit_code < 0:
            return f"its process was ended by {signal.Signals(-exit_code).name} before the run began"
        return cut("\n".join(lines), REFUSAL_CHARACTERS) or f"its process ended with exit code {exit_code}"


def start_load(request: Request, config_dir: Path) -> Load:
    output = tempfile.TemporaryFile()  # noqa: SIM115 - the load's, until it has ended
    try:
        process = subprocess.Popen(
            command_of(request, config_dir),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except BaseException:
        output.close()
        raise
    return Load(request, process, output)


def command_of(request: Request, config_dir: Path) -> list[str]:
    """As somebody would type it."""
    run_id, asked = request.etl_run_id, request.parameters
    if request.action == "load":
        words = ["load", request.etl_job_id, "--run-id", run_id, "--batch-size", str(asked["batch_size"])]
        words += ["--force"] if asked["force"] else []
    else:
        words = ["retry", "--run", run_id]
    words += ["--request", str(request.id), "--log-format", "json", "--config-dir", str(config_dir)]
    return [sys.executable, "-m", "etl.staging", *words]
