"""Domain audit: what was done, changed, read and where data went. Append-only."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.prose import draw_languages, sentence
from etl.sample.rows import SECOND, Rows
from etl.sample.values import Columns, array_pool, join, json_objects, take, words
from etl.sample.vocabulary.people import MAIL_NAMES
from etl.sample.vocabulary.things import COLUMN_NAMES, TABLE_NAMES, USER_AGENTS

_COLUMNS = array_pool(COLUMN_NAMES)
_ACTIONS = ("login", "logout", "view", "create", "update", "delete", "export", "publish", "grant", "revoke")


def audit_logs(rows: Rows) -> Columns:
    created = rows.moments()
    details = {
        "path": rows.choice("path", ["/admin", "/artikel/új", "C:\\temp", '"quoted"']),
        "ms": rows.amounts("ms", 90),
    }
    user = rows.skewed("user_id", rows.world.total("users"), 2)
    session = rows.along("security_user_sessions")
    return {
        "audit_log_id": rows.keys(),
        "event_timestamp": values.instants(rows.happened(created)),
        "user": rows.maybe("user", join(rows.choice("name", MAIL_NAMES), ".", values.integers(user + 1)), 0.1),
        "user_id": values.integers(user + 1, rows.nulls("user_id", 0.1)),
        "action": rows.choice("action", _ACTIONS, (18, 10, 30, 10, 18, 3, 4, 4, 2, 1)),
        "resource_type": rows.choice("resource_type", ["article", "user", "setting", "asset", "report"]),
        "resource_id": rows.maybe("resource_id", join("", values.integers(rows.whole("resource", 1, 90_000))), 0.1),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.2, power=2),
        "outcome": rows.choice("outcome", ["success", "denied", "failure"], (94, 4, 2)),
        "request_id": rows.uuids("request_id"),
        "session_id": rows.world.keys("security_user_sessions", session, rows.nulls("session_id", 0.2)),
        "ip_address": rows.addresses("ip_address", nulls=0.05),
        "user_agent": rows.choice("user_agent", USER_AGENTS, nulls=0.1),
        "details": rows.maybe("details", json_objects(details), 0.3),
        "created_at": values.instants(created),
    }


def audit_data_changes(rows: Rows) -> Columns:
    created = rows.moments()
    operation = rows.weighted("operation", (25, 68, 7))
    state = {
        "status": rows.choice("status", ["draft", "published", "archived"]),
        "version": rows.numbers("version", 1, 40),
    }
    after = {
        "status": rows.choice("status/after", ["published", "archived", "deleted"]),
        "version": rows.numbers("after", 2, 41),
    }
    return {
        "data_change_id": rows.keys(),
        "audit_log_id": rows.recent("audit_logs", "audit_log_id", created, nulls=0.15),
        "change_timestamp": values.instants(rows.happened(created)),
        "table_name": rows.choice("table_name", TABLE_NAMES),
        "record_id": join("", values.integers(rows.whole("record_id", 1, 40_000))),
        "operation": take(words(["INSERT", "UPDATE", "DELETE"]), operation),
        "changed_columns": values.nullify(rows.choice("changed_columns", _COLUMNS), operation != 1),
        "old_values": values.nullify(json_objects(state), operation == 0),
        "new_values": values.nullify(json_objects(after), operation == 2),
        "changed_by_user_id": rows.parents("users", "changed_by_user_id", nulls=0.2, power=2),
        "transaction_number": values.integers(4_000_000_000 + rows.index * 3),
        "application": rows.choice("application", ["cms", "crm", "billing", "batch"], nulls=0.05),
        "created_at": values.instants(created),
    }


def audit_data_access(rows: Rows) -> Columns:
    created = rows.moments()
    return {
        "data_access_id": rows.keys(),
        "user_id": rows.parents("users", "user_id", power=2),
        "access_timestamp": values.instants(rows.happened(created)),
        "table_name": rows.choice("table_name", TABLE_NAMES),
        "column_names": rows.choice("column_names", _COLUMNS, nulls=0.1),
        "purpose": rows.choice("purpose", ["support", "analytics", "Rechnungsprüfung", "enquête"], nulls=0.1),
        "legal_basis": rows.choice("legal_basis", ["contract", "consent", "legitimate_interest"], nulls=0.15),
        "row_count": rows.amounts("row_count", 300),
        "query_hash": rows.blobs("query_hash", 2, nulls=0.1),
        "duration_ms": values.decimals(rows.exponential("duration_ms", 140), 6, rows.nulls("duration_ms", 0.05)),
        "ip_address": rows.addresses("ip_address", nulls=0.05),
        "contains_personal_data": rows.flags("contains_personal_data", 0.3),
        "created_at": values.instants(created),
    }


def audit_security_events(rows: Rows) -> Columns:
    created = rows.moments()
    indicators = {"attempts": rows.amounts("attempts", 6), "tor": rows.flags("tor", 0.1)}
    return {
        "security_event_id": rows.keys(),
        "session_id": rows.world.keys(
            "security_user_sessions", rows.along("security_user_sessions"), rows.chance("session_id?", 0.3)
        ),
        "user_id": rows.parents("users", "user_id", nulls=0.3, power=2),
        "country_id": rows.parents("countries", "country_id", nulls=0.1, power=2),
        "event_timestamp": values.instants(rows.happened(created)),
        "event_type": rows.choice(
            "event_type", ["failed_login", "mfa_denied", "privilege_change", "token_reuse", "scan"]
        ),
        "severity": rows.choice("severity", ["low", "medium", "high", "critical"], (60, 25, 12, 3)),
        "description": rows.maybe("description", sentence(rows, "description", draw_languages(rows)), 0.3),
        "source_ip": rows.addresses("source_ip", nulls=0.05),
        "risk_score": rows.decimals("risk_score", 0, 100, 2, nulls=0.1),
        "rule_ids": rows.choice("rule_ids", array_pool(range(1, 90)), nulls=0.2),
        "indicators": rows.maybe("indicators", json_objects(indicators), 0.2),
        "is_resolved": rows.flags("is_resolved", 0.7),
        "created_at": values.instants(created),
    }


def audit_data_lineage(rows: Rows) -> Columns:
    created = rows.moments()
    finished = created - rows.whole("finished_at", 1, 30) * SECOND
    return {
        "data_lineage_id": rows.keys(),
        "parent_lineage_id": rows.earlier("parent_lineage_id", nulls=0.5),
        "run_id": rows.uuids("run_id"),
        "job_name": join("job_", rows.choice("job_name", ["nightly", "hourly", "backfill"])),
        "source_table": rows.choice("source_table", TABLE_NAMES),
        "source_column": rows.choice("source_column", COLUMN_NAMES, nulls=0.4),
        "target_table": join("mart_", rows.choice("target_table", TABLE_NAMES)),
        "target_column": rows.choice("target_column", COLUMN_NAMES, nulls=0.4),
        "transformation": rows.choice(
            "transformation", ["lower(x)", "sum(x) over (…)", "x::date", "md5(x)"], nulls=0.3
        ),
        "row_count": values.integers(
            rows.exponential("row_count", 250_000).astype(np.int64), rows.nulls("row_count", 0.05)
        ),
        "bytes_processed": values.integers(rows.exponential("bytes", 6e9).astype(np.int64), rows.nulls("bytes", 0.05)),
        "upstream_tables": rows.choice("upstream_tables", array_pool(TABLE_NAMES), nulls=0.1),
        "started_at": values.local_times(
            finished - rows.whole("started_at", 1, 900) * SECOND, rows.nulls("started_at", 0.02)
        ),
        "finished_at": values.local_times(finished, rows.nulls("finished_at", 0.05)),
        "metadata": rows.maybe("metadata", json_objects({"attempt": rows.numbers("attempt", 1, 3)}), 0.3),
        "created_at": values.instants(created),
    }


def audit_compliance_events(rows: Rows) -> Columns:
    created = rows.moments()
    happened = rows.happened(created)
    violation = rows.chance("is_violation", 0.05)
    return {
        "compliance_event_id": rows.keys(),
        "user_id": rows.parents("users", "user_id", nulls=0.3),
        "request_id": rows.recent("compliance_data_subject_requests", "request_id", happened, nulls=0.5),
        "policy_id": rows.parents("compliance_retention_policies", "policy_id", nulls=0.4),
        "reviewed_by_employee_id": rows.parents("company_employees", "reviewed_by_employee_id", nulls=0.3),
        "event_timestamp": values.instants(happened),
        "regulation": rows.choice("regulation", ["GDPR", "revDSG", "UK GDPR", "PIPL", "CCPA"], (70, 10, 10, 5, 5)),
        "event_type": rows.choice("event_type", ["consent_given", "consent_withdrawn", "erasure", "export", "audit"]),
        "severity": rows.choice("severity", ["low", "medium", "high"], (80, 15, 5)),
        "description": rows.maybe("description", sentence(rows, "description", draw_languages(rows)), 0.4),
        "due_date": values.dates(rows.days_of(happened) + 30, rows.nulls("due_date", 0.6)),
        "penalty_eur": values.decimals(rows.exponential("penalty_eur", 40_000), 2, ~violation),
        "evidence": rows.maybe("evidence", json_objects({"pages": rows.numbers("pages", 1, 60)}), 0.5),
        "is_violation": values.flags(violation),
        "created_at": values.instants(created),
    }


BUILDERS = {
    "audit_logs": audit_logs, "audit_data_changes": audit_data_changes, "audit_data_access": audit_data_access,
    "audit_security_events": audit_security_events, "audit_data_lineage": audit_data_lineage,
    "audit_compliance_events": audit_compliance_events,
}  # fmt: skip
