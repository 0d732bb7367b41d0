"""The bucket through boto3: listing, small objects, multipart uploads and deletions. Bulk reads are Spark's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError

from etl.config.destinations.s3.settings import S3Settings
from etl.retrying import OF_A_STORE, seconds_until_next
from etl.s3.door import may_pass, s3_door

_DELETIONS_PER_REQUEST = 1000
_THREADS = 8
_NOT_FOUND = 404


@dataclass(frozen=True)
class StoreAddress:
    """What an executor needs to reach the bucket. It travels inside the task; its secrets stay out of its repr."""

    bucket: str
    endpoint: str | None
    region: str
    path_style: bool
    verify: bool
    ca_file: str | None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    timeout_seconds: int = 60
    attempts: int = 5
    """How often a request is sent at most."""

    @classmethod
    def of(cls, settings: S3Settings) -> StoreAddress:
        def reveal(secret: Any) -> str | None:
            return secret.get_secret_value() if secret else None

        return cls(
            bucket=settings.bucket,
            endpoint=settings.endpoint,
            region=settings.region,
            path_style=settings.path_style,
            verify=settings.verify,
            ca_file=settings.ca_file,
            access_key=reveal(settings.access_key),
            secret_key=reveal(settings.secret_key),
            session_token=reveal(settings.session_token),
            timeout_seconds=settings.timeout_seconds,
        )


@dataclass(frozen=True)
class StoredObject:
    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class PendingUpload:
    """A multipart upload that was begun and neither completed nor aborted; no reader sees it."""

    key: str
    upload_id: str
    started: datetime


@dataclass(frozen=True)
class StagedFile:
    """One file an attempt uploaded and did not complete: completing it makes it appear whole, at once."""

    key: str
    upload_id: str
    etags: tuple[str, ...]
    rows: int
    bytes: int


class ObjectStore:
    """One bucket. Safe to share between threads; the client keeps its own connection pool."""

    def __init__(self, address: StoreAddress) -> None:
        self.bucket = address.bucket
        self._client = client_of(address)

    def objects(self, prefix: str) -> list[StoredObject]:
        with s3_door(f"list {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return [
                StoredObject(entry["Key"], entry["Size"], entry["LastModified"])
                for page in pages
                for entry in page.get("Contents", [])
            ]

    def get(self, key: str) -> bytes | None:
        """The object's content; None where there is none."""
        with s3_door(f"read {key}"):
            try:
                content: bytes = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    return None
                raise
        return content

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(self.get, keys))

    def put(self, key: str, content: bytes) -> None:
        with s3_door(f"write {key}"):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def put_many(self, contents: Mapping[str, bytes]) -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self.put, contents.keys(), contents.values()))

    def delete(self, keys: Iterable[str]) -> None:
        remaining = iter(keys)
        while batch := list(islice(remaining, _DELETIONS_PER_REQUEST)):
            self._delete_batch(batch)

    def _delete_batch(self, keys: list[str]) -> None:
        with s3_door(f"delete {len(keys)} objects"):
            answer = self._client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
            if faults := answer.get("Errors"):
                raise ClientError({"Error": faults[0]}, "DeleteObjects")

    def complete(self, files: Iterable[StagedFile]) -> None:
        """Makes staged files appear, several at a time."""
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self._complete, files))

    def _complete(self, file: StagedFile) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(file.etags, 1)]
        with s3_door(f"complete {file.key}"):
            self._client.complete_multipart_upload(
                Bucket=self.bucket, Key=file.key, UploadId=file.upload_id, MultipartUpload={"Parts": parts}
            )

    def abort(self, uploads: Iterable[tuple[str, str]]) -> None:
        """Drops uploads, (key, upload id) each; one that is gone already is no fault."""
        for key, upload_id in uploads:
            with s3_door(f"abort the upload of {key}"):
                try:
                    self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
                except ClientError as error:
                    if error.response["Error"]["Code"] not in ("NoSuchUpload", "404"):
                        raise

    def pending_uploads(self, prefix: str) -> list[PendingUpload]:
        with s3_door(f"list the uploads of {prefix}"):
            return list(self._pending_uploads(prefix))

    def _pending_uploads(self, prefix: str) -> Iterator[PendingUpload]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for upload in page.get("Uploads", []):
                if upload["Key"].startswith(prefix):
                    yield PendingUpload(upload["Key"], upload["UploadId"], upload["Initiated"])


class Keys(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None


def frozen_keys(address: StoreAddress) -> Keys:
    """Those of the address or, where it has none, what boto3 finds on this machine: good for a while, so ask again."""
    if address.access_key and address.secret_key:
        return Keys(address.access_key, address.secret_key, address.session_token)
    with s3_door("be asked with keys"):
        found = boto3.session.Session().get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
    return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def require_bucket(address: StoreAddress) -> None:
    """StoreError where the bucket is not there; a key that may not ask is believed."""
    client = client_of(address)
    with s3_door(f"have the bucket {address.bucket}"):
        try:
            client.head_bucket(Bucket=address.bucket)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == _NOT_FOUND:
                error.response["Error"] = {"Code": "NoSuchBucket", "Message": "no bucket of this name"}
                raise


@lru_cache(maxsize=8)
def client_of(address: StoreAddress) -> Any:
    """One client a process and address: making one costs more than a request does."""
    config = Config(
        s3={"addressing_style": "path" if address.path_style else "auto"},
        retries={"mode": "standard", "total_max_attempts": address.attempts},
        connect_timeout=10,
        read_timeout=address.timeout_seconds,
        max_pool_connections=16,
    )
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=address.endpoint,
        region_name=address.region,
        aws_access_key_id=address.access_key,
        aws_secret_access_key=address.secret_key,
        aws_session_token=address.session_token,
        verify=(address.ca_file or True) if address.verify else False,
        config=config,
    )
    # before boto3's own handler, which waits without a word
    client.meta.events.register_first("needs-retry.s3", partial(_seconds_until_next, address.attempts))
    return client


def _seconds_until_next(
    most: int, operation: Any, attempts: int, caught_exception: Exception | None = None, response: Any = None, **_: Any
) -> float | None:
    """Until boto3 asks again; None where it is to give up, or has its answer."""
    answer = response[1] if response else {}
    error = caught_exception or (ClientError(answer, operation.name) if "Error" in answer else None)
    if error is None or attempts >= most or not may_pass(error):
        return None
    return seconds_until_next(error, attempts, OF_A_STORE, "object store asked again", operation=operation.name)
