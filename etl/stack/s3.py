"""The embedded S3: S3Proxy over a folder, signatures checked, one bucket."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from etl.stack import processes
from etl.stack.credentials import Credentials
from etl.stack.layout import Layout, private_dir, write_private
from etl.stack.packages import S3PROXY, java, path_of
from etl.stack.ports import LOOPBACK

if TYPE_CHECKING:
    from etl.stack.s3_bucket import S3Bucket

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
            [java(), *memory, "-jar", str(path_of(S3PROXY)), "--properties", str(self._config_file)],
            folder=self._folder,
            log_file=self.log_files[0],
        )

    def is_answering(self, ports: Mapping[str, int]) -> bool:
        return self._bucket(ports).is_answering()

    def create_content(self, ports: Mapping[str, int]) -> None:
        self._bucket(ports).create()

    def _bucket(self, ports: Mapping[str, int]) -> S3Bucket:
        # who installed what the uploader needs has no boto3, and this server stays down
        from etl.stack.s3_bucket import S3Bucket

        return S3Bucket(f"http://{LOOPBACK}:{ports[self.name]}", REGION, BUCKET, self._credentials)

    def delete(self) -> None:
        """All it has lies in the data folder."""
