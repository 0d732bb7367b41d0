"""Lets the driver's JVM trust a CA of the user's own, beside the public ones it trusts already."""

from __future__ import annotations

import atexit
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from py4j.java_gateway import JVMView

from etl.errors import UsageError

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PUBLIC_PASSWORD = "changeit"  # noqa: S105 - every Java's, of a file without secrets


def trust_ca(jvm: JVMView, ca_file: Path) -> None:
    """For the driver, which in local mode is all there is; executors elsewhere get a trust store by their own options.

    Must run before the JVM's first TLS connection: it reads its trust store once.
    """
    if not ca_file.is_file():
        raise UsageError(f"expected the S3 store's CA certificates (PEM) in {ca_file}, found no such file")
    certificates = _CERTIFICATE.findall(ca_file.read_text(encoding="utf-8", errors="replace"))
    if not certificates:
        raise UsageError(f"expected CA certificates in PEM form in {ca_file}, found none")
    store = _trust_store(Path(jvm.java.lang.System.getProperty("java.home")), certificates)
    jvm.java.lang.System.setProperty("javax.net.ssl.trustStore", str(store))
    jvm.java.lang.System.setProperty("javax.net.ssl.trustStorePassword", _PUBLIC_PASSWORD)


def _trust_store(java_home: Path, certificates: list[str]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ownlens-etl-trust-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = folder / "cacerts"
    shutil.copyfile(java_home / "lib" / "security" / "cacerts", store)
    command = [str(java_home / "bin" / "keytool"), "-importcert", "-noprompt", "-keystore", str(store)]
    for number, certificate in enumerate(certificates):
        arguments = ["-storepass", _PUBLIC_PASSWORD, "-alias", f"ownlens-{number}"]
        subprocess.run([*command, *arguments], input=certificate, text=True, capture_output=True, check=True)
    return store
