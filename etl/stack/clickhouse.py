"""The embedded ClickHouse 25.8: HTTP and native protocol, one user with a password, one Atomic database."""

from __future__ import annotations

import hashlib
import http.client
import signal
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil

from etl.errors import StoreError
from etl.stack import clickhouse_server, processes
from etl.stack.credentials import Credentials
from etl.stack.layout import Layout, private_dir, write_private
from etl.stack.ports import LOOPBACK

USER = "ownlens"
DATABASE = "ownlens"
_MEBIBYTE = 1024 * 1024


class ClickHouseServer:
    name = "clickhouse"
    port_names: tuple[str, ...] = ("clickhouse", "clickhouse_native")
    stop_signal = signal.SIGTERM

    def __init__(self, layout: Layout, credentials: Credentials) -> None:
        self._password = credentials.clickhouse
        self._folder = layout.server_dir(self.name)
        self._output = layout.logs_dir / "clickhouse-output.log"
        self.log_files: tuple[Path, ...] = (layout.logs_dir / "clickhouse.log", self._output)

    @property
    def _config_file(self) -> Path:
        return self._folder / "config.xml"

    def processes(self) -> Sequence[psutil.Process]:
        return processes.find_by_arguments(clickhouse_server.__file__, str(self._config_file))

    def remains(self) -> Sequence[psutil.Process]:
        return ()

    def start(self, ports: Mapping[str, int]) -> None:
        private_dir(self._folder)
        write_private(self._folder / "users.xml", _xml(_users(self._password)))
        write_private(self._config_file, _xml(self._config(ports)))
        processes.start(
            [sys.executable, clickhouse_server.__file__, str(self._config_file)],
            folder=self._folder,
            log_file=self._output,
            # The watchdog would fork a second process and restart the server behind our back.
            environment={"CLICKHOUSE_WATCHDOG_ENABLE": "0"},
        )

    def _config(self, ports: Mapping[str, int]) -> dict[str, Any]:
        folder = self._folder
        return {
            "logger": {"level": "information", "log": self.log_files[0], "size": "20M", "count": 2, "console": 0},
            "listen_host": LOOPBACK,
            "http_port": ports["clickhouse"],
            "tcp_port": ports["clickhouse_native"],
            "path": f"{folder}/data/",
            "tmp_path": f"{folder}/temporary/",
            "user_files_path": f"{folder}/user_files/",
            "format_schema_path": f"{folder}/format_schemas/",
            "users_config": folder / "users.xml",
            "default_profile": "default",
            "default_database": "default",
            "timezone": "UTC",
            # It shares the machine with Spark, PostgreSQL and the lake.
            "max_server_memory_usage_to_ram_ratio": 0.35,
            "mark_cache_size": 64 * _MEBIBYTE,
            "index_mark_cache_size": 16 * _MEBIBYTE,
            "uncompressed_cache_size": 0,
            "mmap_cache_size": 100,
            "background_pool_size": 4,
            "background_schedule_pool_size": 8,
            "background_move_pool_size": 1,
            "background_fetches_pool_size": 1,
            "background_common_pool_size": 2,
            "background_buffer_flush_schedule_pool_size": 1,
            "background_message_broker_schedule_pool_size": 1,
            "background_distributed_schedule_pool_size": 1,
            "tables_loader_foreground_pool_size": 2,
            "tables_loader_background_pool_size": 2,
            "max_thread_pool_size": 1000,
            # Nobody reads these gauges; every second would be the default, and the cost of an idle server.
            "asynchronous_metrics_update_period_s": 60,
            "asynchronous_heavy_metrics_update_period_s": 600,
            # Fewer merge threads than a big server has: the marks at which merges hold back must be lower too.
            "merge_tree": {
                "number_of_free_entries_in_pool_to_execute_mutation": 2,
                "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 2,
                "number_of_free_entries_in_pool_to_execute_optimize_entire_partition": 2,
            },
            # Of the system's own logs only this one; every other costs merges on an idle machine.
            "query_log": {
                "database": "system",
                "table": "query_log",
                "flush_interval_milliseconds": 7500,
                "ttl": "event_date + INTERVAL 3 DAY DELETE",
            },
            # Sent by nobody: this server is no business of the vendor's crash reports.
            "send_crash_reports": {"enabled": "false"},
        }

    def is_answering(self, ports: Mapping[str, int]) -> bool:
        try:
            return self._query(ports, "SELECT 1") == (200, "1\n")
        except (OSError, http.client.HTTPException):
            return False

    def create_content(self, ports: Mapping[str, int]) -> None:
        status, answer = self._query(ports, f"CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic")
        if status != 200:
            raise StoreError(f"ClickHouse did not create its database {DATABASE}: {answer.strip()}")

    def _query(self, ports: Mapping[str, int], statement: str) -> tuple[int, str]:
        token = b64encode(f"{USER}:{self._password}".encode()).decode()
        with closing(http.client.HTTPConnection(LOOPBACK, ports[self.name], timeout=10)) as connection:
            connection.request("POST", "/", body=statement, headers={"Authorization": f"Basic {token}"})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")

    def delete(self) -> None:
        """All it has lies in the data folder."""


def _users(password: str) -> dict[str, Any]:
    user = {
        "password_sha256_hex": hashlib.sha256(password.encode()).hexdigest(),
        "networks": {"ip": LOOPBACK},
        "profile": "default",
        "quota": "default",
    }
    profile = {
        "max_threads": 2,
        "max_insert_threads": 1,
        "max_bytes_before_external_group_by": 256 * _MEBIBYTE,
        "max_bytes_before_external_sort": 256 * _MEBIBYTE,
    }
    return {"profiles": {"default": profile}, "users": {USER: user}, "quotas": {"default": ""}}


def _xml(content: Mapping[str, Any]) -> str:
    root = ElementTree.Element("clickhouse")
    _append(root, content)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _append(parent: ElementTree.Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        element = ElementTree.SubElement(parent, name)
        if isinstance(value, Mapping):
            _append(element, value)
        else:
            element.text = str(value)
