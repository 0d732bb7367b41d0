"""Object stores that may not be written, or do not know conditional writes: S3Proxy, told so, or behind nginx."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etl.doctor.findings import Finding, Status
from etl.stack.packages import S3PROXY, java, path_of
from tests.debian import free_port, wait_until_open
from tests.integration.doctor.conftest import Patient
from tests.nginx import nginx

pytestmark = [pytest.mark.stack, pytest.mark.slow]

BUCKET = "lake"


@contextmanager
def s3proxy(folder: Path, **options: str) -> Iterator[int]:
    """Its port. Signatures are not looked at: who changes a request on its way would break them."""
    port, objects = free_port(), folder / "objects"
    (objects / BUCKET).mkdir(parents=True)
    settings = {
        "s3proxy.endpoint": f"http://127.0.0.1:{port}",
        "s3proxy.authorization": "none",
        "jclouds.provider": "filesystem-nio2",
        "jclouds.filesystem.basedir": str(objects),
        "jclouds.identity": "local",
        "jclouds.credential": "local",
        **options,
    }
    file = folder / "s3proxy.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [java(), "-Xmx128m", "-DLOG_LEVEL=warn", "-jar", str(path_of(S3PROXY)), "--properties", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_open(port, "S3Proxy")
            yield port
        finally:
            process.terminate()


def examined(patient: Patient, endpoint: str) -> dict[str, Finding]:
    return patient.findings("s3", ETL_S3_ENDPOINT=endpoint, ETL_S3_BUCKET=BUCKET)


def test_a_store_that_may_not_be_written(patient: Patient, tmp_path: Path) -> None:
    with s3proxy(tmp_path, **{"s3proxy.read-only-blobstore": "true"}) as port:
        found = examined(patient, f"http://127.0.0.1:{port}")
    assert found["s3.connection"].status is Status.OK
    assert found["s3.privileges"].status is Status.FAILED
    assert "_etl/doctor/" in found["s3.privileges"].found
    assert "s3:PutObject" in found["s3.privileges"].next_step


def test_a_store_that_passes_over_conditions(patient: Patient, tmp_path: Path) -> None:
    with s3proxy(tmp_path) as port:
        location = f'location / {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header If-None-Match ""; }}'
        with nginx(location, tmp_path) as endpoint:
            found = examined(patient, endpoint)
    assert found["s3.privileges"].status is Status.OK
    assert found["s3.conditional_put"].status is Status.WARNING
    assert "ignored" in found["s3.conditional_put"].found
    assert "leases" in found["s3.conditional_put"].next_step
    assert [each for each in (tmp_path / "objects" / BUCKET).rglob("*") if each.is_file()] == []
