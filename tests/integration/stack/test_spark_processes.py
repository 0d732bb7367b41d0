"""What needs a JVM of its own: executors that are other processes, and a trust store, which a JVM reads once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from etl.project import PROJECT_DIR
from etl.stack.packages import S3PROXY, java, path_of
from etl.stack.ports import free_port

pytestmark = [pytest.mark.stack, pytest.mark.slow]

OPTIONS = {"spark.driver.memory": "1g", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}

ON_A_CLUSTER = """
import json, os, sys
import pyarrow
sys.path.append(sys.argv[1])
from etl.spark.session import build_session
spark = build_session("cluster", json.loads(sys.argv[2]))

def look_around(batches):
    import etl.stack.ports
    for _ in batches:
        yield pyarrow.RecordBatch.from_pydict({"file": [etl.stack.ports.__file__], "zone": [os.environ["TZ"]]})

[row] = spark.range(1, numPartitions=1).mapInArrow(look_around, "file string, zone string").collect()
[(java_zone,)] = spark.range(1).selectExpr("java_method('java.time.ZoneId', 'systemDefault')").collect()
print(json.dumps([row.file.endswith("etl.zip/etl/stack/ports.py"), row.zone, java_zone]))
"""

OVER_TLS = """
import json, sys
from pydantic import SecretStr
sys.path.append(sys.argv[1])
from etl.config.destinations.s3.settings import S3Settings
from etl.spark.session import build_session, configure_s3
spark = build_session("tls", json.loads(sys.argv[2]))
settings = S3Settings(endpoint=sys.argv[3], bucket="tls", access_key=SecretStr("tester"),
                      secret_key=SecretStr("tester-secret"), ca_file=sys.argv[4] or None)
configure_s3(spark, settings)
spark.range(7).write.parquet("s3a://tls/seven")
print(json.dumps(spark.read.parquet("s3a://tls/seven").count()))
"""


def test_executors_elsewhere_get_our_code_and_live_in_utc(tmp_path: Path) -> None:
    options = {**OPTIONS, "spark.master": "local-cluster[1,1,1024]", "spark.executor.memory": "600m"}
    done = _run(ON_A_CLUSTER, json.dumps(options), folder=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == [True, "UTC", "UTC"]


def test_a_store_under_a_ca_of_the_users_own_is_trusted_by_name_only(secure_store: tuple[str, Path]) -> None:
    endpoint, ca_file = secure_store
    options = json.dumps({**OPTIONS, "spark.master": "local[2]", "spark.hadoop.fs.s3a.retry.limit": "0"})

    trusted = _run(OVER_TLS, options, endpoint, str(ca_file), folder=ca_file.parent)
    assert trusted.returncode == 0, trusted.stderr[-3000:]
    assert json.loads(trusted.stdout) == 7

    untrusted = _run(OVER_TLS, options, endpoint, "", folder=ca_file.parent)
    assert untrusted.returncode != 0
    assert "unable to find valid certification path" in untrusted.stderr


@pytest.fixture
def secure_store(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """S3Proxy behind TLS with a certificate of its own making; the certificate is its own CA."""
    keystore, ca_file = tmp_path / "keys.p12", tmp_path / "ca.pem"
    keytool = [str(Path(java()).resolve().parent / "keytool"), "-keystore", str(keystore), "-storepass", "for-tests"]
    names = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1,DNS:localhost"]
    _quietly([*keytool, "-genkeypair", "-keyalg", "RSA", "-alias", "s3", "-storetype", "PKCS12", *names])
    _quietly([*keytool, "-exportcert", "-rfc", "-alias", "s3", "-file", str(ca_file)])
    (tmp_path / "objects").mkdir()
    port = free_port(29980, taken=set())
    (tmp_path / "s3.properties").write_text(
        f"s3proxy.secure-endpoint=https://127.0.0.1:{port}\ns3proxy.keystore-path={keystore}\n"
        "s3proxy.keystore-password=for-tests\ns3proxy.authorization=aws-v2-or-v4\ns3proxy.identity=tester\n"
        "s3proxy.credential=tester-secret\njclouds.provider=filesystem-nio2\njclouds.identity=local\n"
        f"jclouds.credential=local\njclouds.filesystem.basedir={tmp_path / 'objects'}\n"
    )
    command = [java(), "-Xmx256m", "-jar", str(path_of(S3PROXY)), "--properties", str(tmp_path / "s3.properties")]
    with (tmp_path / "s3.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            _create_bucket(f"https://127.0.0.1:{port}", ca_file)
            yield f"https://127.0.0.1:{port}", ca_file
        finally:
            server.terminate()


def _create_bucket(endpoint: str, ca_file: Path) -> None:
    client: Any = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="tester",
        aws_secret_access_key="tester-secret",
        verify=str(ca_file),
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    with closing(client):
        deadline = time.monotonic() + 60
        while True:
            try:
                client.create_bucket(Bucket="tls")
                return
            except BotoCoreError:
                assert time.monotonic() < deadline
                time.sleep(0.3)


def _run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """From another folder and zone than the project's, as a user may."""
    return subprocess.run(
        [sys.executable, "-c", program, str(PROJECT_DIR), *arguments],
        cwd=folder,
        env={**os.environ, "TZ": "America/New_York", "ETL_LOG_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=400,
    )


def _quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
