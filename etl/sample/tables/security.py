"""Domain security: roles and permissions, who holds them, API keys and sessions."""

from __future__ import annotations

from etl.sample import values
from etl.sample.rows import Rows
from etl.sample.values import Columns, array_pool, join, json_objects, take, words
from etl.sample.vocabulary.things import USER_AGENTS

_RESOURCES = (
    "article",
    "asset",
    "user",
    "account",
    "campaign",
    "report",
    "flag",
    "setting",
    "key",
    "role",
    "model",
    "consent",
)
_ACTIONS = ("create", "read", "update", "delete", "publish", "export", "approve", "impersonate")
_ROLES = (
    "reader", "author", "editor", "chief_editor", "photo_editor", "moderator", "support", "sales", "marketing",
    "analyst", "data_engineer", "developer", "auditor", "privacy_officer", "finance", "hr", "partner", "api_client",
    "admin", "superadmin",
)  # fmt: skip
_SCOPES = array_pool(["read:articles", "write:articles", "read:users", "read:reports", "admin"], longest=4)


def security_roles(rows: Rows) -> Columns:
    codes = take(words(_ROLES), rows.index)
    settings = {"can_delegate": rows.flags("delegate", 0.3), "review_months": rows.numbers("review", 3, 12)}
    return {
        "role_id": rows.keys(),
        "parent_role_id": rows.earlier("parent_role_id", nulls=0.4),
        "code": codes,
        "name": join("Role ", codes),
        "description": rows.choice(
            "description", ["Granted on joining.", "Needs approval.", "Reviewed every quarter."], nulls=0.3
        ),
        "scope": rows.choice("scope", ["global", "company", "brand"]),
        "max_session_minutes": rows.numbers("max_session_minutes", 15, 720, nulls=0.2),
        "is_system": rows.flags("is_system", 0.4),
        "settings": rows.maybe("settings", json_objects(settings), 0.3),
        **rows.stamps(rows.past()),
    }


def security_permissions(rows: Rows) -> Columns:
    resource = take(words(_RESOURCES), rows.index // len(_ACTIONS))
    action = take(words(_ACTIONS), rows.index % len(_ACTIONS))
    return {
        "permission_id": rows.keys(),
        "code": join(resource, ":", action),
        "resource": resource,
        "action": action,
        "description": rows.maybe("description", join("May ", action, " any ", resource, "."), 0.3),
        "risk_level": rows.choice("risk_level", ["low", "medium", "high", "critical"], (50, 30, 15, 5)),
        "requires_mfa": rows.flags("requires_mfa", 0.3),
        "is_deprecated": rows.flags("is_deprecated", 0.05),
        **rows.stamps(rows.past()),
    }


def security_role_permissions(rows: Rows) -> Columns:
    """Each role gets a run of permissions that starts elsewhere: no pair twice."""
    role_count, permission_count = rows.world.total("security_roles"), rows.world.total("security_permissions")
    role, turn = rows.index % role_count, rows.index // role_count
    until = rows.days_of(rows.past(1.0)) + 700
    return {
        "role_id": values.integers(role + 1),
        "permission_id": values.integers((role * 5 + turn) % permission_count + 1),
        "granted_by_employee_id": rows.parents("company_employees", "granted_by_employee_id", nulls=0.2),
        "is_denied": rows.flags("is_denied", 0.04),
        "valid_until": values.dates(until, rows.nulls("valid_until", 0.8)),
        "condition": rows.maybe("condition", json_objects({"own_brand": rows.flags("own_brand", 0.5)}), 0.7),
        **rows.stamps(rows.past()),
    }


def security_user_roles(rows: Rows) -> Columns:
    created = rows.moments()
    return {
        "user_role_id": rows.keys(),
        "user_id": rows.parents("users", "user_id", power=1.5),
        "role_id": rows.parents("security_roles", "role_id", power=2),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.3),
        "granted_by_employee_id": rows.parents("company_employees", "granted_by_employee_id", nulls=0.2),
        "status": rows.choice("status", ["pending", "active", "suspended", "revoked"], (8, 80, 4, 8)),
        "granted_at": values.instants(created),
        "expires_at": values.instants(
            created + rows.whole("expires_at", 30, 700) * 86_400_000_000, rows.nulls("expires_at", 0.6)
        ),
        "justification": rows.choice(
            "justification", ["Vertretung im August", "New hire", "Audit 2026", "remplacement"], nulls=0.5
        ),
        **rows.stamps(created),
    }


