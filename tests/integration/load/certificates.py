"""A certificate authority of a test's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """What a server presents, and the file by which a client knows who signed it."""

    chain: Path
    key: Path
    authority: Path


def issue_certificate(folder: Path, name: str = "127.0.0.1") -> Certificate:
    """A new authority each time, in PEM files under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    issuer = trustme.CA()
    issued = issuer.issue_cert(name)
    made = Certificate(folder / "chain.pem", folder / "key.pem", folder / "authority.pem")
    issuer.cert_pem.write_to_path(str(made.authority))
    issued.private_key_pem.write_to_path(str(made.key))
    made.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return made
