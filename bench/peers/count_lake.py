"""How many rows stand under paths of the bucket: {path: format} as JSON on standard input, {path: rows} is printed."""

from __future__ import annotations

import json
import os
import sys
from urllib.parse import urlsplit

from deltalake import DeltaTable
from pyarrow import dataset, fs


def main() -> None:
    asked: dict[str, str] = json.load(sys.stdin)
    print(json.dumps({path: _delta(path) if kind == "delta" else _parquet(path) for path, kind in asked.items()}))


def _delta(path: str) -> int:
    options = {"aws_allow_http": "true", "aws_region": "us-east-1", "aws_endpoint_url": os.environ["ETL_S3_ENDPOINT"]}
    return int(DeltaTable(f"s3://{os.environ['ETL_S3_BUCKET']}/{path}", storage_options=options).count())


def _parquet(path: str) -> int:
    endpoint = urlsplit(os.environ["ETL_S3_ENDPOINT"])
    store = fs.S3FileSystem(endpoint_override=endpoint.netloc, scheme=endpoint.scheme, region="us-east-1")
    return int(
        dataset.dataset(f"{os.environ['ETL_S3_BUCKET']}/{path}", filesystem=store, format="parquet").count_rows()
    )


if __name__ == "__main__":
    main()
