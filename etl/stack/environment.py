"""The environment variables that point the product at the embedded servers, and which of them are wanted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from etl.config.document import read_document
from etl.stack import clickhouse, postgresql, s3
from etl.stack.credentials import Credentials
from etl.stack.ports import LOOPBACK

# What goes together: who names a bucket or an endpoint of his own gets neither our bucket nor our keys.
GROUPS: dict[str, tuple[str, ...]] = {
    "source": ("ETL_SOURCE_POSTGRES_URL",),
    "warehouse": ("ETL_POSTGRES_URL",),
    "clickhouse": ("ETL_CLICKHOUSE_URL",),
    "s3": ("ETL_S3_ENDPOINT", "ETL_S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
}
_DECIDING = {**GROUPS, "s3": ("ETL_S3_ENDPOINT", "ETL_S3_BUCKET")}
_BLOCKS = {"source": "source", "warehouse": "postgresql", "clickhouse": "clickhouse", "s3": "s3"}
SERVER_OF_GROUP = {"source": "postgresql", "warehouse": "postgresql", "clickhouse": "clickhouse", "s3": "s3"}


def variables(ports: Mapping[str, int], credentials: Credentials) -> dict[str, str]:
    """Name and value of all seven."""
    server = f"postgresql://{postgresql.ROLE}:{credentials.postgresql}@{LOOPBACK}:{ports['postgresql']}"
    return {
        "ETL_POSTGRES_URL": f"{server}/{postgresql.WAREHOUSE_DATABASE}",
        "ETL_SOURCE_POSTGRES_URL": f"{server}/{postgresql.SOURCE_DATABASE}",
        "ETL_CLICKHOUSE_URL": (
            f"http://{clickhouse.USER}:{credentials.clickhouse}@{LOOPBACK}:{ports['clickhouse']}/{clickhouse.DATABASE}"
        ),
        "ETL_S3_ENDPOINT": f"http://{LOOPBACK}:{ports['s3']}",
        "ETL_S3_BUCKET": s3.BUCKET,
        "AWS_ACCESS_KEY_ID": credentials.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.s3_secret_key,
    }


def missing_groups(environ: Mapping[str, str], config_dir: Path, credentials: Credentials | None) -> list[str]:
    """The groups for which neither a variable nor etl.yaml names a server of the user's own."""
    in_file = _groups_in_file(config_dir / "etl.yaml", environ)
    return [
        group
        for group, deciding in _DECIDING.items()
        if group not in in_file and not _is_configured(deciding, environ, credentials)
    ]


def _groups_in_file(path: Path, environ: Mapping[str, str]) -> set[str]:
    """Only whether a block is there; its faults are for the job to say."""
    if not path.is_file():
        return set()
    document, _ = read_document(path, environ)
    blocks = {name for name, node in document.mapping.items() if node.value is not None}
    return {group for group, block in _BLOCKS.items() if block in blocks}


def _is_configured(deciding: tuple[str, ...], environ: Mapping[str, str], credentials: Credentials | None) -> bool:
    return any(environ.get(name) for name in deciding) and not _is_ours(deciding, environ, credentials)


def _is_ours(deciding: tuple[str, ...], environ: Mapping[str, str], credentials: Credentials | None) -> bool:
    """Whether the variables are what an earlier `env` printed, perhaps with a port that has changed since."""
    if credentials is None:
        return False
    if "ETL_S3_ENDPOINT" in deciding:
        return environ.get("AWS_SECRET_ACCESS_KEY") == credentials.s3_secret_key
    value = environ.get(deciding[0], "")
    return f":{credentials.postgresql}@" in value or f":{credentials.clickhouse}@" in value


def export_lines(values: Mapping[str, str]) -> str:
    """For `eval` in any POSIX shell."""
    return "".join(f"export {name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"
