"""The embedded S3: S3Proxy over a folder, signatures checked, one bucket."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from etl.stack import processes
from etl.stack.credentials import Credentials
from etl.stack.layout import Layout, private_dir, write_private
from etl.stack.packages import java, s3proxy_jar
from etl.stack.ports import LOOPBACK

BUCKET = "ownlens-lake"
REGION = "us-east-1"


class S3Server:
    name = "s3"
    port_names: tuple[str, ...] = ("s3",)
    stop_signal = signal.SIGTERM

    def __init__(self, layout: Layout, credentials: Credentials) -> None:
        self._credentials = credentials
        self._folder = layout.server_dir(self.name)
        self.log_files: tuple[Path, ...] = (layout.logs_dir / "s3.log",)

    @property
    def _config_file(self) -> Path:
        return self._folder / "s3proxy.properties"

    def processes(self) -> Sequence[psutil.Process]:
        return processes.find_by_arguments("--properties", str(self._config_file))

    def remains(self) -> Sequence[psutil.Process]:
        return ()

    def start(self, ports: Mapping[str, int]) -> None:
        objects = private_dir(private_dir(self._folder) / "objects")
        properties = {
            "s3proxy.endpoint": f"http://{LOOPBACK}:{ports[self.name]}",
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": self._credentials.s3_access_key,
            "s3proxy.credential": self._credentials.s3_secret_key,
            "jclouds.provider": "filesystem-nio2",
            "jclouds.filesystem.basedir": str(objects),
            "jclouds.identity": "local",
            "jclouds.credential": "local",
        }
        write_private(self._config_file, "".join(f"{name}={value}\n" for name, value in properties.items()))
        memory = ["-Xms64m", "-Xmx512m", "-XX:+UseParallelGC", "-Duser.timezone=UTC", "-DLOG_LEVEL=warn"]
        processes.start(
            [java(), *memory, "-jar", str(s3proxy_jar()), "--properties", str(self._config_file)],
            folder=self._folder,
            log_file=self.log_files[0],
        )

    def is_answering(self, ports: Mapping[str, int]) -> bool:
        try:
            self._client(ports).list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def create_content(self, ports: Mapping[str, int]) -> None:
        client = self._client(ports)
        if BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=BUCKET)

    def _client(self, ports: Mapping[str, int]) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://{LOOPBACK}:{ports[self.name]}",
            region_name=REGION,
            aws_access_key_id=self._credentials.s3_access_key,
            aws_secret_access_key=self._credentials.s3_secret_key,
            config=Config(
                connect_timeout=5,
                read_timeout=10,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                proxies={},
            ),
        )

    def delete(self) -> None:
        """All it has lies in the data folder."""
