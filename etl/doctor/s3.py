"""What the object store is asked: the bucket, its rights by an object that is written and removed, and what it can."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.config.urls import is_loopback
from etl.doctor.clock import Reading, compared
from etl.doctor.examination import STATEMENT_SECONDS, Clock, Subject
from etl.doctor.findings import Answer, failed, not_asked, ok, warning
from etl.errors import StoreError
from etl.s3.door import s3_door
from etl.s3.store import ObjectStore, StoreAddress, client_of, require_bucket

_FORGOTTEN = timedelta(days=1)
"""An upload older than this is of no run that lives."""
_EXACT_SECONDS = 1.0
"""Of the header Date, which has no fraction."""
_NOT_OFFERED = frozenset({"NotImplemented", "MethodNotAllowed", "NotSupported", "XNotImplemented", "501", "405"})
_NO_RULES = frozenset({"NoSuchLifecycleConfiguration", "NoSuchLifecycle"})
_FORBIDDEN = frozenset({"AccessDenied", "403"})
_RIGHTS = "s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload"


@dataclass(frozen=True)
class Bucket:
    """`folder` is where the lake begins; the clock was read around its first answer."""

    settings: S3Settings
    folder: str
    store: ObjectStore
    client: Any
    clock: Reading | None

    @property
    def name(self) -> str:
        return self.settings.bucket


def subject(settings: S3Settings, loads: Sequence[S3TableLoadConfig], clock: Clock) -> Subject[Bucket]:
    place = settings.endpoint or "AWS"
    checks: dict[str, Callable[[Bucket], Answer]] = {
        "connection": lambda at: ok(f"bucket {at.name} at {place}, prefix {at.folder or 'none'}"),
        "tls": _tls,
        "privileges": _privileges,
        "conditional_put": lambda at: _conditional_put(at, has_delta=any(load.format == "delta" for load in loads)),
        "lifecycle": _lifecycle,
        "uploads": lambda at: _uploads(at, clock),
        "clock": _clock,
    }
    return Subject("s3", checks, lambda: _opened(settings, clock), "ETL_S3_ENDPOINT and ETL_S3_BUCKET")


@contextmanager
def _opened(settings: S3Settings, clock: Clock) -> Iterator[Bucket]:
    """Raises where there is no such bucket, or its content may not be listed, which every load does."""
    timeout_seconds = min(settings.timeout_seconds, STATEMENT_SECONDS)
    address = replace(StoreAddress.of(settings), timeout_seconds=timeout_seconds, attempts=1)
    require_bucket(address)
    client, prefix = client_of(address), settings.prefix.strip("/")
    folder = f"{prefix}/" if prefix else ""
    with s3_door(f"list {folder or 'the bucket'}"):
        began = clock()
        answer = client.list_objects_v2(Bucket=settings.bucket, Prefix=folder, MaxKeys=1)
        reading = _read_clock(answer, began, clock())
    yield Bucket(settings, folder, ObjectStore(address), client, reading)


def _read_clock(answer: Mapping[str, Any], began: float, ended: float) -> Reading | None:
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return Reading(began, ended, parsedate_to_datetime(said).timestamp(), _EXACT_SECONDS) if said else None


def _tls(at: Bucket) -> Answer:
    settings = at.settings
    if settings.uses_tls and not settings.verify:
        return failed(
            "encrypted, and verify=false: Spark cannot skip the check of a certificate",
            expected="a certificate that is verified",
            next_step="leave verify=false out, and name the store's authority in ETL_S3_CA_FILE",
        )
    if settings.uses_tls:
        return ok("certificate verified")
    if is_loopback(urlsplit(settings.endpoint or "").hostname or ""):
        return ok("none, and none needed on loopback")
    return warning(
        "none: rows travel in the clear",
        expected="https off loopback",
        next_step="https://… in ETL_S3_ENDPOINT; ETL_S3_CA_FILE names an authority of your own",
    )


def _privileges(at: Bucket) -> Answer:
    try:
        with _probe(at) as probe:
            at.store.put(probe.key, b"etl doctor")
            at.store.get(probe.key)
            with s3_door(f"begin an upload of {probe.key}"):
                begun = at.client.create_multipart_upload(Bucket=at.name, Key=probe.key)
            at.store.abort([(probe.key, begun["UploadId"])])
            at.store.delete([probe.key])
    except StoreError as error:
        return failed(error.message, expected=_RIGHTS, next_step=f"grant the key {_RIGHTS} on {at.name}/{at.folder}*")
    return ok(f"objects were written, read and deleted under {at.folder}_etl/, an upload begun and aborted")


def _conditional_put(at: Bucket, *, has_delta: bool) -> Answer:
    """Whether of two who write one name only one succeeds. Delta's log store for a single driver, which a run uses,
    does not ask for that; others who write the same tables may."""
    if not has_delta:
        return not_asked("no table to load is a Delta table")
    with _probe(at) as probe:
        refused = probe.put_if_absent()
        if refused is None:
            refused = probe.put_if_absent()
    if refused in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
        return ok("If-None-Match: * is honoured: the second of two writers of one key is refused")
    found = f"refused ({refused})" if refused else "ignored: the second of two writers of one key overwrote the first"
    return warning(
        f"If-None-Match: * is {found}",
        expected="412 for the second of two writers of one key",
        next_step="let one ledger's runs alone write the lake: its leases keep them apart (docs/lake.md)",
    )


def _lifecycle(at: Bucket) -> Answer:
    step = "a lifecycle rule with AbortIncompleteMultipartUpload, DaysAfterInitiation 7, for this bucket"
    with s3_door("read the lifecycle rules"):
        try:
            rules = at.client.get_bucket_lifecycle_configuration(Bucket=at.name).get("Rules", [])
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code not in _NO_RULES:
                return not_asked(f"unknown: {_why_unknown(code)}", next_step="see `uploads` for what was left")
            rules = []
    if aborts_uploads(rules, at.folder):
        return ok("broken uploads are aborted by a rule")
    return warning("no rule aborts broken uploads, which cost space that no listing shows", next_step=step)


def aborts_uploads(rules: Sequence[Mapping[str, Any]], folder: str) -> bool:
    """Whether an enabled rule of the bucket aborts those that were begun below the folder."""
    return any(
        rule.get("Status") == "Enabled"
        and "AbortIncompleteMultipartUpload" in rule
        and folder.startswith(_prefix_of(rule))
        for rule in rules
    )


def _prefix_of(rule: Mapping[str, Any]) -> str:
    """It stands in one of three places; a rule by tags or sizes holds for no upload."""
    chosen = rule.get("Filter", {})
    return str(chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or rule.get("Prefix") or "")


def _why_unknown(code: str) -> str:
    if code in _NOT_OFFERED:
        return "the store has no lifecycle rules"
    return "the key may not read the rules" if code in _FORBIDDEN else f"the store answered {code}"


def _uploads(at: Bucket, clock: Clock) -> Answer:
    before = datetime.fromtimestamp(clock(), UTC) - _FORGOTTEN
    try:
        left = [each for each in at.store.pending_uploads(at.folder) if each.started < before]
    except StoreError:
        return not_asked("the store or the key does not allow to list uploads")
    if not left:
        return ok("none older than a day is left")
    oldest = min(each.started for each in left)
    return warning(
        f"{len(left)} that were begun and never ended, the oldest of {oldest:%Y-%m-%d}: {left[0].key}",
        expected="none older than a day",
        next_step="the next load of a table aborts its own; for the others a lifecycle rule (`lifecycle`)",
    )


def _clock(at: Bucket) -> Answer:
    return compared(at.clock) if at.clock else not_asked("the store sends no Date")


@dataclass
class _Probe:
    """An object of this check's own, with whatever versions a bucket makes of it."""

    at: Bucket
    key: str

    def put_if_absent(self) -> str | None:
        """None where it was written, else the code of the refusal."""
        with s3_door(f"write {self.key}"):
            try:
                self.at.client.put_object(Bucket=self.at.name, Key=self.key, Body=b"etl doctor", IfNoneMatch="*")
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code in _FORBIDDEN:
                    raise
                return code
        return None

    def remove(self) -> None:
        """A bucket with versions keeps what is deleted, and a marker that it was: both go."""
        versions: list[Mapping[str, str]] = []
        with suppress(StoreError), s3_door(f"list the versions of {self.key}"):  # many stores have none
            answer = self.at.client.list_object_versions(Bucket=self.at.name, Prefix=self.key)
            versions = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        for version in versions:
            with s3_door(f"delete {self.key}"):
                self.at.client.delete_object(Bucket=self.at.name, Key=self.key, VersionId=version["VersionId"])
        if not versions:
            with s3_door(f"delete {self.key}"):
                self.at.client.delete_object(Bucket=self.at.name, Key=self.key)


@contextmanager
def _probe(at: Bucket) -> Iterator[_Probe]:
    probe = _Probe(at, f"{at.folder}_etl/doctor/{uuid.uuid4().hex}")
    try:
        yield probe
    finally:
        probe.remove()