def security_api_keys(rows: Rows) -> Columns:
    created = rows.past(3.0)
    metadata = {"team": rows.choice("team", ["apps", "data", "partners"]), "rotations": rows.numbers("rotations", 0, 9)}
    return {
        "api_key_id": rows.keys(),
        "user_id": rows.parents("users", "user_id"),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.3),
        "name": join(
            rows.choice("name", ["mobile app", "partner feed", "print export", "dashboard"]),
            " ",
            values.integers(rows.index),
        ),
        "key_prefix": join("olk_", values.integers(10_000 + rows.index)),
        "key_hash": rows.blobs("key_hash"),
        "status": rows.choice("status", ["active", "expired", "revoked"], (7, 2, 1)),
        "scopes": rows.choice("scopes", _SCOPES),
        "allowed_network": rows.addresses("allowed_network", nulls=0.6),
        "rate_limit_per_minute": rows.choice("rate_limit_per_minute", ["60", "600", "6000"]),
        "expires_at": values.instants(created + 94_608_000_000_000, rows.nulls("expires_at", 0.4)),
        "last_used_at": values.instants(rows.touched(created, 1.0), rows.nulls("last_used_at", 0.2)),
        "metadata": rows.maybe("metadata", json_objects(metadata), 0.2),
        **rows.stamps(created),
    }


def security_api_key_usage(rows: Rows) -> Columns:
    created = rows.moments()
    status = rows.choice(
        "status_code", ["200", "201", "304", "400", "401", "404", "429", "500"], (80, 4, 6, 2, 2, 4, 1, 1)
    )
    query = {
        "page": rows.amounts("page", 2),
        "q": rows.choice("q", ["", "Wahl", "été", 'say "hi"', "a\\b", "选举"], nulls=0.3),
    }
    return {
        "usage_id": rows.keys(),
        "api_key_id": rows.parents("security_api_keys", "api_key_id", power=3),
        "usage_timestamp": values.instants(rows.happened(created)),
        "method": rows.choice("method", ["GET", "POST", "PUT", "DELETE"], (86, 9, 4, 1)),
        "endpoint": join("/v2/", rows.choice("endpoint", ["articles", "users", "search", "assets", "reports"])),
        "status_code": status,
        "response_ms": rows.amounts("response_ms", 85),
        "request_bytes": rows.amounts("request_bytes", 900, nulls=0.1),
        "response_bytes": rows.amounts("response_bytes", 42_000, nulls=0.05),
        "ip_address": rows.addresses("ip_address", nulls=0.05),
        "user_agent": rows.choice("user_agent", USER_AGENTS, nulls=0.1),
        "error_code": rows.choice("error_code", ["invalid_scope", "rate_limited", "not_found"], nulls=0.92),
        "query": rows.maybe("query", json_objects(query), 0.2),
        "created_at": values.instants(created),
    }


def security_user_sessions(rows: Rows) -> Columns:
    started = rows.moments()
    ended = rows.later("session_end", started, 3_600)
    attributes = {
        "trusted": rows.flags("trusted", 0.7),
        "city": rows.choice("city", ["Köln", "Paris", "上海", "İzmir"], nulls=0.3),
    }
    return {
        "session_id": rows.keys(),
        "user_id": rows.parents("users", "user_id", power=2),
        "session_start": values.instants(started),
        "session_end": values.instants(ended, rows.nulls("session_end", 0.05)),
        "login_method": rows.choice(
            "login_method", ["password", "google", "apple", "sso", "passkey"], (60, 15, 10, 10, 5)
        ),
        "device_type_id": rows.parents("device_types", "device_type_id", nulls=0.03, power=2),
        "browser_id": rows.parents("browsers", "browser_id", nulls=0.03, power=1.5),
        "country_id": rows.parents("countries", "country_id", nulls=0.05, power=3),
        "ip_address": rows.addresses("ip_address"),
        "is_mfa_used": rows.flags("is_mfa_used", 0.35),
        "failed_attempts": rows.choice("failed_attempts", ["0", "1", "2", "5"], (85, 10, 4, 1)),
        "risk_score": rows.numbers("risk_score", 0, 100, nulls=0.2),
        "token_hash": rows.blobs("token_hash"),
        "termination_reason": rows.choice(
            "termination_reason", ["logout", "timeout", "revoked", "password_change"], nulls=0.2
        ),
        "attributes": rows.maybe("attributes", json_objects(attributes), 0.3),
        "created_at": values.instants(rows.later("created_at/lag", ended, 20)),
    }


BUILDERS = {
    "security_roles": security_roles, "security_permissions": security_permissions,
    "security_role_permissions": security_role_permissions, "security_user_roles": security_user_roles,
    "security_api_keys": security_api_keys, "security_api_key_usage": security_api_key_usage,
    "security_user_sessions": security_user_sessions,
}  # fmt: skip
