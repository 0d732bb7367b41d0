"""Domain configuration: feature flags, settings and their histories."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.rows import Rows
from etl.sample.values import Columns, array_pool, join, json_objects, raw_json, take, words

_ENVIRONMENTS = ("development", "staging", "production")
_FLAGS = (
    "paywall_v2", "dark_mode", "live_blog", "comments", "push_topics", "audio_player", "ai_summaries", "passkeys",
    "new_search", "offline_reading",
)  # fmt: skip
_GROUPS = ("mail", "search", "ads", "paywall", "cache", "privacy", "Öffentlich")
_VALUE_TYPES = ("string", "integer", "number", "boolean", "object", "array")
_VALUES = words(['"Grüezi"', "42", "0.125", "true", '{"ttl":3600,"keys":["a","b"]}', '["de","fr",null]'])
_CHANGES = ("created", "enabled", "disabled", "rollout", "targeting")


def configuration_feature_flags(rows: Rows) -> Columns:
    targeting = {
        "countries": raw_json(rows.choice("countries", ['["DE"]', '["FR","BE"]', "[]"])),
        "beta": rows.flags("beta", 0.2),
    }
    number = rows.index // len(_ENVIRONMENTS)
    return {
        "feature_flag_id": rows.keys(),
        "parent_flag_id": rows.earlier("parent_flag_id", nulls=0.85),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.5),
        "owner_employee_id": rows.parents("company_employees", "owner_employee_id", nulls=0.1),
        "flag_key": join(take(words(_FLAGS), number % len(_FLAGS)), "_", values.integers(number)),
        "environment": take(words(_ENVIRONMENTS), rows.index % len(_ENVIRONMENTS)),
        "description": rows.choice("description", ["Remove after launch", "Nur für Tests", "À supprimer"], nulls=0.4),
        "is_enabled": rows.flags("is_enabled", 0.6),
        "rollout_percent": rows.numbers("rollout_percent", 0, 100),
        "variants": rows.choice("variants", array_pool(["control", "A", "B", "C"]), nulls=0.3),
        "segment_ids": rows.choice("segment_ids", array_pool(range(1, 40)), nulls=0.3),
        "targeting": rows.maybe("targeting", json_objects(targeting), 0.3),
        "expires_on": values.dates(rows.days_of(rows.past(1.0)) + 500, rows.nulls("expires_on", 0.5)),
        **rows.stamps(rows.past(2.0)),
    }


def configuration_feature_flag_history(rows: Rows) -> Columns:
    created = rows.moments()
    kind = rows.weighted("change_type", (5, 30, 25, 30, 10))
    old = {"enabled": rows.flags("old", 0.5), "rollout": rows.numbers("old/rollout", 0, 100)}
    new = {"enabled": rows.flags("new", 0.5), "rollout": rows.numbers("new/rollout", 0, 100)}
    return {
        "history_id": rows.keys(),
        "feature_flag_id": rows.parents("configuration_feature_flags", "feature_flag_id", power=1.5),
        "changed_by_employee_id": rows.parents("company_employees", "changed_by_employee_id", nulls=0.1),
        "changed_at": values.instants(rows.happened(created)),
        "change_type": take(words(_CHANGES), kind),
        "old_value": values.nullify(json_objects(old), kind == 0),
        "new_value": json_objects(new),
        "reason": rows.choice("reason", ["Störung", "gradual rollout", "demande produit", "实验结束"], nulls=0.3),
        "request_id": rows.uuids("request_id", nulls=0.2),
        "ip_address": rows.addresses("ip_address", nulls=0.2),
        "created_at": values.instants(created),
    }


def configuration_system_settings(rows: Rows) -> Columns:
    kind = rows.weighted("value_type", (3, 3, 1, 2, 1, 1))
    group = rows.choice("group", _GROUPS)
    is_number = np.isin(kind, (1, 2))
    secret = rows.chance("is_secret", 0.1)
    return {
        "system_setting_id": rows.keys(),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.6),
        "settingKey": join(group, ".option", rows.keys()),
        "group": group,
        "value": take(_VALUES, kind),
        "default_value": take(_VALUES, kind, rows.nulls("default_value", 0.2)),
        "value_type": take(words(_VALUE_TYPES), kind),
        "minimum_value": values.decimals(rows.between("minimum_value", -10, 0), 6, ~is_number),
        "maximum_value": values.decimals(rows.between("maximum_value", 100, 1e6), 6, ~is_number),
        "allowed_values": rows.choice("allowed_values", array_pool(["de", "en", "fr", "off"]), nulls=0.6),
        "encrypted_value": values.nullify(rows.blobs("encrypted_value", 3), ~secret),
        "description": rows.choice("description", ["Seconds to keep a page", "Absenderadresse", ""], nulls=0.3),
        "is_secret": values.flags(secret),
        **rows.stamps(rows.past(3.0)),
    }


def configuration_system_settings_history(rows: Rows) -> Columns:
    created = rows.moments()
    return {
        "history_id": rows.keys(),
        "system_setting_id": rows.parents("configuration_system_settings", "system_setting_id", power=1.5),
        "changed_by_employee_id": rows.parents("company_employees", "changed_by_employee_id", nulls=0.1),
        "changed_at": values.instants(rows.happened(created)),
        "change_type": rows.choice("change_type", ["created", "updated", "reset", "deleted"], (5, 80, 10, 5)),
        "old_value": rows.choice("old_value", _VALUES, nulls=0.1),
        "new_value": rows.choice("new_value", _VALUES, nulls=0.05),
        "reason": rows.choice("reason", ["Lasttest", "incident 4711", "mise en production"], nulls=0.4),
        "source_address": rows.addresses("source_address", nulls=0.2),
        "is_rollback": rows.flags("is_rollback", 0.06),
        "created_at": values.instants(created),
    }


BUILDERS = {
    "configuration_feature_flags": configuration_feature_flags,
    "configuration_feature_flag_history": configuration_feature_flag_history,
    "configuration_system_settings": configuration_system_settings,
    "configuration_system_settings_history": configuration_system_settings_history,
}  # fmt: skip
