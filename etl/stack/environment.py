"""The environment variables that point the product at the embedded servers, and which of them are wanted."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from etl.config.document import read_document
from etl.stack import clickhouse, postgresql, s3
from etl.stack.credentials import Credentials, new_credentials
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


@dataclass(frozen=True)
class OwnServers:
    """How the embedded servers are reached: now, and before somebody else took a port of theirs."""

    credentials: Credentials
    ports: Mapping[str, int]
    former_ports: Mapping[str, Collection[int]]

    def wrote(self, name: str, value: str) -> bool:
        """Whether this variable is just what `env` prints today, or printed when a server had another port."""
        return any(variables(ports, self.credentials)[name] == value for ports in self._all_ports())

    def are_behind(self, value: str) -> bool:
        """Whether the variable reaches one of them by a secret of ours, also another database or by a pooler."""
        secrets = (self.credentials.postgresql, self.credentials.clickhouse, self.credentials.s3_secret_key)
        return any(secret in value for secret in secrets)

    def _all_ports(self) -> Iterator[Mapping[str, int]]:
        yield self.ports
        for name, former in self.former_ports.items():
            for port in former:
                yield {**self.ports, name: port}


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


def missing_groups(environ: Mapping[str, str], config_dir: Path, own: OwnServers | None) -> list[str]:
    """The groups for which neither a variable nor etl.yaml names anything of the user's own.

    What the user set is used as it is, also where it names another database, bucket or port of an embedded server.
    """
    in_file = _groups_in_file(config_dir / "etl.yaml", environ)
    return [group for group in GROUPS if group not in in_file and not _is_configured(group, environ, own)]


def as_if_started(environ: Mapping[str, str], config_dir: Path) -> dict[str, str]:
    """The environment of a run, with made-up values for the embedded servers that would be started for it."""
    made_up = variables(dict.fromkeys(SERVER_OF_GROUP.values(), 1), new_credentials())
    missing = missing_groups(environ, config_dir, None)
    return {**environ, **{name: made_up[name] for group in missing for name in GROUPS[group]}}


def needed_servers(environ: Mapping[str, str], config_dir: Path, own: OwnServers | None) -> list[str]:
    """The embedded servers that a run with these variables reaches: those left open, and those the user named."""
    missing = missing_groups(environ, config_dir, own)
    named = [group for group in GROUPS if own and any(own.are_behind(environ.get(name, "")) for name in GROUPS[group])]
    return sorted({SERVER_OF_GROUP[group] for group in (*missing, *named)})


def _groups_in_file(path: Path, environ: Mapping[str, str]) -> set[str]:
    """Only whether a block is there; its faults are for the job to say."""
    if not path.is_file():
        return set()
    document, _ = read_document(path, environ)
    blocks = {name for name, node in document.mapping.items() if node.value is not None}
    return {group for group, block in _BLOCKS.items() if block in blocks}


def _is_configured(group: str, environ: Mapping[str, str], own: OwnServers | None) -> bool:
    given = {name: environ[name] for name in GROUPS[group] if environ.get(name)}
    if not any(name in given for name in _DECIDING[group]):
        return False
    return own is None or not all(own.wrote(name, value) for name, value in given.items())


def export_lines(values: Mapping[str, str]) -> str:
    """For `eval` in any POSIX shell."""
    return "".join(f"export {name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"
