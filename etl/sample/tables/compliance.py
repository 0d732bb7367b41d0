"""Domain compliance: consent, data subject requests, retention, anonymisation, assessments and breaches."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.prose import draw_languages, sentence
from etl.sample.rows import SECOND, Rows
from etl.sample.values import (
    MICROSECONDS_A_DAY,
    Columns,
    array_pool,
    hex_text,
    join,
    json_objects,
    raw_json,
    take,
    words,
)
from etl.sample.vocabulary.people import FIRST_NAMES, LAST_NAMES, MAIL_DOMAINS, MAIL_NAMES
from etl.sample.vocabulary.things import COLUMN_NAMES, TABLE_NAMES, USER_AGENTS

_CONSENT_TYPES = ("marketing_email", "personalisation", "analytics", "advertising", "third_party", "push")
_PURPOSES = array_pool(["storage", "ads_basic", "ads_profile", "measurement", "audience", "product"], longest=6)
_VENDORS = array_pool(range(1, 800), longest=8)
_FIELDS = words([literal for literal in array_pool(COLUMN_NAMES, null_share=0).to_pylist() if literal != "{}"])
_DATA_TYPES = array_pool(["email", "name", "payment", "location", "reading history", "Gesundheit"])


def compliance_user_consent(rows: Rows) -> Columns:
    """(user_id, brand_id, consent_type, policy_version) never repeats in clean data: each round takes another type."""
    created = rows.moments()
    users = rows.world.total("users")
    granted = rows.chance("is_granted", 0.62)
    proof = {
        "banner": rows.choice("banner", ["v3", "v4"]),
        "screen": rows.choice("screen", ["first visit", "settings"]),
    }
    withdrawn = ~(granted & rows.chance("withdrawn", 0.08))
    return {
        "consent_id": rows.keys(),
        "user_id": values.integers(rows.index * 7 % users + 1 if users % 7 else rows.index % users + 1),
        "brand_id": rows.parents("brands", "brand_id", power=2),
        "consent_type": take(words(_CONSENT_TYPES), rows.index // users % len(_CONSENT_TYPES)),
        "legal_basis": rows.choice("legal_basis", ["consent", "contract", "legitimate_interest"], (80, 8, 12)),
        "policy_version": join("2026.", values.integers(rows.index // (users * len(_CONSENT_TYPES)) + 1)),
        "is_granted": values.flags(granted),
        "purposes": rows.choice("purposes", _PURPOSES, nulls=0.05),
        "vendor_ids": rows.choice("vendor_ids", _VENDORS, nulls=0.2),
        "channel": rows.choice("channel", ["web", "app", "phone", "letter"], (60, 35, 3, 2), nulls=0.03),
        "ip_address": rows.addresses("ip_address", nulls=0.1),
        "user_agent": rows.choice("user_agent", USER_AGENTS, nulls=0.1),
        "consent_string": rows.maybe("consent_string", join("CP", hex_text(rows.bits("string"))), 0.2),
        "proof": rows.maybe("proof", json_objects(proof), 0.1),
        "granted_at": values.instants(created, ~granted),
        "withdrawn_at": values.instants(rows.later("withdrawn_at", created, 400_000), withdrawn),
        "expires_on": values.dates(rows.days_of(created) + 390, ~granted),
        **rows.stamps(created),
    }


def compliance_data_subject_requests(rows: Rows) -> Columns:
    created = rows.moments()
    status = rows.weighted("status", (10, 10, 20, 55, 5))
    kinds = ["access", "erasure", "rectification", "portability", "objection", "restriction"]
    response = {"files": rows.numbers("files", 0, 9), "days": rows.numbers("days", 1, 30)}
    return {
        "request_id": rows.keys(),
        "user_id": rows.parents("users", "user_id", nulls=0.1),
        "country_id": rows.parents("countries", "country_id", nulls=0.1, power=3),
        "handled_by_employee_id": rows.parents("company_employees", "handled_by_employee_id", nulls=0.2),
        "request_type": rows.choice("request_type", kinds, (45, 35, 6, 5, 6, 3)),
        "status": take(words(["received", "verifying", "in_progress", "completed", "rejected"]), status),
        "requester_name": rows.maybe(
            "requester_name", join(rows.choice("first", FIRST_NAMES), " ", rows.choice("last", LAST_NAMES)), 0.05
        ),
        "requester_email": join(
            rows.choice("email", MAIL_NAMES), ".", rows.keys(), "@", rows.choice("domain", MAIL_DOMAINS)
        ),
        "identity_document": rows.blobs("identity_document", 12, nulls=0.6),
        "received_at": values.instants(created),
        "due_date": values.dates(rows.days_of(created) + 30),
        "completed_at": values.instants(rows.later("completed_at", created, 900_000), status < 3),
        "notes": rows.maybe("notes", sentence(rows, "notes", draw_languages(rows)), 0.6),
        "response": values.nullify(json_objects(response), status < 3),
        **rows.stamps(created),
    }


def compliance_retention_policies(rows: Rows) -> Columns:
    return {
        "policy_id": rows.keys(),
        "owner_employee_id": rows.parents("company_employees", "owner_employee_id", nulls=0.1),
        "code": join("RET-", rows.keys()),
        "name": join("Retention of ", take(words(TABLE_NAMES), rows.index % len(TABLE_NAMES)), " ", rows.keys()),
        "table_name": take(words(TABLE_NAMES), rows.index % len(TABLE_NAMES)),
        "retention_days": rows.choice("retention_days", ["30", "90", "180", "365", "3650"]),
        "action": rows.choice("action", ["delete", "anonymize", "archive"]),
        "legal_basis": rows.choice("legal_basis", ["Art. 5 (1) e DSGVO", "§ 147 AO", "GDPR Art. 17"], nulls=0.1),
        "jurisdictions": rows.choice("jurisdictions", array_pool(["EU", "DE", "FR", "UK", "CN"]), nulls=0.05),
        "conditions": rows.maybe("conditions", json_objects({"legal_hold": rows.flags("hold", 0.1)}), 0.3),
        "effective_from": values.dates(rows.days_of(rows.past(4.0))),
        "is_active": rows.flags("is_active", 0.9),
        **rows.stamps(rows.past(4.0)),
    }


def compliance_retention_executions(rows: Rows) -> Columns:
    created = rows.moments()
    examined = rows.exponential("rows_examined", 60_000).astype(np.int64)
    status = rows.weighted("status", (92, 5, 3))
    return {
        "execution_id": rows.keys(),
        "policy_id": rows.parents("compliance_retention_policies", "policy_id"),
        "execution_timestamp": values.instants(created),
        "cutoff_date": values.dates(rows.days_of(created) - rows.whole("cutoff_date", 30, 3_650)),
        "status": take(words(["succeeded", "failed", "partial"]), status),
        "rows_examined": values.integers(examined),
        "rows_affected": values.integers((examined * rows.uniform("rows_affected") ** 3).astype(np.int64)),
        "duration_seconds": values.decimals(
            rows.exponential("duration_seconds", 40), 6, rows.nulls("duration_seconds", 0.02)
        ),
        "partitions": rows.choice("partitions", array_pool(["2024-01", "2024-02", "2025-11"]), nulls=0.3),
        "error_message": values.nullify(
            rows.choice("error_message", ["lock timeout", "permission denied"]), status != 1
        ),
        "is_dry_run": rows.flags("is_dry_run", 0.2),
        "detail": rows.maybe("detail", json_objects({"batches": rows.numbers("batches", 1, 60)}), 0.3),
        "created_at": values.instants(created),
    }


def compliance_anonymized_data(rows: Rows) -> Columns:
    created = rows.moments()
    return {
        "anonymized_data_id": rows.keys(),
        "request_id": rows.recent("compliance_data_subject_requests", "request_id", created, nulls=0.5),
        "execution_id": rows.recent("compliance_retention_executions", "execution_id", created, nulls=0.5),
        "source_table": rows.choice("source_table", TABLE_NAMES),
        "record_id": join("", values.integers(rows.whole("record_id", 1, 40_000_000))),
        "method": rows.choice("method", ["hash", "mask", "generalise", "suppress", "tokenise"]),
        "fields": rows.choice("fields", _FIELDS),
        "pseudonym": rows.uuids("pseudonym"),
        "salt": rows.blobs("salt", 2, nulls=0.3),
        "anonymity_group_size": rows.numbers("anonymity_group_size", 2, 60, nulls=0.3),
        "is_reversible": rows.flags("is_reversible", 0.1),
        "anonymized_at": values.instants(rows.happened(created)),
        "created_at": values.instants(created),
    }


def compliance_privacy_assessments(rows: Rows) -> Columns:
    created = rows.moments()
    status = rows.weighted("status", (2, 3, 5, 1))
    day = rows.days_of(created)
    findings = {
        "open": rows.numbers("open", 0, 5),
        "list": raw_json(rows.choice("list", ["[]", '["encryption missing"]'])),
    }
    return {
        "assessment_id": rows.keys(),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.2),
        "assessor_employee_id": rows.parents("company_employees", "assessor_employee_id", nulls=0.1),
        "title": join(
            rows.choice("title", ["Newsletter-Tracking", "Ad personalisation", "Mesure d’audience"]), " ", rows.keys()
        ),
        "assessment_type": rows.choice("assessment_type", ["dpia", "lia", "tia", "vendor"]),
        "status": take(words(["draft", "in_review", "approved", "rejected"]), status),
        "risk_level": rows.choice("risk_level", ["low", "medium", "high"], (50, 35, 15)),
        "risk_score": rows.decimals("risk_score", 0, 10, 2, nulls=0.1),
        "data_categories": rows.choice("data_categories", _DATA_TYPES, nulls=0.05),
        "findings": rows.maybe("findings", json_objects(findings), 0.2),
        "mitigation": rows.maybe("mitigation", sentence(rows, "mitigation", draw_languages(rows)), 0.4),
        "started_on": values.dates(day),
        "completed_on": values.dates(day + rows.whole("completed_on", 3, 90), status < 2),
        "next_review_date": values.dates(day + 365, rows.nulls("next_review_date", 0.2)),
        **rows.stamps(created),
    }


def compliance_breach_incidents(rows: Rows) -> Columns:
    detected = rows.moments()
    status = rows.weighted("status", (2, 3, 3, 4))
    timeline = {"contained_after_h": rows.numbers("contained", 1, 90), "updates": rows.numbers("updates", 0, 9)}
    return {
        "incident_id": rows.keys(),
        "company_id": rows.parents("companies", "company_id"),
        "reported_by_employee_id": rows.parents("company_employees", "reported_by_employee_id", nulls=0.2),
        "title": join(
            rows.choice("title", ["Lost laptop", "Fehlversand", "Phishing", "Bucket ouvert"]), " ", rows.keys()
        ),
        "severity": rows.choice("severity", ["low", "medium", "high", "critical"], (40, 35, 20, 5)),
        "status": take(words(["detected", "contained", "reported", "closed"]), status),
        "occurred_at": values.local_times(
            detected - rows.whole("occurred", 600, 900_000) * SECOND, rows.nulls("occurred", 0.2)
        ),
        "detected_at": values.instants(detected),
        "notification_deadline": values.instants(detected + 3 * MICROSECONDS_A_DAY),
        "reported_at": values.instants(rows.later("reported_at", detected, 90_000), status < 2),
        "affected_users": rows.amounts("affected_users", 700, nulls=0.1),
        "attacker_ip": rows.addresses("attacker_ip", nulls=0.6),
        "data_types": rows.choice("data_types", _DATA_TYPES, nulls=0.05),
        "root_cause": rows.choice(
            "root_cause", ["human error", "fehlende Verschlüsselung", "mot de passe faible"], nulls=0.2
        ),
        "estimated_cost_eur": rows.money("estimated_cost_eur", 25_000, nulls=0.3),
        "timeline": rows.maybe("timeline", json_objects(timeline), 0.2),
        "is_authority_notified": rows.flags("is_authority_notified", 0.4),
        **rows.stamps(detected),
    }


BUILDERS = {
    "compliance_user_consent": compliance_user_consent,
    "compliance_data_subject_requests": compliance_data_subject_requests,
    "compliance_retention_policies": compliance_retention_policies,
    "compliance_retention_executions": compliance_retention_executions,
    "compliance_anonymized_data": compliance_anonymized_data,
    "compliance_privacy_assessments": compliance_privacy_assessments,
    "compliance_breach_incidents": compliance_breach_incidents,
}  # fmt: skip
