"""Passwords of the embedded servers: made at the first start, kept beside the data, never printed but by `env`."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from etl.command.typed import etl_as_typed
from etl.errors import StoreError
from etl.stack.layout import write_private


@dataclass(frozen=True)
class Credentials:
    """`stack_id` tells the data of this stack from that of a deleted one with the same path."""

    stack_id: str
    postgresql_admin: str = field(repr=False)
    postgresql: str = field(repr=False)
    clickhouse: str = field(repr=False)
    s3_access_key: str = field(repr=False)
    s3_secret_key: str = field(repr=False)


def new_credentials() -> Credentials:
    # Hexadecimal, so that no URL, shell line or properties file has to quote them.
    return Credentials(
        stack_id=secrets.token_hex(8),
        postgresql_admin=secrets.token_hex(20),
        postgresql=secrets.token_hex(20),
        clickhouse=secrets.token_hex(20),
        s3_access_key="OWNLENS" + secrets.token_hex(6).upper(),
        s3_secret_key=secrets.token_hex(20),
    )


def read_credentials(path: Path) -> Credentials | None:
    """None where the stack has never been started."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} should hold passwords as JSON but is unreadable; {RESET_HINT}") from error
    if not isinstance(found, dict) or set(found) != {item.name for item in fields(Credentials)}:
        raise StoreError(f"{path} does not hold the passwords this version expects; {RESET_HINT}")
    return Credentials(**found)


def write_credentials(path: Path, credentials: Credentials) -> None:
    write_private(path, json.dumps(asdict(credentials), indent=2) + "\n")


RESET_HINT = f"`{etl_as_typed()} stack reset` deletes the embedded servers with their data, the next `up` starts afresh"
