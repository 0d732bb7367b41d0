"""A real nginx before a server of the tests: the machine's own, or Debian's unpacked."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.debian import free_port, program, wait_until_open

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
{location}
    }}
}}
"""


@contextmanager
def nginx(location: str, folder: Path) -> Iterator[str]:
    """Its address. `location`: the blocks of its server. Skips the test where no nginx can be had."""
    binary, port = program("nginx"), free_port()
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, port=port, location=location))
    with subprocess.Popen([str(binary), "-p", str(folder), "-c", "nginx.conf"], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_open(port, "nginx")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
