"""Where the bucket is: the environment first, then etl.yaml."""

from __future__ import annotations

from etl.config.urls import Fields, split_url, tls_fields, url_options


def s3_fields(url: str) -> Fields:
    """`http(s)://host:port`, the endpoint; keys have variables of their own."""
    parts = split_url(url, ("http", "https"))
    if not parts.hostname:
        raise ValueError("the URL lacks host; expected https://host:port")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds a user or password; use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    endpoint = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return {"endpoint": endpoint} | tls_fields(url_options(parts, ("verify", "ca_file")))
