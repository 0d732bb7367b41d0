"""The trust store that the JVM builds of itself; that S3A then trusts by it is shown in test_spark_processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr
from pyspark.sql import SparkSession

from etl.config.destinations.s3.settings import S3Settings
from etl.errors import UsageError
from etl.spark.session import configure_s3
from etl.spark.tls import trust_ca
from etl.stack.packages import java

pytestmark = pytest.mark.stack

AUTHORITIES = 20
_STORE, _PASSWORD = "javax.net.ssl.trustStore", "javax.net.ssl.trustStorePassword"


@pytest.fixture
def forgetting(spark: SparkSession) -> Iterator[Any]:
    """The session's JVM trusts as before afterwards."""
    system = spark.sparkContext._gateway.jvm.java.lang.System
    before = {name: system.getProperty(name) for name in (_STORE, _PASSWORD)}
    yield system
    for name, value in before.items():
        system.clearProperty(name) if value is None else system.setProperty(name, value)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """As a system's bundle is: many certificates, with words between them."""
    file = tmp_path / "bundle.crt"
    pems = [trustme.CA().cert_pem.bytes().decode() for _ in range(AUTHORITIES)]
    file.write_text("".join(f"# Authority {number}\n{pem}\n" for number, pem in enumerate(pems)))
    return file


def listed(store: Path) -> list[str]:
    keytool = [str(Path(java()).resolve().parent / "keytool"), "-list", "-keystore", str(store)]
    done = subprocess.run([*keytool, "-storepass", "changeit"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "trustedCertEntry" in line]


def test_every_authority_of_a_bundle_is_added_without_a_process_and_kept(
    spark: SparkSession, forgetting: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = spark.sparkContext._gateway
    cacerts = Path(forgetting.getProperty("java.home"), "lib", "security", "cacerts")
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
        trust_ca(gateway, bundle, tmp_path / "kept")
    [store] = (tmp_path / "kept").iterdir()
    assert forgetting.getProperty(_STORE) == str(store)
    assert len(listed(store)) == len(listed(cacerts)) + AUTHORITIES

    written = store.stat().st_mtime_ns
    trust_ca(gateway, bundle, tmp_path / "kept")  # the same JVM
    forgetting.clearProperty(_STORE)
    trust_ca(gateway, bundle, tmp_path / "kept")  # the next start
    assert [file.stat().st_mtime_ns for file in (tmp_path / "kept").iterdir()] == [written]

    forgetting.clearProperty(_STORE)
    bundle.write_text(trustme.CA().cert_pem.bytes().decode())
    trust_ca(gateway, bundle, tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_what_is_no_certificate_is_said(spark: SparkSession, forgetting: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.crt"
    for content, message in {
        "nothing": "expected CA certificates in PEM form in .*broken.crt, found none",
        "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n": "found what Java cannot read",
    }.items():
        file.write_text(content)
        with pytest.raises(UsageError, match=message):
            trust_ca(spark.sparkContext._gateway, file, tmp_path / "kept")
    assert forgetting.getProperty(_STORE) is None
    assert not any((tmp_path / "kept").iterdir())


@pytest.mark.parametrize(
    ("endpoint", "is_read"), [("http://127.0.0.1:1", False), ("https://127.0.0.1:1", True), (None, True)]
)
def test_a_bundle_is_read_only_for_a_store_that_is_reached_by_tls(
    spark: SparkSession, forgetting: Any, tmp_path: Path, endpoint: str | None, is_read: bool
) -> None:
    settings = S3Settings(
        endpoint=endpoint,
        bucket=f"tls-{is_read}",
        access_key=SecretStr("a"),
        secret_key=SecretStr("b"),
        ca_file=str(tmp_path / "none"),
    )
    if is_read:
        with pytest.raises(UsageError, match="found no such file"):
            configure_s3(spark, settings)
    else:
        configure_s3(spark, settings)
    assert forgetting.getProperty(_STORE) is None
