"""Where the bucket is: the environment first, then etl.yaml."""

from __future__ import annotations

from etl.config.destinations.s3.settings import S3Settings
from etl.config.server_reader import ServerReader, environment, laid
from etl.config.urls import Fields, split_url, tls_fields, truth, url_options

_VARIABLES = {
    "bucket": ("ETL_S3_BUCKET",),
    "access_key": ("AWS_ACCESS_KEY_ID",),
    "secret_key": ("AWS_SECRET_ACCESS_KEY",),
    "session_token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "ca_file": ("ETL_S3_CA_FILE",),
}
_CA_BUNDLE = ("AWS_CA_BUNDLE",)
"""Many companies set it everywhere: it speaks of a store only where that is reached by TLS."""

_KEPT = ("access_key", "secret_key", "session_token", "bucket", "prefix", "region", "timeout_seconds")


def read_server(reader: ServerReader) -> S3Settings | None:
    """The bucket says that S3 is configured; credentials may be absent (roles, profiles)."""
    node = reader.server("s3", "ETL_S3_ENDPOINT", s3_fields, S3Settings, _KEPT)
    fields: Fields = {key: value for key, names in _VARIABLES.items() if (value := reader.first(names))}
    verify = reader.first(("ETL_S3_VERIFY",))
    if verify is not None:
        reader.attempt("ETL_S3_VERIFY", lambda: fields.update(verify=truth(verify, "it")))
    if node is None and "bucket" not in fields:
        return None
    merged = laid(node or environment({}), fields)
    endpoint = merged.get("endpoint")
    over_tls = endpoint is None or not str(endpoint.value).startswith("http://")
    if over_tls and "ca_file" not in fields and (bundle := reader.first(_CA_BUNDLE)):
        merged = laid(merged, {"ca_file": bundle})
    if merged.get("bucket") is None:
        reader.faults.append(merged.fault("an S3 endpoint is given without a bucket; set ETL_S3_BUCKET or s3.bucket"))
        return None
    return reader.settings("s3", S3Settings, merged, {"path_style": merged.get("endpoint") is not None})


def s3_fields(url: str) -> Fields:
    """`http(s)://host:port`, the endpoint; keys have variables of their own."""
    parts = split_url(url, ("http", "https"))
    if not parts.hostname:
        raise ValueError("the URL lacks host; expected https://host:port")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds a user or password; use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    endpoint = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return {"endpoint": endpoint} | tls_fields(url_options(parts, ("verify", "ca_file")))
