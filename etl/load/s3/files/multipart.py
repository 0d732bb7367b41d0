"""A file that is a multipart upload: written in parts, completed by the driver only, invisible until then."""

from __future__ import annotations

from typing import Any

from etl.s3.door import s3_door
from etl.s3.store import StagedFile

PART_BYTES = 8 * 1024 * 1024
"""S3 asks for at least 5 MiB in every part but the last."""


class UploadFile:
    """What pyarrow and gzip write into. Holds at most one part in memory."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._bucket, self.key = client, bucket, key
        self._buffer = bytearray()
        self._etags: list[str] = []
        self._upload_id: str | None = None
        self.bytes_written = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._buffer += view
        self.bytes_written += view.nbytes
        if len(self._buffer) >= PART_BYTES:
            self._send()
        return view.nbytes

    def tell(self) -> int:
        return self.bytes_written

    def flush(self) -> None:
        """Parts leave when they are large enough, not when a writer says so."""

    def close(self) -> None:
        """pyarrow closes what it writes to; the upload ends with `stage` or `abort`."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def stage(self, rows: int) -> StagedFile:
        """Sends the rest and leaves the upload for the driver to complete."""
        if self._buffer or not self._etags:
            self._send()
        assert self._upload_id is not None  # noqa: S101 - _send has set it
        return StagedFile(self.key, self._upload_id, tuple(self._etags), rows, self.bytes_written)

    def abort(self) -> None:
        if self._upload_id is None:
            return
        with s3_door(f"abort the upload of {self.key}"):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self.key, UploadId=self._upload_id)

    def _send(self) -> None:
        with s3_door(f"take part {len(self._etags) + 1} of {self.key}"):
            if self._upload_id is None:
                begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=self.key)
                self._upload_id = begun["UploadId"]
            sent = self._client.upload_part(
                Bucket=self._bucket,
                Key=self.key,
                UploadId=self._upload_id,
                PartNumber=len(self._etags) + 1,
                Body=bytes(self._buffer),
            )
        self._etags.append(sent["ETag"])
        self._buffer.clear()
