"""Lets the driver's JVM trust a CA of the user's own, beside the authorities it trusts already."""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from py4j.java_gateway import JavaGateway, JavaObject
from py4j.protocol import Py4JJavaError

from etl.errors import UsageError

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PUBLIC_PASSWORD = "changeit"  # noqa: S105 - every Java's, of a file without secrets
_SUFFIX = ".ownlens-truststore"
_STORE, _STORE_PASSWORD = "javax.net.ssl.trustStore", "javax.net.ssl.trustStorePassword"


def trust_ca(gateway: JavaGateway, ca_file: Path, kept_in: Path) -> None:
    """For the driver, which in local mode is all there is; executors elsewhere get a trust store by their own options.

    Must run before the JVM's first TLS connection: it reads its trust store once. The store is kept in a folder of the
    user's own under a name that says what it was made from, so that the next start finds it.
    """
    certificates = _read_certificates(ca_file)
    system = gateway.jvm.java.lang.System
    trusted = Path(system.getProperty(_STORE) or Path(system.getProperty("java.home"), "lib", "security", "cacerts"))
    if trusted.name.endswith(_SUFFIX):
        return  # this JVM has been told before
    password = system.getProperty(_STORE_PASSWORD) or _PUBLIC_PASSWORD
    made_from = hashlib.sha256(b"\n".join([trusted.read_bytes(), password.encode(), *certificates])).hexdigest()
    store = _own_folder(kept_in) / f"{made_from}{_SUFFIX}"
    if not store.exists():
        try:
            build_trust_store(gateway, trusted, password, certificates, store)
        except Py4JJavaError as error:
            raise UsageError(f"expected CA certificates in {ca_file}, found what Java cannot read: {error}") from error
    system.setProperty(_STORE, str(store))
    system.setProperty(_STORE_PASSWORD, password)


def build_trust_store(
    gateway: JavaGateway, trusted: Path, password: str, certificates: Sequence[bytes], store: Path
) -> None:
    """What `trusted` holds and the certificates (PEM, one each), by the running JVM's own KeyStore: no process a
    certificate. The file appears whole or not at all."""
    java, secret = gateway.jvm.java, _characters(gateway, password)
    keystore = java.security.KeyStore.getInstance(java.io.File(str(trusted)), secret)
    pem = java.io.ByteArrayInputStream(b"\n".join(certificates))
    for number, certificate in enumerate(
        java.security.cert.CertificateFactory.getInstance("X.509").generateCertificates(pem)
    ):
        keystore.setCertificateEntry(f"ownlens-{number}", certificate)
    descriptor, partial = tempfile.mkstemp(dir=store.parent, suffix=".partial")
    os.close(descriptor)
    with closing(java.io.FileOutputStream(partial)) as file:
        keystore.store(file, secret)
    Path(partial).replace(store)


def _own_folder(wanted: Path) -> Path:
    """`wanted`, or one of this process alone where the project's folder is read-only."""
    try:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(wanted, os.W_OK):
            return wanted
    except OSError:
        pass
    folder = Path(tempfile.mkdtemp(prefix="ownlens-etl-trust-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _read_certificates(ca_file: Path) -> list[bytes]:
    if not ca_file.is_file():
        raise UsageError(f"expected the S3 store's CA certificates (PEM) in {ca_file}, found no such file")
    certificates = _CERTIFICATE.findall(ca_file.read_bytes())
    if not certificates:
        raise UsageError(f"expected CA certificates in PEM form in {ca_file}, found none")
    return certificates


def _characters(gateway: JavaGateway, text: str) -> JavaObject:
    array = gateway.new_array(gateway.jvm.char, len(text))
    for place, character in enumerate(text):
        array[place] = character
    return array
